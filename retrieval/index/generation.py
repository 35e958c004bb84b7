"""Generations: everything that a search needs in one folder. This module reads them; builder.py writes them.

docs/explanation/generations.md describes the files.
"""

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import GenerationError, RetrievalError
from retrieval.index.analysis import TERMS
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.dense import DenseIndex, PassageRows
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS, Mark, Passage
from retrieval.index.metadata import MetadataIndex
from retrieval.index.phrases import PhraseIndex
from retrieval.index.verified import REBUILD, VerifiedFiles, check_file

FORMAT = 3  # incremented when a file changes its meaning; generations of another format must be built again
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
CACHE_FILE = "vectors.sqlite"
LOCK = ".build.lock"  # held by the process that changes the folder
BUILDING = ".building-"  # how the names of unfinished generations begin
State = tuple[tuple[str, int, int, int], ...]
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


class Manifest(BaseModel):
    """The description of a generation: its format, encoders, counts, and the checksums of the corpus and of every file.

    `encoder` has the names of all encoders, joined by " + ", or "bm25" if there is none. `encoded` is how many texts
    were encoded, by all of them. `manifest_sha256` is that of the manifest itself without this value (see `sealed`).
    Earlier versions have none.
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
    files: dict[str, str]
    manifest_sha256: str = ""

    @property
    def encoder_names(self) -> list[str]:
        """The names of all encoders."""
        return [encoder.name for encoder in self.encoders]


class Generation:
    """An opened, verified generation. All of it is in memory: what happens to its files later has no effect.

    `rows` has the passages of each field, and `dense` their vectors: by field, for each encoder of the manifest.
    `state` is that of the files when they were read, see `state_of`.

    Raises:
        GenerationError: it does not exist, has another format, a file differs from the manifest, or a vector does not
            have the length 1.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = state_of(folder)
        self.manifest = _read_manifest(folder)
        files = VerifiedFiles(folder, self.manifest.files)
        try:
            self.ids: list[str] = json.loads(files.read("videos.json"))
            self.rows = {field: PassageRows.load(files, field) for field in FIELDS}
            self.dense = [
                {field: DenseIndex.load(files, rows, field, number) for field, rows in self.rows.items()}
                for number in range(len(self.manifest.encoders))
            ]
            self.keyword = {name: KeywordIndex.load(files, name) for name in TERMS}
            self.phrases = PhraseIndex.load(files)
            self.metadata = MetadataIndex.load(files)
            self._passages = _in_memory(files.read("passages.sqlite"))
            self._passages.execute("SELECT text, marks FROM passages LIMIT 1").fetchone()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, sqlite3.Error) as error:
            raise GenerationError(f"{folder} cannot be loaded ({error}): {REBUILD}") from error
        files.check_rest()
        self.positions = {video_id: n for n, video_id in enumerate(self.ids)}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.manifest.name

    def close(self) -> None:
        self._passages.close()

    def passages(self, field: str, rows: range) -> list[Passage]:
        """Return the passages of a field by row."""
        with self._lock:
            found = self._passages.execute(
                "SELECT text, marks FROM passages WHERE field = ? AND row >= ? AND row < ? ORDER BY row",
                (FIELDS.index(field), rows.start, rows.stop),
            ).fetchall()
        return [Passage(text, tuple(Mark(*mark) for mark in json.loads(marks))) for text, marks in found]


def open_current(indexes: Path) -> Generation:
    """Open the current generation.

    Raises:
        GenerationError: there is none, or it cannot be opened.
    """
    return Generation(generations_folder(indexes) / current_name(indexes))


def open_named(indexes: Path, name: str) -> Generation:
    """Open a finished generation by name.

    Raises:
        GenerationError: there is none of this name, or it cannot be opened.
    """
    if name not in generation_names(indexes):
        raise GenerationError(f"no generation {name[:80]!r} in {indexes}")
    return Generation(generations_folder(indexes) / name)


def current_name(indexes: Path) -> str:
    """Return the name of the current generation.

    Raises:
        GenerationError: there is none.
        RetrievalError: CURRENT cannot be read now, so it is not known which it is.
    """
    try:
        # Exactly as it was written: white space that has changed is damage.
        name = (indexes / CURRENT).read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError as error:
        raise GenerationError(f"no index in {indexes}: run `tiktok-retrieval build`") from error
    except UnicodeError as error:
        raise GenerationError(f"{indexes / CURRENT} is damaged: run `tiktok-retrieval rollback`") from error
    except OSError as error:
        raise RetrievalError(f"{indexes / CURRENT} cannot be read: {error.strerror}") from error
    if name not in generation_names(indexes):
        raise GenerationError(
            f"{indexes / CURRENT} names {name!r}, which does not exist: run `tiktok-retrieval rollback` or"
            " `tiktok-retrieval build`"
        )
    return name


def generation_names(indexes: Path) -> list[str]:
    """Return the names of all finished generations, oldest first."""
    folder = generations_folder(indexes)
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def build_running(indexes: Path) -> bool:
    """Return whether another process builds a generation. What a killed build has left does not count."""
    if not any(generations_folder(indexes).glob(f"{BUILDING}*")):
        return False
    try:
        with FileLock(indexes / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # nobody can build where the lock cannot be opened
        return False


def read_manifest(indexes: Path, name: str) -> Manifest:
    """Read the manifest of a generation without checking its files."""
    return _read_manifest(generations_folder(indexes) / name)


def generations_folder(indexes: Path) -> Path:
    """Return the folder of all generations."""
    return indexes / "generations"


def state_of(folder: Path) -> State:
    """Return name, size, time of change and number of each file in a folder; nothing if it cannot be read.

    As long as it is the same, nobody has written there.
    """
    try:
        found = [(entry.name, entry.stat()) for entry in os.scandir(folder)]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found))


def sealed(manifest: Manifest) -> str:
    """Return the text of a manifest's file, with its own checksum."""
    text = manifest.model_copy(update={"manifest_sha256": "0" * 64}).model_dump_json(indent=1)
    return _OWN_SUM.sub(_own_sum(text.encode()).encode(), text.encode()).decode()


def _own_sum(raw: bytes) -> str:
    """Return the sha256 of a manifest's file without the one that is in it."""
    return hashlib.sha256(_OWN_SUM.sub(b"", raw)).hexdigest()


def _read_manifest(folder: Path) -> Manifest:
    try:
        raw = (folder / MANIFEST).read_bytes()
        found = json.loads(raw)
        if isinstance(found, dict) and found.get("format") != FORMAT:
            raise GenerationError(f"{folder} has format {found.get('format')}, not {FORMAT}: {REBUILD}")
        manifest = Manifest.model_validate(found)
    except (OSError, ValueError, ValidationError) as error:
        raise GenerationError(f"{folder} has no readable manifest ({error}): {REBUILD}") from error
    if manifest.manifest_sha256 and manifest.manifest_sha256 != _own_sum(raw):
        raise GenerationError(f"{folder / MANIFEST} differs from its own checksum: {REBUILD}")
    return manifest


def _in_memory(database: bytes) -> sqlite3.Connection:
    """Return a read-only database that is in memory, for several threads."""
    passages = sqlite3.connect(":memory:", check_same_thread=False)
    passages.deserialize(database)
    passages.execute("PRAGMA query_only = ON")
    return passages


def verified_manifest(folder: Path) -> Manifest:
    """Read a generation's manifest and check every file against it.

    Raises:
        GenerationError: the manifest cannot be read, or a file is missing or different.
    """
    manifest = _read_manifest(folder)
    for name, wanted in manifest.files.items():
        check_file(folder / name, wanted)
    return manifest
