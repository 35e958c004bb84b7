"""The manifests of generations and of segments, and the weights and encoders that are in them."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ingest.models.weights import weights_note
from retrieval.errors import GenerationError
from retrieval.index.documents import OVERVIEW, TEXT_FIELDS
from retrieval.index.layout import BUILDING, SEGMENT_VIDEOS
from retrieval.index.older import refusal
from retrieval.index.verified import REBUILD, unreadable

FORMAT = 6  # incremented when a file changes its meaning; generations of another format must be built again
MANIFEST = "manifest.json"  # of a generation
SEGMENT = "segment.json"  # of a segment
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
_OWN_SUM = re.compile(rb'(?<="manifest_sha256": ")[0-9a-f]{64}(?="\n\}$)')  # where it is in a manifest


class FusionWeights(BaseModel):
    """How much each part of a score counts: the dense retriever and the keyword retriever's three analysers against
    each other, and each field within its retriever. The aliases are the names on disk.

    `dense_retriever` is the weight of each encoder that `encoders` has no weight for.

    In the dense retriever almost all weight is on the whole video. Single fields count a little, so that an explanation
    can show the passage that matches and its time. More made no difference on the questions tried
    (docs/explanation/scoring.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    dense_retriever: float = Field(default=1.5, alias="dense_lane")
    encoders: dict[str, float] = {}
    stems: float = Field(default=0.45, alias="words")
    char_ngrams: float = Field(default=0.45, alias="grams")
    bigrams: float = Field(default=0.1, alias="pairs")
    dense: dict[str, float] = {OVERVIEW: 1.0} | dict.fromkeys(TEXT_FIELDS, 0.01)
    keyword: dict[str, float] = dict.fromkeys(TEXT_FIELDS, 1.0)

    def of_encoder(self, name: str) -> float:
        """Return the weight of an encoder."""
        return self.encoders.get(name, self.dense_retriever)

    def of_part(self, part: str) -> float:
        """Return the weight of a part of the score (see fusion.py)."""
        name, _, encoder = part.partition(":")
        return self.of_encoder(encoder) if encoder else float(getattr(self, name))

    def with_parts(self, weights: Mapping[str, float]) -> "FusionWeights":
        """Return these weights with those of some parts changed."""
        by_encoder = {part.partition(":")[2]: weight for part, weight in weights.items() if ":" in part}
        others = {part: weight for part, weight in weights.items() if ":" not in part}
        return self.model_copy(update=others | {"encoders": self.encoders | by_encoder})


class UsedEncoder(BaseModel):
    """An encoder of a generation. `encoded` texts were not in the vector cache. `language` is the only one that it
    reads, as ISO 639-1; "" if it reads many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    key: str
    dimension: int
    precision: str
    language: str = ""
    encoded: int = 0

    def describe(self) -> str:
        """Return its name, precision and weights: "all-MiniLM-L6-v2 in fp32 (weights 0123456789ab)"."""
        note = weights_note(self.name, self.sha256)
        return f"{self.name} in {self.precision} (weights {self.sha256[:12]}{note})"

    def summary(self) -> dict[str, str]:
        """Return what identifies it, for JSON."""
        return {
            "name": self.name,
            "precision": self.precision,
            "sha256": self.sha256,
            "weights": weights_note(self.name, self.sha256).removeprefix(", "),
            "language": self.language,
        }


class UsedVision(BaseModel):
    """The vision model of a generation. `toy` says that it is for demonstrations only. `language` is the only one in
    which it reads questions, as ISO 639-1; "" if it reads many, or nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    key: str
    dimension: int
    precision: str
    toy: bool = False
    language: str = ""


class SeenEntry(BaseModel):
    """The file with the pictures of the videos of a segment: its name, how many there are, and its sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[0-9a-f]{24}$")
    pictures: int = Field(ge=0)
    sha256: str


class SegmentManifest(BaseModel):
    """The description of a segment: its encoders by their keys, its counts, and the sha256 of every file.

    `encoders` has the key and the dimension of each. `videos` and `passages` count all, deleted ones as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    name: str
    encoders: tuple[tuple[str, int], ...]
    videos: int
    passages: dict[str, int]
    files: dict[FileName, str]
    manifest_sha256: str = ""


class SegmentEntry(BaseModel):
    """A segment of a generation: its name, how many videos it has, and the sha256 of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[0-9]{8}T[0-9]{12}-[0-9a-f]{6}$")
    videos: int = Field(ge=1, le=SEGMENT_VIDEOS)
    sha256: str


class Manifest(BaseModel):
    """The description of a generation: its format, encoders, counts, segments, and the checksums of the corpus and of
    its own files.

    `videos` and `passages` count those that can be found. `encoder` has the names of all encoders, joined by " + ", or
    "bm25" if there is none. `encoded` is how many texts were encoded, by all of them. `hubs_of` is how many videos
    there were when the hubness of all was last computed. `manifest_sha256` is that of the manifest itself without this
    value (see `sealed`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    name: str
    created: str
    encoder: str
    encoders: tuple[UsedEncoder, ...]
    videos: int
    passages: dict[str, int]
    encoded: int
    corpus_sha256: str
    weights: FusionWeights
    only_read: bool = False  # whether videos whose OCR or transcript is missing were left out
    hubs_of: int = 0
    followed: bool = False  # whether a server has published it by itself, because the catalog had changed
    erased_from: str = ""  # corpus_sha256 of the generation that it is without the videos that were erased
    segments: tuple[SegmentEntry, ...] = Field(min_length=1)
    vision: UsedVision | None = None  # the model that has seen the pictures of the videos
    seen: tuple[SeenEntry, ...] = ()  # of each segment, if there is one
    files: dict[FileName, str]
    manifest_sha256: str = ""

    @property
    def encoder_names(self) -> list[str]:
        """The names of all encoders."""
        return [encoder.name for encoder in self.encoders]


Sealed = TypeVar("Sealed", Manifest, SegmentManifest)


def sealed(manifest: Manifest | SegmentManifest) -> str:
    """Return the text of a manifest's file, with its own checksum."""
    text = manifest.model_copy(update={"manifest_sha256": "0" * 64}).model_dump_json(indent=1)
    return _OWN_SUM.sub(_own_sum(text.encode()).encode(), text.encode()).decode()


def _own_sum(raw: bytes) -> str:
    """Return the sha256 of a manifest's file without the one that is in it."""
    return hashlib.sha256(_OWN_SUM.sub(b"", raw)).hexdigest()


def manifest_in(folder: Path) -> Manifest:
    """Read the manifest of a generation.

    Raises:
        GenerationError: it cannot be read, differs from its own checksum, or has another format.
    """
    return _read(folder / MANIFEST, Manifest)[0]


def segment_manifest(folder: Path, entry: SegmentEntry | None = None) -> SegmentManifest:
    """Read the manifest of a segment, which must be the one that a generation names, if `entry` is given.

    Raises:
        GenerationError: it cannot be read, or it is another one.
    """
    manifest, sha256 = _read(folder / SEGMENT, SegmentManifest)
    if entry and (sha256, manifest.videos) != (entry.sha256, entry.videos):
        raise GenerationError(f"{folder / SEGMENT} is another one than the generation names: {REBUILD}")
    return manifest


def _read(path: Path, kind: type[Sealed]) -> tuple[Sealed, str]:
    try:
        raw = path.read_bytes()
        found = json.loads(raw)
        if isinstance(found, dict) and found.get("format") != FORMAT:
            raise GenerationError(refusal(path.parent, found, FORMAT))
        manifest = kind.model_validate(found)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise GenerationError(f"{path.parent} has no readable manifest ({error}): {REBUILD}") from error
    if manifest.manifest_sha256 != _own_sum(raw):
        raise GenerationError(f"{path} differs from its own checksum: {REBUILD}")
    if manifest.name != path.parent.name.removeprefix(BUILDING):
        raise GenerationError(f"{path} is that of {manifest.name[:80]!r}: {REBUILD}")
    return manifest, hashlib.sha256(raw).hexdigest()
