"""The catalog -> a new generation of the index."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalog import Catalog
from ingest.progress import ProgressMode
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.registry import label
from retrieval.embedding.speed import texts_per_s
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index import builder
from retrieval.index.documents import Document, document
from retrieval.index.generation import CACHE_FILE, Manifest, current_name, generations_folder, verified_manifest
from scraper.files import make_private

log = logging.getLogger(__name__)

WORTH_SAYING = 2_000  # texts: a small model encodes fewer in seconds
TIMED = 64  # of them, for the estimate
WAIT_S = 60.0  # for the server to erase removed videos, which takes seconds


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
    with builder.only_builder(settings.indexes, WAIT_S):
        return _build(settings, encoders, only_read, progress, say)


def _build(
    settings: Settings,
    encoders: Sequence[Encoder],
    only_read: bool,
    progress: ProgressMode,
    say: Callable[[str], None],
) -> Built:
    with Catalog(settings.data, read_only=True) as catalog:
        total = len(catalog.ids())
        documents = [document(entry) for entry in catalog.entries(catalog.ids(usable=only_read))]
        bad = catalog.bad
    if not documents:
        advice = (
            "process their media with `tiktok-retrieval run`, or build without --only-read"
            if total
            else "import videos with `tiktok-retrieval import` first"
        )
        raise RetrievalError(f"none of the {total} videos in {settings.data} can be indexed: {advice}")
    for sentence in costs_of_new_encoders(documents, settings.indexes, encoders):
        say(sentence)
    manifest = builder.build(documents, settings.indexes, *encoders, only_read=only_read, progress=progress)
    return Built(manifest, total - manifest.videos - len(bad), bad)


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
    with builder.only_builder(settings.indexes, WAIT_S):  # from the first read on, as above
        return _build_if_changed(settings, encoder_names, load_encoders, say)


def _build_if_changed(
    settings: Settings,
    encoder_names: Sequence[str],
    load_encoders: Callable[[], Sequence[Encoder]],
    say: Callable[[str], None],
) -> Manifest | None:
    with Catalog(settings.data, read_only=True) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids())]
    documents = [made for made in documents if made.findable]
    if not documents:
        return None
    try:
        current = verified_manifest(generations_folder(settings.indexes) / current_name(settings.indexes))
        if (current.corpus_sha256, current.encoder) == (builder.corpus_sha256(documents), label(encoder_names)):
            return current
    except GenerationError:  # there is none, or it is damaged and must be built again
        pass
    encoders = load_encoders()
    for sentence in costs_of_new_encoders(documents, settings.indexes, encoders):
        say(sentence)
    return builder.build(documents, settings.indexes, *encoders)


def costs_of_new_encoders(documents: Sequence[Document], indexes: Path, encoders: Sequence[Encoder]) -> Iterator[str]:
    """Yield a sentence for each encoder that has many texts to encode although most of them are in the index already:
    the index gets one encoder more, or another one."""
    texts = list({passage.text: None for doc in documents for of in doc.passages.values() for passage in of})
    if not (indexes / CACHE_FILE).is_file() or len(texts) < WORTH_SAYING:
        return
    cache = VectorCache(indexes / CACHE_FILE)
    missing = {encoder.name: [*set(texts).difference(cache.has(encoder, texts))] for encoder in encoders}
    known = [name for name, lacks in missing.items() if len(lacks) < WORTH_SAYING]
    for encoder in encoders:
        if (count := len(missing[encoder.name])) < max(WORTH_SAYING, len(texts) // 2):
            continue
        seconds = count / texts_per_s([encoder], missing[encoder.name], TIMED)
        keep = f" `build --encoder {known[0]}` keeps one encoder and encodes nothing." if known else ""
        yield (
            f"{count:,} texts are encoded by {encoder.name}, which this index did not have: about"
            f" {math.ceil(seconds / 60)} min, once.{keep}"
        )
