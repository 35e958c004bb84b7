"""A corpus -> a generation: segments that have its videos already are shared, and new ones are written for the rest.

docs/explanation/generations.md has the order of the writes, and why a crash between any two is harmless.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.progress import ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.registry import label, only_language
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError
from retrieval.index.documents import FIELDS, Document
from retrieval.index.generation import OwnFiles, own_files
from retrieval.index.hubness import Hubs, hubness
from retrieval.index.keys import content_of, corpus_sha256
from retrieval.index.layout import CACHE_FILE, current_name, generations_folder, segments_folder
from retrieval.index.lock import only_builder
from retrieval.index.manifest import FORMAT, FusionWeights, Manifest, SegmentEntry, UsedEncoder
from retrieval.index.plan import By, Plan, plan, plan_changes, taken
from retrieval.index.publish import delete_unused_segments, publish
from retrieval.index.segment import Used, open_segment
from retrieval.index.segment_writer import write_segment
from retrieval.index.tuned import tuned_weights
from scraper import files

AT_ONCE = 16_384  # videos of which a build has the documents in memory, and which one new segment has at most

MAX_UNREADABLE = 100  # videos that cannot be read and that are read again to see whether anything has changed

Documents = Callable[[Sequence[str]], Iterable[Document]]


class NothingToIndex(GenerationError):
    """No video has any text."""

    def __init__(self) -> None:
        super().__init__("nothing to index: no video has any text")


class TooManyNew(GenerationError):
    """More videos, or pictures, are new or changed than may be indexed now."""

    def __init__(self, count: int, what: str = "videos") -> None:
        super().__init__(f"{count:,} {what} are new or changed: run `tiktok-retrieval build` to make them searchable")


@dataclass(frozen=True)
class Corpus:
    """What is to be in a generation.

    Attributes:
        wanted: the digest of every video, by id; of those among `changed` only, if these are given.
        documents: makes the documents of some of them, in the same order. It may leave out some.
        by: which digests `wanted` has, see keys.py.
        only_read: whether videos whose OCR or transcript is missing were left out; the manifest says so.
        without: segments that are not used, because something in them is to be erased.
        changed: what may differ from the current generation, which has everything else as it is to be. Not among
            `wanted` are those that are gone.
        erased_from: corpus_sha256 of the generation that it is without what was erased; the manifest says so.
    """

    wanted: Mapping[str, bytes]
    documents: Documents
    by: By = "contents"
    only_read: bool = False
    without: frozenset[str] = frozenset()
    changed: Sequence[str] | None = None
    erased_from: str = ""


def build(
    documents: Sequence[Document],
    indexes: Path,
    *encoders: Encoder,
    cache: Path | None = None,
    only_read: bool = False,
    progress: ProgressMode = "off",
) -> Manifest:
    """Build a generation of `documents`, verify what is new of it by reading it back, and make it the current one.

    Its weights are those tuned for its encoders in `indexes` (see `reweight`), or the defaults. Without an encoder, or
    with one that has no model (KeywordOnly), the generation has no vectors.

    Args:
        cache: the file of the vector cache; by default the one in `indexes`.
        only_read: whether videos whose OCR or transcript is missing were left out; the manifest says so.

    Raises:
        GenerationError: there is nothing to index.
        Locked: another process changes `indexes`.
    """
    by_id = {doc.id: doc for doc in documents if doc.findable}
    if not by_id:
        raise NothingToIndex
    wanted = {video_id: content_of(doc) for video_id, doc in by_id.items()}
    corpus = Corpus(wanted, lambda ids: (by_id[one] for one in ids), "contents", only_read)
    return build_corpus(corpus, indexes, *encoders, cache=cache, progress=progress)


def build_corpus(
    corpus: Corpus,
    indexes: Path,
    *encoders: Encoder,
    cache: Path | None = None,
    progress: ProgressMode = "off",
    before: Callable[[Sequence[Document], float], None] = lambda _documents, _times: None,
    most: int | None = None,
) -> Manifest:
    """Build a generation of a corpus, as `build` does, without having all documents at once.

    Args:
        before: gets the first documents that are indexed, and how many times as many there are in all.
        most: how many videos may be indexed, if a server follows its catalog; by default as many as are new or changed.

    Raises:
        NothingToIndex: no video has any text.
        TooManyNew: more than `most` are new or changed.
        Locked: another process changes `indexes`.
    """
    files.make_private(indexes)
    with only_builder(indexes):
        with_model = [encoder for encoder in encoders if encoder.dimension]
        work = _Work(indexes, with_model, VectorCache(cache or indexes / CACHE_FILE), progress)
        work.take(corpus)
        if most is not None and len(work.missing) > most:
            raise TooManyNew(len(work.missing))
        work.index(corpus, before)
        if not work.used:
            raise NothingToIndex
        manifest = work.publish(corpus, follows=most is not None)
        delete_unused_segments(indexes)
    return manifest


def unchanged(corpus: Corpus, indexes: Path, encoder: str) -> Manifest | None:
    """Return the manifest of the current generation if it has these videos and no others, by the encoders of this
    label, and none of its files is damaged. It cannot have those that cannot be read."""
    try:
        folder = generations_folder(indexes) / current_name(indexes)
        own = own_files(folder)
        if corpus.changed is not None:
            empty, found = _take_changes(indexes, own, corpus, corpus.changed)
            if own.manifest.encoder != encoder or empty != own.empty or found.videos != own.manifest.videos:
                return None
            return None if any(True for _ in corpus.documents(found.missing)) else own.manifest
        unreadable = len(corpus.wanted) - own.manifest.videos - len(own.empty)
        if own.manifest.encoder != encoder or not 0 <= unreadable <= MAX_UNREADABLE:
            return None
        if any(corpus.wanted.get(one, b"").hex() != key for one, key in own.empty.items()):
            return None
        alive, first = own.alive, 0
        others = set(corpus.wanted).difference(own.empty) if unreadable else set()
        for entry in own.manifest.segments:
            segment = open_segment(segments_folder(indexes), entry)
            used = alive[first : first + entry.videos]
            if not (taken(segment, corpus.wanted, corpus.by) >= used).all():
                return None
            if unreadable:
                others.difference_update(segment.ids[number] for number in np.flatnonzero(used).tolist())
            first += entry.videos
            segment.verify()
        if any(True for _ in corpus.documents(sorted(others))):
            return None
    except GenerationError:  # there is none, or it is damaged and must be built again
        return None
    return own.manifest


def _take_changes(indexes: Path, own: OwnFiles, corpus: Corpus, changed: Sequence[str]) -> tuple[dict[str, str], Plan]:
    """Return the keys of the videos without text, by id, and what a build does, if all others stay as they are."""
    asked = set(changed)
    stay = {one for one in asked if one in own.empty and corpus.wanted.get(one, b"").hex() == own.empty[one]}
    empty = {one: key for one, key in own.empty.items() if one in stay or one not in asked}
    wanted = {one: key for one, key in corpus.wanted.items() if one not in stay}
    return empty, plan_changes(indexes, own, wanted, changed)


@dataclass
class _Work:
    """The parts of a generation that is being built. `encoded` counts texts by encoder."""

    indexes: Path
    encoders: list[Encoder]
    cache: VectorCache
    progress: ProgressMode
    used: list[Used] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    empty: dict[str, str] = field(default_factory=dict)
    encoded: list[int] = field(default_factory=list)

    def take(self, corpus: Corpus) -> None:
        """Take over what segments have already."""
        self.encoded = [0] * len(self.encoders)
        if corpus.changed is not None:
            own = own_files(generations_folder(self.indexes) / current_name(self.indexes))
            self.empty, found = _take_changes(self.indexes, own, corpus, corpus.changed)
        else:
            known = _empty(self.indexes)
            self.empty = {one: key for one, key in known.items() if corpus.wanted.get(one, b"").hex() == key}
            wanted = {one: key for one, key in corpus.wanted.items() if one not in self.empty}
            encoders = [(one.key, one.dimension) for one in self.encoders]
            found = plan(self.indexes, wanted, encoders, corpus.by, corpus.without)
        self.used, self.missing = found.used, found.missing

    def index(self, corpus: Corpus, before: Callable[[Sequence[Document], float], None]) -> None:
        """Write segments for the videos that are missing. Each that is complete is kept if the build is killed."""
        for start in range(0, len(self.missing), AT_ONCE):
            ids = self.missing[start : start + AT_ONCE]
            documents = list(corpus.documents(ids))
            findable = [doc for doc in documents if doc.findable]
            self.empty |= {doc.id: corpus.wanted[doc.id].hex() for doc in documents if not doc.findable}
            if not findable:
                continue
            if not start:
                before(findable, len(self.missing) / len(ids))
            keys = [corpus.wanted[doc.id] for doc in findable]
            entry, encoded = write_segment(findable, keys, self.indexes, self.encoders, self.cache, self.progress)
            self.encoded = [sum(pair) for pair in zip(self.encoded, encoded, strict=True)]
            segment = open_segment(segments_folder(self.indexes), entry).load(check=True)
            self.used.append(Used(segment, np.ones(segment.videos, np.bool_)))

    def publish(self, corpus: Corpus, *, follows: bool) -> Manifest:
        """Make it the current generation."""
        name = label([encoder.name for encoder in self.encoders])
        known = _known_hubs(self.indexes, self.used, self.encoders)
        hubs = hubness(self.used, len(self.encoders), known, quick=follows)
        manifest = Manifest(
            format=FORMAT,
            name="",
            created="",
            encoder=name,
            encoders=tuple(map(_used_encoder, self.encoders, self.encoded)),
            videos=sum(int(one.alive.sum()) for one in self.used),
            passages={field: _passages(self.used, field) for field in FIELDS},
            encoded=sum(self.encoded),
            corpus_sha256=_corpus(self.used),
            weights=tuned_weights(self.indexes, name) or FusionWeights(),
            only_read=corpus.only_read,
            hubs_of=hubs.of,
            followed=follows,
            erased_from=corpus.erased_from,
            segments=tuple(entry_of(one) for one in self.used),
            files={},
        )
        return publish(self.indexes, manifest, deleted_of(self.used), hubs.values, self.empty)


def entry_of(used: Used) -> SegmentEntry:
    """Return how a generation names a segment."""
    return SegmentEntry(name=used.segment.name, videos=used.segment.videos, sha256=used.segment.sha256)


def deleted_of(used: Sequence[Used]) -> NDArray[np.int64]:
    """Return the numbers of the deleted videos, segment after segment."""
    return np.flatnonzero(~np.concatenate([one.alive for one in used])).astype(np.int64)


def _used_encoder(encoder: Encoder, encoded: int) -> UsedEncoder:
    return UsedEncoder(
        name=encoder.name,
        sha256=encoder.sha256,
        key=encoder.key,
        dimension=encoder.dimension,
        precision=encoder.precision,
        language=only_language(encoder.name),
        encoded=encoded,
    )


def _passages(used: Sequence[Used], name: str) -> int:
    return sum(int(one.segment.rows[name].counts[one.alive].sum()) for one in used)


def _corpus(used: Sequence[Used]) -> str:
    """Return the checksum of all videos that are not deleted."""
    return corpus_sha256(np.concatenate([one.segment.contents[one.alive] for one in used]))


def _empty(indexes: Path) -> dict[str, str]:
    try:
        return own_files(generations_folder(indexes) / current_name(indexes)).empty
    except GenerationError:  # there is none, or it is damaged
        return {}


def _known_hubs(indexes: Path, used: Sequence[Used], encoders: Sequence[Encoder]) -> Hubs | None:
    """Return the hubness that the current generation has of the videos of these segments; NaN of the others."""
    try:
        own = own_files(generations_folder(indexes) / current_name(indexes))
    except GenerationError:
        return None
    if [one.key for one in own.manifest.encoders] != [one.key for one in encoders]:
        return None
    before = np.where(own.alive, own.hubs, np.nan)
    ends = np.cumsum([entry.videos for entry in own.manifest.segments])
    had = {
        entry.name: before[:, end - entry.videos : end]
        for entry, end in zip(own.manifest.segments, ends.tolist(), strict=True)
    }
    unknown = (np.full((len(encoders), one.segment.videos), np.nan, np.float32) for one in used)
    known = [had.get(one.segment.name, nothing) for one, nothing in zip(used, unknown, strict=True)]
    same = list(had) == [one.segment.name for one in used]
    final = (
        same and not own.manifest.followed and np.array_equal(own.alive, np.concatenate([one.alive for one in used]))
    )
    return Hubs(np.concatenate(known, axis=1).astype(np.float32), own.manifest.hubs_of, final)
