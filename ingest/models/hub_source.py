"""Model weights from the Hugging Face hub, or from its cache on this computer."""

import queue
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.models.pinned_models import Pin
from ingest.models.verify import Weights, WeightsError, checked, weight_files
from scraper.files import sha256

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

ANSWER_S = 4.0  # an available hub answers within a second
# weights, configurations and tokenizers, at the top and one module down
FILES = ["model.safetensors", "model-*.safetensors", "*/model.safetensors", "*.json", "*.txt", "*.model"]


class HubError(Exception):
    """Neither the hub nor its cache gave the model. The message says why."""


def from_hub(name: str, repository: str, revision: str | None, pin: Pin | None) -> Weights:
    """The model from the hub's cache or the hub, checked against the checksums that the hub states.

    Raises:
        HubError: the hub did not give the model.
        WeightsError: the weights are damaged, or not those of `pin`.
    """
    if pin:
        revision = revision or pin.revision or None
        try:
            return checked(name, _snapshot(repository, revision, local=True), "hub", pin)
        except HubError:
            pass  # not in the hub's cache
    try:
        info = _hub_info(repository, revision)
    except HubError as failure:
        if pin:
            raise
        try:
            folder, stated = _snapshot(repository, revision, local=True), {}
        except HubError:
            raise failure from None
    else:
        folder = _snapshot(repository, revision, local=False)
        stated = {file.rfilename: file.lfs.sha256 for file in info.siblings or [] if file.lfs}
    for file in weight_files(folder):
        # The hub's cache names large files by their checksum, which helps if the hub cannot be reached.
        blob = file.resolve().name
        expected = stated.get(file.relative_to(folder).as_posix()) or (
            blob if re.fullmatch("[0-9a-f]{64}", blob) else None
        )
        if expected and (actual := sha256(file)) != expected:
            raise WeightsError(
                f"{file} is damaged: sha256 {actual}, the hub states {expected}. Remove {folder} and try again."
            )
    return checked(name, folder, "hub", pin)


def _hub_info(repository: str, revision: str | None) -> "ModelInfo":
    """The hub's description of a model. Requested in a thread, because name resolution has no time-out."""
    from huggingface_hub import model_info

    answers: queue.Queue[ModelInfo | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(model_info(repository, revision=revision, files_metadata=True, timeout=ANSWER_S))
        except Exception as error:  # of the hub client, its HTTP library, or for a refused name
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_S + 1)
    except queue.Empty:
        raise HubError(f"no answer within {ANSWER_S + 1:.0f} s") from None
    if isinstance(answer, Exception):
        raise HubError(_first_line(answer)) from answer
    return answer


def _snapshot(repository: str, revision: str | None, local: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=FILES, local_files_only=local)
        if local:
            weight_files(Path(folder))
    except Exception as error:  # as above; a partial snapshot in the cache does not count
        raise HubError(_first_line(error)) from error
    return Path(folder)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
