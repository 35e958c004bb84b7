"""Check the weights in a model folder: which files they are, and whether they have the expected sha256."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from ingest.models.pinned_models import Pin
from scraper.errors import UserError
from scraper.files import sha256

Source = Literal["folder", "hub", "package"]


class WeightsError(UserError):
    """There are no weights, or not the right ones. The message says what was tried and what to do next."""


@dataclass(frozen=True)
class Weights:
    """A model folder with checked weights."""

    name: str  # as the caller gave it
    folder: Path  # transformers and sentence-transformers load it with local_files_only=True
    sha256: str  # of model.safetensors; of several files, that of their lines "<sha256>  <path>\n" by path
    source: Source


def checked(name: str, folder: Path, source: Source, pin: Pin | None) -> Weights:
    """The weights in `folder`. Raise WeightsError if they are not those of `pin`.

    Packages without the original weights have other ones than the hub, or a folder from there.
    """
    found = folder_sha256(folder)
    if pin and (pin.original or source == "package") and found != pin.sha256:
        raise WeightsError(
            f"the weights in {folder} are not those of {pin.name}: sha256 {found}, expected {pin.sha256}. "
            "Remove that copy and try again; to use other weights, put them into a folder with another name."
        )
    return Weights(name=name, folder=folder, sha256=found, source=source)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a model folder: one file, the shards in its index, or one file per module."""
    if (single := folder / "model.safetensors").is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{index} is not an index of weights: download the model again") from error
        files = [inside(folder, shard) for shard in shards]
        if missing := [file.name for file in files if not file.is_file()]:
            raise WeightsError(f"{folder} lacks {', '.join(missing)}, which its index names: download the model again")
        return files
    if modules := sorted(folder.glob("*/model.safetensors")):
        return modules
    raise WeightsError(
        f"{folder} has no model.safetensors. Pickled weights (.bin, .pt, .h5) are never loaded: "
        "save the model as safetensors, or give another folder."
    )


def folder_sha256(folder: Path) -> str:
    """The sha256 of the weights in a folder, see `Weights.sha256`."""
    files = weight_files(folder)
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256(sum_lines(folder, files).encode()).hexdigest()


def sum_lines(folder: Path, files: Iterable[Path]) -> str:
    """The lines of a SHA256SUMS file."""
    return "".join(f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)


def inside(folder: Path, member: str) -> Path:
    """`member` as a path in `folder`. Raise WeightsError for a name that leads out of it."""
    path = PurePosixPath(member)
    if not member or "\\" in member or ":" in member or path.is_absolute() or ".." in path.parts:
        raise WeightsError(f"refused: the file name {member!r} leads out of the folder")
    return folder / path
