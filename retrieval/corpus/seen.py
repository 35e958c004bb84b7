"""The pictures of the videos and a vision model -> a generation that can be searched by what was seen."""

import functools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.catalog import Catalog
from ingest.catalog.picture_store import PictureStore, Shown
from ingest.models.weights import WeightsError
from ingest.progress import ProgressMode
from ingest.settings import Settings
from ingest.stages.pictures import run_pictures, sentence
from retrieval.corpus.copies import copies_in
from retrieval.embedding.cached_pictures import PictureNames, picture_text
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError
from retrieval.index import publish
from retrieval.index.builder import TooManyNew
from retrieval.index.copies import Copies
from retrieval.index.generation import OwnFiles, own_files
from retrieval.index.layout import CACHE_FILE, current_name, generations_folder, segments_folder
from retrieval.index.lock import only_builder
from retrieval.index.manifest import Manifest, SeenEntry, UsedVision
from retrieval.index.seen import Seen
from retrieval.index.seen_part import SeenPart, load_part
from retrieval.index.segment import open_segment

if TYPE_CHECKING:
    from retrieval.embedding.vision import VisionEncoder

log = logging.getLogger(__name__)

OFF = "off"  # the name of no vision model
# Questions that mean no video: how near a video is to these says how near it is to any question.
_THINGS = (
    "a person",
    "a face",
    "two people talking",
    "a crowd",
    "a child",
    "a dog",
    "a cat",
    "a bird",
    "a horse",
    "food on a plate",
    "a cake",
    "a cup of coffee",
    "a car",
    "a bicycle",
    "a train",
    "an aeroplane",
    "a street",
    "a house",
    "a kitchen",
    "a bedroom",
    "a garden",
    "a forest",
    "a mountain",
    "a beach",
    "the sea",
    "the sky at night",
    "snow",
    "a city",
    "a shop",
    "a school",
    "an office",
    "a stage",
    "a concert",
    "a football match",
    "a game",
    "a screen with text",
    "a phone",
    "a computer",
    "a book",
    "a toy",
    "a tool",
    "clothes",
    "shoes",
    "a hand",
    "hair",
    "makeup",
    "a dance",
    "a fire",
    "a drawing",
    "a table",
)
PROBES = tuple(form.format(thing) for thing in _THINGS for form in ("{}", "somebody films {}"))


def vision_loader(name: str, *, given: bool) -> "Callable[[], VisionEncoder | None]":
    """Return what loads a vision model once it is needed.

    Args:
        given: whether a person has named it. Otherwise it is that of the index: if its weights are not there now, the
            pictures that the index has stay, with a warning.
    """

    @functools.cache
    def load() -> "VisionEncoder | None":
        from retrieval.embedding.vision import VisionEncoder

        try:
            return VisionEncoder(name)
        except WeightsError as error:
            if given:
                raise
            log.warning("pictures of new videos are not indexed: %s", error)
            return None

    return load


def with_pictures(
    settings: Settings, load: "Callable[[], VisionEncoder | None] | None", progress: ProgressMode = "off"
) -> Manifest | None:
    """Choose the pictures of all videos and publish the current generation with them, or without any if there is no
    model, and with what is known of copies. Return its manifest, or None if it is so already.

    Raises:
        WeightsError: the model cannot be loaded.
        Locked: another process chooses pictures, or changes the indexes.
    """
    if load is None:
        return see(settings.data, settings.indexes, None, drop=True)
    encoder = load()
    if encoder is None:
        return None
    with Catalog(settings.data) as catalog:
        report = run_pictures(catalog, progress=progress)
    if report.failed and progress != "off":
        print(sentence(report), file=sys.stderr)
    return see(settings.data, settings.indexes, encoder, progress=progress)


def index_vision(indexes: Path) -> str:
    """Return the name of the vision model of the current generation; "" if it has none, or there is no index."""
    try:
        vision = own_files(generations_folder(indexes) / current_name(indexes)).manifest.vision
    except GenerationError:
        return ""
    return vision.name if vision else ""


def see(
    data: Path,
    indexes: Path,
    encoder: "VisionEncoder | None",
    *,
    progress: ProgressMode = "off",
    most: int | None = None,
    drop: bool = False,
) -> Manifest | None:
    """Publish the current generation with what its videos show, and which are copies of the same one. Return its
    manifest, or None if it has that already.

    Without a vision model, only the copies are new: the pictures that the index has stay. Vectors are kept in the
    cache while they are made, so a killed run resumes. Pictures that are gone or damaged are left out, with a
    warning.

    Args:
        most: how many pictures may be encoded, if a server follows its catalog; by default all.
        drop: without a vision model, take the pictures out of the index.

    Raises:
        GenerationError: there is no index, or it cannot be read.
        TooManyNew: more than `most` pictures are new.
        Locked: another process changes the indexes.
    """
    with only_builder(indexes, brief=most is not None), PictureStore(data) as store:
        own = own_files(generations_folder(indexes) / current_name(indexes))
        seen: Seen = (None, ()) if drop else (own.manifest.vision, own.manifest.seen)
        if encoder:
            seen = _seen(own, indexes, store, encoder, progress, most)
        copies = known_copies(data, store, own, indexes)
        if (*seen, copies) == (own.manifest.vision, own.manifest.seen, own.copies):
            return None
        return _publish(own, indexes, seen, copies)


def known_copies(data: Path, store: PictureStore, own: OwnFiles, indexes: Path) -> Copies:
    """Return which videos of a generation are copies of the same one, as far as their pictures were chosen."""
    if not store.exists:
        return own.copies
    from ingest.stages.copies import compare  # nobody else needs what it imports

    compare(store)
    if not (pairs := store.copies()):
        return ()
    with Catalog(data, read_only=True) as catalog:
        found = copies_in(catalog, pairs)
    return publish.among_videos(found, indexes, own.manifest, own.deleted)


def _publish(own: OwnFiles, indexes: Path, seen: Seen, copies: Copies | None = None) -> Manifest:
    unchanged = own.manifest.model_copy(update={"encoded": 0})
    return publish.publish(indexes, unchanged, own.deleted, own.hubs, own.empty, seen, copies)


def _seen(
    own: OwnFiles,
    indexes: Path,
    store: PictureStore,
    encoder: "VisionEncoder",
    progress: ProgressMode,
    most: int | None = None,
) -> Seen:
    shown = store.shown()
    segments = [
        [shown.get(video_id, []) for video_id in open_segment(segments_folder(indexes), entry).ids]
        for entry in own.manifest.segments
    ]
    names = PictureNames(encoder, store.webp)
    cache = VectorCache(indexes / CACHE_FILE)
    kept = [_kept(own, indexes, number, of_segment, encoder.key) for number, of_segment in enumerate(segments)]
    new = [of_segment for of_segment, entry in zip(segments, kept, strict=True) if entry is None]
    wanted = sorted({one.sha256 for of_segment in new for of_video in of_segment for one in of_video})
    known = cache.has(names, map(picture_text, wanted))
    if most is not None and len(wanted) - len(known) > most:
        raise TooManyNew(len(wanted) - len(known), "pictures")
    there = [one for one in wanted if picture_text(one) in known or store.webp(one) is not None]
    if len(there) < len(wanted):
        log.warning("%d pictures are damaged: `tiktok-retrieval pictures` makes them again", len(wanted) - len(there))
    vectors, _ = cache.encode(names, [picture_text(one) for one in there], progress=progress)
    by_name = dict(zip(there, vectors, strict=True))
    probes = encoder.queries(PROBES if new else ())
    used = UsedVision(
        name=encoder.name,
        sha256=encoder.sha256,
        key=encoder.key,
        dimension=encoder.dimension,
        precision=encoder.precision,
        toy=encoder.toy,
        language=encoder.language,
    )
    return used, tuple(
        before
        or SeenPart.build([_left(of_video, by_name) for of_video in of_segment], by_name, probes).save(
            indexes, entry.name, encoder.key, own.manifest.seen
        )
        for before, of_segment, entry in zip(kept, segments, own.manifest.segments, strict=True)
    )


def _kept(
    own: OwnFiles, indexes: Path, number: int, shown: Sequence[Sequence[Shown]], vision_key: str
) -> SeenEntry | None:
    """Return the file of a segment's pictures if it has these already, by the same model."""
    vision = own.manifest.vision
    if vision is None or vision.key != vision_key or len(own.manifest.seen) <= number:
        return None
    entry = own.manifest.seen[number]
    try:
        part = load_part(indexes, entry, len(shown), vision.dimension)
    except GenerationError:  # it is damaged, and made again
        return None
    return entry if part.has(shown) else None


def _left(of_video: Sequence[Shown], vectors: Mapping[str, object]) -> list[Shown]:
    return [one for one in of_video if one.sha256 in vectors]
