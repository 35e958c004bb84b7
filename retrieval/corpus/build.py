"""The catalog -> a new generation of the index."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.changes import Mark
from ingest.progress import ProgressMode
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.registry import label
from retrieval.embedding.speed import texts_per_s
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index import builder
from retrieval.index.documents import OVERVIEW, Document, document
from retrieval.index.generation import read_manifest
from retrieval.index.keys import key_of
from retrieval.index.layout import CACHE_FILE, current_name
from retrieval.index.lock import only_builder
from retrieval.index.manifest import Manifest
from retrieval.index.merge import merge
from retrieval.index.publish import prune_followed
from retrieval.index.whole_text import stretches
from scraper.errors import UserError
from scraper.files import make_private

log = logging.getLogger(__name__)

WORTH_SAYING = 2_000  # texts: a small model encodes fewer in seconds
TIMED = 64  # of them, for the estimate
FOLLOWED = 10  # generations that a server has published by itself and that stay, to return to
WAIT_S = 60.0  # for the server to erase removed videos, which takes seconds


LOOK_AGAIN_S = 600.0  # between looks at all videos, while some change: no other program's mistake lasts longer


class OtherEncoders(RetrievalError):
    """The current generation has other encoders than those that were given."""


@dataclass(frozen=True)
class Built:
    """A new generation, and how many videos of the catalog it leaves out."""

    manifest: Manifest
    left_out: int
    bad: Mapping[str, str] = field(default_factory=dict)  # why damaged videos are left out, by id


def build(
    settings: Settings,
    encoders: Sequence[Encoder],
    *,
    only_read: bool = False,
    progress: ProgressMode = "off",
    say: Callable[[str], None] = log.info,
) -> Built:
    """Build a generation of the videos in the catalog and make it the current one.

    Args:
        only_read: leave out videos whose OCR or transcript is missing.
        say: gets a sentence for each encoder that has much to do because the index did not have it before.

    Raises:
        RetrievalError: there is nothing to index.
        Locked: another process changes the indexes.
    """
    make_private(settings.indexes)
    # The lock is held from the first read on: what is erased after it would be in the new generation.
    with only_builder(settings.indexes, WAIT_S):
        return _build(settings, encoders, only_read, progress, say)


def _build(
    settings: Settings,
    encoders: Sequence[Encoder],
    only_read: bool,
    progress: ProgressMode,
    say: Callable[[str], None],
) -> Built:
    source = CatalogCorpus(settings.data, only_read)
    if not source.corpus.wanted:
        advice = (
            "process their media with `tiktok-retrieval run`, or build without --only-read"
            if source.total
            else "import videos with `tiktok-retrieval import` first"
        )
        raise RetrievalError(f"none of the {source.total} videos in {settings.data} can be indexed: {advice}")
    manifest = _build_corpus(source, settings.indexes, encoders, say, progress)
    return Built(manifest, source.total - manifest.videos - len(source.bad), source.bad)


def _build_corpus(
    source: "CatalogCorpus",
    indexes: Path,
    encoders: Sequence[Encoder],
    say: Callable[[str], None],
    progress: ProgressMode = "off",
    most: int | None = None,
) -> Manifest:
    """Build a generation, and join its small segments. Return the manifest of the current generation then."""

    def announce(documents: Sequence[Document], times: float) -> None:
        for sentence in costs_of_new_encoders(documents, indexes, encoders, times):
            say(sentence)

    built = builder.build_corpus(source.corpus, indexes, *encoders, progress=progress, before=announce, most=most)
    try:
        return merge(indexes) or built
    except (UserError, OSError) as error:  # the new videos can be found; the next build joins the segments
        log.warning("the small segments of the index stay as they are: %s", error)
        return built


class CatalogCorpus:
    """The videos of a catalog as a corpus, whose documents are made when they are needed.

    Attributes:
        total: how many videos there are, also those that `only_read` leaves out.
        bad: why damaged videos are left out, by id.
        hidden: the ids of removed videos that may come back.

    Args:
        with_hidden: whether these stay in an index that has them. Every answer leaves them out.
        changed: the ids of the videos that may differ from the current generation; by default all are looked at.
    """

    def __init__(
        self,
        data: Path,
        only_read: bool = False,
        *,
        with_hidden: bool = False,
        changed: Sequence[str] | None = None,
    ) -> None:
        self._data = data
        self.bad: dict[str, str] = {}
        with Catalog(data, read_only=True) as catalog:
            ids = catalog.ids(among=changed)
            self.total = len(ids)
            hidden = catalog.removals.hidden() - catalog.removals.final() if with_hidden else frozenset[str]()
            self.hidden = hidden if changed is None else hidden.intersection(changed)
            sums = catalog.sums([*(catalog.ids(usable=True, among=changed) if only_read else ids), *self.hidden])
        wanted = {video_id: key_of([of_video]) for video_id, of_video in sums.items()}
        self.corpus = builder.Corpus(wanted, self._documents, "keys", only_read, changed=changed)

    def _documents(self, ids: Sequence[str]) -> Iterator[Document]:
        with Catalog(self._data, read_only=True) as catalog:
            yield from map(document, catalog.entries(ids))
            self.bad |= catalog.bad


def build_if_changed(
    settings: Settings,
    encoder_names: Sequence[str],
    load_encoders: Callable[[], Sequence[Encoder]],
    say: Callable[[str], None] = log.info,
) -> Manifest | None:
    """Build a generation of all videos, unless the current one has the same texts. Return the manifest of the current
    generation, or None if no video has a text.

    Raises:
        Locked: another process changes the indexes.
    """
    make_private(settings.indexes)
    with only_builder(settings.indexes, WAIT_S):  # from the first read on, as above
        return _build_if_changed(settings, encoder_names, load_encoders, say)


def _build_if_changed(
    settings: Settings,
    encoder_names: Sequence[str],
    load_encoders: Callable[[], Sequence[Encoder]],
    say: Callable[[str], None],
) -> Manifest | None:
    source = CatalogCorpus(settings.data)
    if not source.corpus.wanted:
        return None
    current = builder.unchanged(source.corpus, settings.indexes, label(encoder_names))
    if current:
        return current
    try:
        return _build_corpus(source, settings.indexes, load_encoders(), say)
    except builder.NothingToIndex:
        return None


class Follower:
    """Keeps an index up to date with its catalog, as long as few videos change at once.

    It looks at those that the catalog names as changed, and now and then at all of them. What was so when it began
    stays so until something changes: after a rollback, it is so on purpose.
    """

    def __init__(self, data: Path, indexes: Path) -> None:
        self._data, self._indexes = data, indexes
        self._seen, _ = self._changed(None)
        self._complete: Manifest | None = None  # of a generation that has all that was seen
        self._too_many = False  # whether more are new than could be indexed
        self._look_at_all(read_manifest(indexes, current_name(indexes)))

    def update(self, encoders: Sequence[Encoder], most: int) -> Manifest | None:
        """Publish a generation if videos have changed since the last call. Return its manifest, or None.

        Args:
            encoders: those of the current generation. They are not changed.
            most: how many videos may be new or changed; more are left to `build`.

        Raises:
            RetrievalError: there is no generation, or it cannot be read.
            OtherEncoders: another process has built a generation with others.
            Locked: another process changes the indexes.
        """
        with only_builder(self._indexes, brief=True):
            manifest = read_manifest(self._indexes, current_name(self._indexes))
            if [used.key for used in manifest.encoders] != [one.key for one in encoders]:
                raise OtherEncoders(f"the index is by {manifest.encoder} now")
            now, changed = self._changed(self._seen)
            if changed == []:
                return None
            if self._too_many:
                changed = None
            found = None
            if not self._has(manifest, changed):
                found = self._build(manifest, encoders, changed if self._is_complete(manifest) else None, most)
            elif self._is_complete(manifest):
                self._complete = manifest
            else:  # now, as nobody waits: the next change can be made alone then
                self._look_at_all(manifest)
            if time.monotonic() > self._looked_at_all + LOOK_AGAIN_S and not self._look_at_all(found or manifest):
                found = self._build(found or manifest, encoders, None, most) or found
            self._seen = now
        return found

    def _has(self, manifest: Manifest, changed: Sequence[str] | None) -> bool:
        """Return whether the current generation has the changed videos as they are; None: all videos."""
        if changed is None:
            return self._look_at_all(manifest)
        source = self._source(manifest, changed)
        return builder.unchanged(source.corpus, self._indexes, manifest.encoder) is not None

    def _is_complete(self, manifest: Manifest) -> bool:
        """Return whether a generation has all that was seen, without what was erased since."""
        if self._complete is None or self._complete.only_read != manifest.only_read:
            return False
        return self._complete.corpus_sha256 in (manifest.corpus_sha256, manifest.erased_from)

    def _look_at_all(self, manifest: Manifest) -> bool:
        """Return whether the current generation has all videos as they are."""
        same = builder.unchanged(self._source(manifest, None).corpus, self._indexes, manifest.encoder)
        self._complete = same
        self._too_many = self._too_many and not same
        self._looked_at_all = time.monotonic()
        return same is not None

    def _source(self, manifest: Manifest, changed: Sequence[str] | None) -> CatalogCorpus:
        return CatalogCorpus(self._data, manifest.only_read, with_hidden=True, changed=changed)

    def _changed(self, since: Mark | None) -> tuple[Mark, list[str] | None]:
        """Return the state of the catalog, and the ids of the videos that have changed; None: any may have."""
        with Catalog(self._data, read_only=True) as catalog:
            return catalog.changes.since(since)

    def _build(
        self, manifest: Manifest, encoders: Sequence[Encoder], changed: Sequence[str] | None, most: int
    ) -> Manifest | None:
        """Build a generation: of all videos if a change cannot be made alone. Return its manifest, or None."""
        self._complete, self._too_many = None, False
        try:
            built = _build_corpus(self._source(manifest, changed), self._indexes, encoders, log.info, most=most)
            prune_followed(self._indexes, FOLLOWED)
            self._complete = built
            return built
        except builder.TooManyNew as error:
            self._too_many = True
            log.warning("%s", error)
        except builder.NothingToIndex:
            pass
        except GenerationError as error:
            if changed is None:
                raise
            log.warning("all videos are looked at: %s", error)
            return self._build(manifest, encoders, None, most)
        return None


def costs_of_new_encoders(
    documents: Sequence[Document], indexes: Path, encoders: Sequence[Encoder], times: float = 1.0
) -> Iterator[str]:
    """Yield a sentence for each encoder that has many texts to encode although most of them are in the index already:
    the index gets one encoder more, or another one, or is of an earlier format.

    Args:
        times: how many times as many documents there are in all.
    """
    texts = list({passage.text: None for doc in documents for of in doc.passages.values() for passage in of})
    if not (indexes / CACHE_FILE).is_file() or len(texts) < WORTH_SAYING:
        return
    cache = VectorCache(indexes / CACHE_FILE)
    missing = {encoder.name: [*set(texts).difference(cache.has(encoder, texts))] for encoder in encoders}
    known = [name for name, lacks in missing.items() if len(lacks) < WORTH_SAYING]
    for encoder in encoders:
        if (count := len(missing[encoder.name])) < max(WORTH_SAYING, len(texts) // 2):
            continue
        seconds = times * count / texts_per_s([encoder], missing[encoder.name], TIMED)
        keep = f" `build --encoder {known[0]}` keeps one encoder and encodes nothing." if known else ""
        yield (
            f"{round(times * count):,} texts are encoded by {encoder.name}, which this index did not have: about"
            f" {math.ceil(seconds / 60)} min, once.{keep}"
        )
    yield from _costs_of_parts(documents, cache, [encoder for encoder in encoders if encoder.name in known], times)


def _costs_of_parts(
    documents: Sequence[Document], cache: VectorCache, encoders: Sequence[Encoder], times: float
) -> Iterator[str]:
    """Yield a sentence for each encoder that encodes whole videos again, for a cache of an earlier version."""
    cut = [(doc.passages[OVERVIEW][0].text, stretches(doc)) for doc in documents if OVERVIEW in doc.passages]
    texts, cuts = [text for text, _ in cut], [tuple(one.at for one in of_text) for _, of_text in cut]
    for encoder in encoders:
        missing = cache.without_parts(encoder, texts, cuts)
        if len(missing) >= max(WORTH_SAYING // 4, len(texts) // 2):  # these are the longest texts
            seconds = times * len(missing) / texts_per_s([encoder], missing, TIMED)
            yield (
                f"{round(times * len(missing)):,} whole videos are encoded by {encoder.name} again, to keep what each"
                f" passage adds to them: about {math.ceil(seconds / 60)} min, once."
            )
