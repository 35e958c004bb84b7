"""Generations: everything a search needs in one folder, built aside, verified, switched to by one atomic rename.

The order of writes, and why a crash between any two is harmless, is told in docs/explanation/generations.md.
"""

import json
import sqlite3
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.errors import GenerationError
from retrieval.index.analysis import TERMS
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS, Mark, Passage
from retrieval.index.metadata import MetadataIndex
from retrieval.index.phrases import PhraseIndex
from scraper.files import sha256

FORMAT = 2  # raised when a file of a generation changes its meaning; older ones are then refused and rebuilt
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
CACHE_FILE = "vectors.sqlite"
BUILDING = ".building-"
_REBUILD = "run `python -m retrieval build`, or `rollback` to an earlier generation"


class FusionWeights(BaseModel):
    """How much each part counts: the lanes' parts against each other, and each field within its lane.

    In the dense lane the overview carries nearly all: single fields hold a little, which names the passage and the
    second that match, and more of it neither helped nor hurt on the questions tried (docs/explanation/scoring.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dense_lane: float = 1.5
    words: float = 0.45
    grams: float = 0.45
    pairs: float = 0.1
    dense: dict[str, float] = {OVERVIEW: 1.0} | dict.fromkeys(TEXT_FIELDS, 0.01)
    keyword: dict[str, float] = dict.fromkeys(TEXT_FIELDS, 1.0)


class Manifest(BaseModel):
    """What a generation is: its format, encoder, counts, the state it was built from, and the sha256 of every file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    name: str
    created: str
    encoder: str
    encoder_sha256: str
    encoder_key: str
    dimension: int
    precision: str
    videos: int
    passages: dict[str, int]
    encoded: int
    corpus_sha256: str
    weights: FusionWeights
    files: dict[str, str]


class Generation:
    """An opened, verified generation.

    Raises:
        GenerationError: it is not there, of another format, or a file differs from its manifest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = verified_manifest(folder)
        try:
            self.ids: list[str] = json.loads((folder / "videos.json").read_text(encoding="utf-8"))
            self.dense = {field: DenseIndex.load(folder, field) for field in FIELDS}
            self.keyword = {name: KeywordIndex.load(folder, name) for name in TERMS}
            self.phrases = PhraseIndex.load(folder)
            self.metadata = MetadataIndex.load(folder)
            uri = (folder / "passages.sqlite").resolve().as_uri()
            self._passages = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            self._passages.execute("SELECT text, marks FROM passages LIMIT 1").fetchone()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, sqlite3.Error) as error:
            raise GenerationError(f"{folder} cannot be loaded ({error}): {_REBUILD}") from error
        self.positions = {video_id: n for n, video_id in enumerate(self.ids)}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.manifest.name

    def close(self) -> None:
        self._passages.close()

    def passages(self, field: str, rows: range) -> list[Passage]:
        """The passages of a field by row."""
        with self._lock:
            found = self._passages.execute(
                "SELECT text, marks FROM passages WHERE field = ? AND row >= ? AND row < ? ORDER BY row",
                (FIELDS.index(field), rows.start, rows.stop),
            ).fetchall()
        return [Passage(text, tuple(Mark(*mark) for mark in json.loads(marks))) for text, marks in found]


def open_current(indexes: Path) -> Generation:
    """The generation that answers now.

    Raises:
        GenerationError: there is none, or it is refused.
    """
    return Generation(generations_folder(indexes) / current_name(indexes))


def open_named(indexes: Path, name: str) -> Generation:
    """A finished generation by its name.

    Raises:
        GenerationError: there is none of this name, or it is refused.
    """
    if name not in generation_names(indexes):
        raise GenerationError(f"no generation {name[:80]!r} in {indexes}")
    return Generation(generations_folder(indexes) / name)


def current_name(indexes: Path) -> str:
    """The name in CURRENT."""
    try:
        name = (indexes / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise GenerationError(f"no index in {indexes}: make one with `python -m retrieval build`") from error
    if name not in generation_names(indexes):
        raise GenerationError(
            f"{indexes / CURRENT} names {name!r}, which is not there: run `python -m retrieval rollback` or `build`"
        )
    return name


def generation_names(indexes: Path) -> list[str]:
    """All finished generations, oldest first."""
    folder = generations_folder(indexes)
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def build_running(indexes: Path) -> bool:
    """Whether a generation is being built aside (or a build was killed, and none has cleared that away)."""
    return any(generations_folder(indexes).glob(f"{BUILDING}*"))


def read_manifest(indexes: Path, name: str) -> Manifest:
    """The manifest of a generation, its files not checked."""
    return _read_manifest(generations_folder(indexes) / name)


def generations_folder(indexes: Path) -> Path:
    return indexes / "generations"


def _read_manifest(folder: Path) -> Manifest:
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise GenerationError(f"{folder} has format {raw.get('format')}, this program reads {FORMAT}: {_REBUILD}")
        return Manifest.model_validate(raw)
    except (OSError, ValueError, ValidationError) as error:
        raise GenerationError(f"{folder} has no readable manifest ({error}): {_REBUILD}") from error


def verified_manifest(folder: Path) -> Manifest:
    manifest = _read_manifest(folder)
    for name, wanted in manifest.files.items():
        path = folder / name
        if not path.is_file() or sha256(path) != wanted:
            raise GenerationError(
                f"{path} {'differs from its manifest' if path.is_file() else 'is missing'}: {_REBUILD}"
            )
    return manifest
