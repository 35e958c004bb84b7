"""The catalog -> a new generation of the index."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ingest.catalog import Catalog
from ingest.progress import ProgressMode
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index import builder
from retrieval.index.documents import document
from retrieval.index.generation import Manifest, current_name, generations_folder, verified_manifest
from scraper.files import make_private

WAIT_S = 60.0  # for the server to erase removed videos, which takes seconds


@dataclass(frozen=True)
class Built:
    """A new generation, and how many videos of the catalog it leaves out."""

    manifest: Manifest
    left_out: int
    bad: Mapping[str, str] = field(default_factory=dict)  # why damaged videos are left out, by id


def build(settings: Settings, encoder: Encoder, *, only_read: bool = False, progress: ProgressMode = "off") -> Built:
    """Build a generation of the videos in the catalog and make it the current one.

    Args:
        only_read: leave out videos whose OCR or transcript is missing.

    Raises:
        RetrievalError: there is nothing to index.
        Locked: another process changes the indexes.
    """
    make_private(settings.indexes)
    # The lock is held from the first read on: what is erased after it would be in the new generation.
    with builder.only_builder(settings.indexes, WAIT_S):
        return _build(settings, encoder, only_read, progress)


def _build(settings: Settings, encoder: Encoder, only_read: bool, progress: ProgressMode) -> Built:
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
    manifest = builder.build(documents, settings.indexes, encoder, only_read=only_read, progress=progress)
    return Built(manifest, total - manifest.videos - len(bad), bad)


def build_if_changed(settings: Settings, encoder_name: str, load_encoder: Callable[[], Encoder]) -> Manifest | None:
    """Build a generation of all videos, unless the current one has the same texts. Return the manifest of the current
    generation, or None if no video has a text.

    Raises:
        Locked: another process changes the indexes.
    """
    make_private(settings.indexes)
    with builder.only_builder(settings.indexes, WAIT_S):  # from the first read on, as above
        return _build_if_changed(settings, encoder_name, load_encoder)


def _build_if_changed(settings: Settings, encoder_name: str, load_encoder: Callable[[], Encoder]) -> Manifest | None:
    with Catalog(settings.data, read_only=True) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids())]
    documents = [made for made in documents if made.findable]
    if not documents:
        return None
    try:
        current = verified_manifest(generations_folder(settings.indexes) / current_name(settings.indexes))
        if (current.corpus_sha256, current.encoder) == (builder.corpus_sha256(documents), encoder_name):
            return current
    except GenerationError:  # there is none, or it is damaged and must be built again
        pass
    return builder.build(documents, settings.indexes, load_encoder())
