"""Erase removed videos: from generations and the vector cache, media, reports, copies, and the catalog, in this order.

Each step can be repeated. The catalog knows until the last one what is being erased, so that the next process finishes
what a killed one has begun. docs/how-to/remove-videos.md has the order for people.
"""

import contextlib
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.catalog import Catalog
from ingest.catalog.database import COPIES, FILE_NAME, is_busy
from ingest.catalog.removals import Removal
from ingest.models.weights import WeightsError
from retrieval.corpus.recorded_encoder import RecordedEncoder
from retrieval.embedding.cache_file import text_key
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError
from retrieval.index import builder
from retrieval.index.documents import Document, document
from retrieval.index.generation import (
    CACHE_FILE,
    CURRENT,
    Manifest,
    current_name,
    generation_names,
    generations_folder,
    read_manifest,
)
from scraper.errors import Locked
from scraper.files import fsync

log = logging.getLogger(__name__)

EVALUATIONS = "evaluations"  # the results of measurements from the page; each names the videos that it ranked
UPLOADS = "uploads"  # what the page received; after an addition that was stopped, the files are still there
LOCK = ".removal.lock"
WAIT_S = 600.0  # for a build that is running, or a process that writes to the catalog
RETRY_S = 0.5


@dataclass
class Erased:
    """What an erasure has done. Names of generations and files are those that were deleted."""

    videos: list[str] = field(default_factory=list)
    memberships: int = 0
    generations: list[str] = field(default_factory=list)
    new_generation: str = ""
    left_out: int = 0  # videos that the new generation lacks because their texts cannot be encoded now
    reports: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether there was anything to erase."""
        return bool(self.videos or self.memberships or self.generations)


def erase(data: Path, indexes: Path, now: Collection[str] = ()) -> Erased:
    """Erase everything whose time to undo is over, and the removed videos `now` at once.

    Raises:
        Locked: another process builds an index, or uses the catalog, for longer than WAIT_S.
    """
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return _erase(data, indexes, now)
        except (Locked, sqlite3.OperationalError) as error:
            busy = isinstance(error, Locked) or is_busy(error)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def finish(data: Path, indexes: Path) -> Erased:
    """Erase what is due, also what a killed process has left. Nothing is loaded if there is nothing."""
    if not (data / FILE_NAME).is_file():
        return Erased()
    with Catalog(data, read_only=True) as catalog:
        due, removed = catalog.removals.next_due(), catalog.removals.final()
    if (due is not None and due <= time.time()) or _having(indexes, removed):
        return erase(data, indexes)
    return Erased()


def _erase(data: Path, indexes: Path, now: Collection[str]) -> Erased:
    with _only_eraser(data), Catalog(data) as catalog:
        removals = catalog.removals.claim(now)
        videos = sorted({removal.video_id for removal in removals if not removal.list})
        changed = {removal.video_id for removal in removals}
        erased = Erased(videos, sum(bool(removal.list) for removal in removals))
        _erase_from_indexes(catalog, indexes, changed, erased)
        if not removals:
            return erased
        _erase_media(catalog, videos)
        _erase_reports(data, videos, erased)
        _erase_copies(data, erased)
        _erase_rows(catalog, removals)
    return erased


@contextlib.contextmanager
def _only_eraser(data: Path) -> Iterator[None]:
    """Hold the lock of erasing.

    Raises:
        Locked: another process or thread holds it.
    """
    try:
        with FileLock(data / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another process erases videos in {data}: wait until it is done") from error


# -- generations and the vector cache --------------------------------------------------------------------------------


def _erase_from_indexes(catalog: Catalog, indexes: Path, changed: Collection[str], erased: Erased) -> None:
    """Publish a generation without what is erased, and delete all that have it, with the vectors only they needed."""
    if not indexes.is_dir():
        return
    with builder.only_builder(indexes):
        old = _having(indexes, {*changed, *catalog.removals.final()})
        texts = {
            text for video in erased.videos if (entry := catalog.removed(video)) for text in _texts(document(entry))
        }
        if old:
            erased.new_generation, erased.left_out = _replace_current(catalog, indexes, old)
        if old or texts:
            _forget_vectors(indexes, old, texts)
        builder.delete(indexes, old)
        erased.generations = old


def _having(indexes: Path, ids: Collection[str]) -> list[str]:
    """Return the generations that have any of these videos, and those whose videos cannot be read."""
    if not ids:
        return []
    wanted = set(ids)
    return [name for name in generation_names(indexes) if (has := _videos(indexes, name)) is None or wanted & has]


def _videos(indexes: Path, name: str) -> set[str] | None:
    try:
        return set(json.loads((generations_folder(indexes) / name / "videos.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _replace_current(catalog: Catalog, indexes: Path, old: Sequence[str]) -> tuple[str, int]:
    """Publish a generation without removed videos if the current one is among `old`. Return its name, and how many
    videos it lacks because their texts have changed and cannot be encoded."""
    try:
        current = current_name(indexes)
    except GenerationError:
        return "", 0
    if current not in old:
        return "", 0
    try:
        manifest, had = read_manifest(indexes, current), _videos(indexes, current)
    except GenerationError:  # of an older format: it answers nothing, and cannot be made again from itself
        had = None
    if had is None:
        (indexes / CURRENT).unlink(missing_ok=True)
        return "", 0
    # what can still be undone stays in the index, where it is hidden: an undo must bring it back into answers
    undoable = (catalog.removed(video_id) for video_id in catalog.removals.hidden() - catalog.removals.final())
    entries = chain(catalog.entries(catalog.ids(usable=manifest.only_read)), undoable)
    documents = sorted((document(entry) for entry in entries if entry), key=lambda doc: doc.id)
    documents = [doc for doc in documents if doc.id in had and doc.findable]
    return _build(documents, indexes, manifest)


def _build(documents: Sequence[Document], indexes: Path, manifest: Manifest) -> tuple[str, int]:
    encoders, left_out = [RecordedEncoder(used) for used in manifest.encoders], 0
    while documents:
        try:
            built = builder.build(documents, indexes, *encoders, only_read=manifest.only_read)
            return built.name, left_out
        except WeightsError as error:
            log.warning("videos with changed texts are left out until the next build: %s", error)
            cache, texts = VectorCache(indexes / CACHE_FILE), {text for doc in documents for text in _texts(doc)}
            cached = set.intersection(*(cache.has(encoder, texts) for encoder in encoders))
            kept = [doc for doc in documents if cached.issuperset(_texts(doc))]
            if len(kept) == len(documents):
                raise
            documents, left_out = kept, left_out + len(documents) - len(kept)
    (indexes / CURRENT).unlink(missing_ok=True)  # nothing is left to search
    return "", left_out


def _forget_vectors(indexes: Path, old: Sequence[str], texts: Collection[str]) -> None:
    """Delete the vectors of the texts that only the generations `old` have, and of `texts` that no other one has."""
    kept = {key for name in generation_names(indexes) if name not in old for key in _keys(indexes, name)}
    gone = {key for name in old for key in _keys(indexes, name)} | {text_key(text) for text in texts}
    if (indexes / CACHE_FILE).is_file():
        VectorCache(indexes / CACHE_FILE).forget(gone - kept)


def _keys(indexes: Path, name: str) -> Iterator[bytes]:
    path = generations_folder(indexes) / name / "passages.sqlite"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            for (text,) in db.execute("SELECT text FROM passages"):
                yield text_key(text)
    except sqlite3.Error as error:
        log.warning("the passages of generation %s cannot be read: %s", name, error)


def _texts(doc: Document) -> list[str]:
    return [passage.text for of_field in doc.passages.values() for passage in of_field]


# -- the data folder -------------------------------------------------------------------------------------------------


def _erase_media(catalog: Catalog, videos: Sequence[str]) -> None:
    """Delete the files of videos and the folders that are empty then, also what the page has kept of an upload that was
    stopped. Files outside of the data folder stay."""
    root = catalog.data.resolve()
    media = [(catalog.data / relative, root) for relative in catalog.removals.media_paths(videos)]
    uploaded = [(Path(path), root / UPLOADS) for path in catalog.removals.origins(videos)]
    changed = set()
    for path, inside in (*media, *uploaded):
        if path.resolve().is_relative_to(inside):
            path.unlink(missing_ok=True)
            changed.add(path.parent)
    for video in videos:
        folder = catalog.data / "media" / video[-2:] / video
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # other videos are in it, or there is none
            folder.parent.rmdir()
        changed |= {folder.parent, folder.parent.parent}
    for folder in changed:  # or a power cut brings the files back, after the catalog has forgotten them
        if folder.is_dir():
            fsync(folder)


def _erase_reports(data: Path, videos: Sequence[str], erased: Erased) -> None:
    """Delete the results of measurements that name a video. They quote it, and a part of a report would mislead."""
    wanted = [video.encode() for video in videos]
    folder = data / EVALUATIONS
    for job in sorted(folder.iterdir()) if folder.is_dir() else ():
        if job.is_dir() and not job.is_symlink() and any(_mentions(path, wanted) for path in job.rglob("*")):
            shutil.rmtree(job)
            erased.reports.append(job.name)


def _mentions(path: Path, wanted: Sequence[bytes]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    content = path.read_bytes()
    return any(one in content for one in wanted)


def _erase_copies(data: Path, erased: Erased) -> None:
    """Delete copies of the catalog that were made before migrations: they have the removed videos."""
    for copy in sorted(data.glob(COPIES)):
        copy.unlink(missing_ok=True)
        erased.copies.append(copy.name)


def _erase_rows(catalog: Catalog, removals: Sequence[Removal]) -> None:
    catalog.removals.erase()
    catalog.database.compact()
    catalog.removals.finish(removals)
