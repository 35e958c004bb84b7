"""Erase removed videos from the index folder: from segments, generations, and the vector cache."""

import json
import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ingest.catalog import Catalog
from ingest.models.weights import WeightsError
from retrieval.corpus.recorded_encoder import RecordedEncoder
from retrieval.embedding.cache_file import text_key
from retrieval.embedding.cached_pictures import picture_text
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError, UnreadableNow
from retrieval.index import builder, publish
from retrieval.index.builder import Corpus
from retrieval.index.documents import Document, document
from retrieval.index.generation import EMPTY, OwnFiles, own_files
from retrieval.index.keys import key_of
from retrieval.index.layout import (
    CACHE_FILE,
    CURRENT,
    current_name,
    generation_names,
    generations_folder,
    segment_names,
    segments_folder,
)
from retrieval.index.lock import only_builder
from retrieval.index.manifest import Manifest
from retrieval.index.passages import texts_in
from retrieval.index.seen import names_of_parts, pictures_in
from retrieval.index.segment import Segment, Used, ids_in, open_segment
from retrieval.index.segment_writer import write_merged
from retrieval.index.verified import unreadable

# Files of a generation of an earlier format.
OLD_IDS = "videos.json"
OLD_PASSAGES = "passages.sqlite"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gone:
    """What was deleted: generations by name, the one that has replaced the current one, and how many videos that lacks
    because their texts have changed and cannot be encoded now."""

    generations: list[str] = field(default_factory=list)
    new_generation: str = ""
    left_out: int = 0


def erase_from_indexes(catalog: Catalog, indexes: Path, changed: Collection[str], videos: Collection[str]) -> Gone:
    """Publish a generation without what is erased, and delete all generations and segments that have it, with the
    vectors that only they needed.

    Args:
        changed: the ids of all videos of which something is erased.
        videos: those that are erased as a whole.
    """
    if not indexes.is_dir():
        return Gone()
    new_generation, left_out = "", 0
    with only_builder(indexes, brief=True):
        ids = {*changed, *catalog.removals.final()}
        found = having(indexes, ids)
        texts = {text for video in videos if (entry := catalog.removed(video)) for text in _texts(document(entry))}
        keys = _keys_of(indexes, found, texts)  # a new generation may delete segments that no other one has
        if found:
            new_generation, left_out = _replace_current(catalog, indexes, found, ids)
        if keys:
            _forget_vectors(indexes, found, keys)
        publish.delete(indexes, found.generations)
        publish.delete_segments(indexes, sorted({*found.segments}.intersection(segment_names(indexes))))
        _forget_pictures(indexes)
    return Gone(found.generations, new_generation, left_out)


@dataclass(frozen=True)
class Having:
    """The segments that have a video, and the generations that have one of them or know the video themselves."""

    segments: list[str]
    generations: list[str]

    def __bool__(self) -> bool:
        return bool(self.segments or self.generations)


def having(indexes: Path, ids: Collection[str]) -> Having:
    """Return what has any of these videos, deleted or not, and what is damaged.

    Raises:
        UnreadableNow: the list of the videos of a segment is there and cannot be read.
    """
    if not ids:
        return Having([], [])
    wanted = set(ids)
    segments = [
        name
        for name in segment_names(indexes)
        if (has := ids_in(segments_folder(indexes) / name)) is None or wanted & has
    ]
    generations = [name for name in generation_names(indexes) if _names_any(indexes, name, set(segments), wanted)]
    return Having(segments, generations)


def _names_any(indexes: Path, name: str, segments: set[str], ids: set[str]) -> bool:
    folder = generations_folder(indexes) / name
    named = publish.segments_named_by(folder)
    if named is None or segments.intersection(named) or set(named) - {*segment_names(indexes)}:
        return True
    # a generation of an earlier format has its videos in its own folder
    known = _ids_in_file(folder / (EMPTY if named else OLD_IDS))
    return known is None or bool(ids & known)


def _ids_in_file(path: Path) -> set[str] | None:
    """Return the ids in a file of a generation; None if it is missing or damaged."""
    try:
        return set(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        if isinstance(found := unreadable(path, error), UnreadableNow):
            raise found from error
        return None
    except (ValueError, TypeError, RecursionError):
        return None


def _replace_current(catalog: Catalog, indexes: Path, found: Having, ids: Collection[str]) -> tuple[str, int]:
    """Publish a generation without what is erased if the current one has it. Return its name, and how many videos it
    lacks because their texts have changed and cannot be encoded.

    Its other segments stay as they are. Those that have an erased video are written again without it, and videos of
    which only a part is erased are indexed again.
    """
    try:
        current = current_name(indexes)
    except GenerationError:
        return "", 0
    if current not in found.generations:
        return "", 0
    try:
        own = own_files(generations_folder(indexes) / current)
    except UnreadableNow:
        raise
    except GenerationError:  # of an older format: it answers nothing, and cannot be made again from itself
        (indexes / CURRENT).unlink(missing_ok=True)
        return "", 0
    manifest = own.manifest
    kept, again = _without(indexes, own, found, ids)
    erased_from = "" if again is None else manifest.corpus_sha256
    if again is None:
        again = {*catalog.ids()}.difference(kept)
    # what can still be undone stays in the index, where it is hidden: an undo must bring it back into answers
    undoable = catalog.removals.hidden() - catalog.removals.final()
    again &= {*catalog.ids(usable=manifest.only_read), *undoable}
    wanted = kept | {one: key_of([of_video]) for one, of_video in catalog.sums(sorted(again)).items()}

    def documents(ids: Sequence[str]) -> Iterator[Document]:
        entries = ((catalog.removed(one) if one in undoable else catalog.get(one)) for one in ids)
        yield from (document(entry) for entry in entries if entry)

    without = frozenset(found.segments)
    corpus = Corpus(wanted, documents, "keys", manifest.only_read, without, erased_from=erased_from)
    return _build(corpus, indexes, manifest)


def _without(
    indexes: Path, own: OwnFiles, found: Having, ids: Collection[str]
) -> tuple[dict[str, bytes], set[str] | None]:
    """Write the segments of a generation that have any of these videos again without them.

    Returns:
        the keys of the videos that stay as they are, and the videos to index again: None if a segment is so damaged
        that these are not known.
    """
    kept: dict[str, bytes] = {}
    again: set[str] = set(own.empty)
    known = True
    first, alive = 0, own.alive
    for entry in own.manifest.segments:
        try:
            segment = open_segment(segments_folder(indexes), entry)
        except UnreadableNow:
            raise
        except GenerationError as error:
            log.warning("the videos of a damaged segment are indexed again: %s", error)
            known = False
            first += entry.videos
            continue
        numbers = np.flatnonzero(alive[first : first + entry.videos]).tolist()
        first += entry.videos
        again.update(segment.ids[number] for number in numbers if segment.ids[number] in ids)
        numbers = [number for number in numbers if segment.ids[number] not in ids]
        if entry.name in found.segments and numbers and not _write_again(segment, numbers, indexes):
            again.update(segment.ids[number] for number in numbers)
            continue
        kept |= {segment.ids[number]: segment.keys[number].tobytes() for number in numbers}
    return kept, again if known else None


def _write_again(segment: Segment, numbers: Sequence[int], indexes: Path) -> bool:
    """Write these videos of a segment to a new one, which the next build takes over. Return whether it is sound."""
    alive = np.zeros(segment.videos, np.bool_)
    alive[numbers] = True
    try:
        write_merged([Used(segment, alive)], indexes)
    except UnreadableNow:
        raise
    except GenerationError as error:
        log.warning("the videos of a damaged segment are indexed again: %s", error)
        return False
    return True


def _build(corpus: Corpus, indexes: Path, manifest: Manifest) -> tuple[str, int]:
    encoders, left_out = [RecordedEncoder(used) for used in manifest.encoders], 0
    while True:
        try:
            return builder.build_corpus(corpus, indexes, *encoders).name, left_out
        except builder.NothingToIndex:
            (indexes / CURRENT).unlink(missing_ok=True)
            return "", left_out
        except WeightsError as error:
            log.warning("videos with changed texts are left out until the next build: %s", error)
            lost = _not_encoded(corpus, indexes, encoders)
            if not lost:
                raise
            left_out += len(lost)
            wanted = {one: key for one, key in corpus.wanted.items() if one not in lost}
            corpus = replace(corpus, wanted=wanted, erased_from="")


def _not_encoded(corpus: Corpus, indexes: Path, encoders: Sequence[RecordedEncoder]) -> set[str]:
    """Return the videos with a text that is not in the vector cache."""
    documents = list(corpus.documents(list(corpus.wanted)))
    cache, texts = VectorCache(indexes / CACHE_FILE), {text for doc in documents for text in _texts(doc)}
    cached = set.intersection(*(cache.has(encoder, texts) for encoder in encoders))
    return {doc.id for doc in documents if not cached.issuperset(_texts(doc))}


def _keys_of(indexes: Path, found: Having, texts: Collection[str]) -> set[bytes]:
    """Return the keys in the vector cache of `texts`, and of all texts of what is deleted."""
    if not (indexes / CACHE_FILE).is_file() or VectorCache(indexes / CACHE_FILE).empty():
        return set()
    old = [segments_folder(indexes) / name for name in found.segments]
    old += [generations_folder(indexes) / name for name in found.generations]
    return {key for folder in old for key in _keys(folder)} | {text_key(text) for text in texts}


def _forget_vectors(indexes: Path, found: Having, keys: set[bytes]) -> None:
    """Delete the vectors of the texts with these keys that nothing has but what is deleted."""
    stay = [segments_folder(indexes) / name for name in segment_names(indexes) if name not in found.segments]
    stay += [generations_folder(indexes) / n for n in generation_names(indexes) if n not in found.generations]
    for folder in stay:
        keys.difference_update(_keys(folder))
    VectorCache(indexes / CACHE_FILE).forget(keys)


def _forget_pictures(indexes: Path) -> None:
    """Delete the files with pictures that no generation has any more, and the vectors of those pictures."""
    names = names_of_parts(indexes)
    if not names:
        return
    before = pictures_in(indexes, names)
    publish.delete_unused_pictures(indexes)
    gone = before - pictures_in(indexes, names_of_parts(indexes))
    if gone and (indexes / CACHE_FILE).is_file():
        VectorCache(indexes / CACHE_FILE).forget({text_key(picture_text(sha256)) for sha256 in gone})


def _keys(folder: Path) -> Iterator[bytes]:
    """Yield the keys of the texts of a segment, or of a generation of an earlier format."""
    path = folder / OLD_PASSAGES
    try:
        if (folder / EMPTY).exists():  # a generation whose texts are in its segments
            return
        if not path.exists():
            yield from map(text_key, texts_in(folder))
            return
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            for (text,) in db.execute("SELECT text FROM passages"):
                yield text_key(text)
    except (sqlite3.Error, OSError, ValueError, KeyError) as error:
        log.warning("the passages in %s cannot be read: %s", folder, error)


def _texts(doc: Document) -> list[str]:
    return [passage.text for of_field in doc.passages.values() for passage in of_field]
