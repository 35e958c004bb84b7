"""The videos of a corpus -> which segments have them already, and which videos must be indexed."""

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import GenerationError
from retrieval.index.generation import OwnFiles
from retrieval.index.layout import current_name, generations_folder, segment_names, segments_folder
from retrieval.index.manifest import SEGMENT, SegmentEntry, manifest_in, segment_manifest
from retrieval.index.segment import Segment, Used, open_segment
from retrieval.index.vocabulary import hashes_of
from scraper.files import sha256

log = logging.getLogger(__name__)
By = Literal["keys", "contents"]  # which digests of the videos are compared, see keys.py
MIN_USED = 0.5  # of the videos of a segment that the current generation does not have


@dataclass(frozen=True)
class Plan:
    """What a build does: it takes over the videos of some segments, and indexes those that are `missing`."""

    used: list[Used]
    missing: list[str]

    @property
    def videos(self) -> int:
        """How many videos are taken over."""
        return sum(int(one.alive.sum()) for one in self.used)


def plan(
    indexes: Path,
    wanted: Mapping[str, bytes],
    encoders: Sequence[tuple[str, int]],
    by: By,
    without: Collection[str] = (),
) -> Plan:
    """Find the segments that have videos as they are wanted, by these encoders.

    Segments of the current generation come first, in its order; then those of others, and those that were completed
    since, the newest first: what was just written is not passed over because an earlier one has some of its videos. A
    damaged segment is left out, with a warning: its videos are indexed again.

    Args:
        wanted: the digest of each video.
        encoders: their keys and dimensions, in order.
        without: segments that are not used.
    """
    left, used = dict(wanted), []
    for entry, is_current in _candidates(indexes):
        if not left:
            break
        if entry.name in without:
            continue
        try:
            segment = open_segment(segments_folder(indexes), entry)
            if segment.manifest.encoders != tuple(encoders):
                continue
            found = taken(segment, left, by)
            if not found.any() or (not is_current and found.mean() < MIN_USED):
                continue
            segment.verify()
        except GenerationError as error:
            log.warning("the videos of a damaged segment are indexed again: %s", error)
            continue
        used.append(Used(segment, found))
        for video_id in compress(segment.ids, found.tolist()):
            del left[video_id]
    return Plan(used, sorted(left))


def plan_changes(indexes: Path, own: OwnFiles, wanted: Mapping[str, bytes], changed: Collection[str]) -> Plan:
    """Take over the current generation, but for videos that have changed: without a look at each of the others.

    Args:
        own: the files of the current generation.
        wanted: the key of each of the changed videos that is to be in it.

    Raises:
        GenerationError: a segment is missing or damaged.
    """
    used, alive, first = [], own.alive, 0
    for entry in own.manifest.segments:
        segment = open_segment(segments_folder(indexes), entry)
        segment.verify()
        used.append(Used(segment, alive[first : first + entry.videos]))
        first += entry.videos
    missing = set(wanted)
    for video_id in changed:
        hashes = hashes_of([video_id])
        for one in used:
            for number in one.segment.of_videos.numbers(video_id, hashes):
                if one.alive[number] and one.segment.keys[number].tobytes() == wanted.get(video_id):
                    missing.discard(video_id)
                else:
                    one.alive[number] = False
    return Plan([one for one in used if one.alive.any()], sorted(missing))


def taken(segment: Segment, wanted: Mapping[str, bytes], by: By) -> NDArray[np.bool_]:
    """Return which videos of a segment are as they are wanted, shape (videos,)."""
    digests = np.ascontiguousarray(segment.contents if by == "contents" else segment.keys)
    each = digests.view(f"V{digests.shape[1]}").ravel().tolist()
    pairs = zip(segment.ids, each, strict=True)
    return np.fromiter((wanted.get(one) == digest for one, digest in pairs), np.bool_, len(each))


def _candidates(indexes: Path) -> Iterator[tuple[SegmentEntry, bool]]:
    """Yield all segments, and whether the current generation has them."""
    current: list[SegmentEntry] = []
    with contextlib.suppress(GenerationError):  # there is none, or it is damaged and is built again
        current = list(manifest_in(generations_folder(indexes) / current_name(indexes)).segments)
    yield from ((entry, True) for entry in current)
    for name in sorted(set(segment_names(indexes)) - {entry.name for entry in current}, reverse=True):
        folder = segments_folder(indexes) / name
        try:
            manifest = segment_manifest(folder)
            yield SegmentEntry(name=name, videos=manifest.videos, sha256=sha256(folder / SEGMENT)), False
        except (GenerationError, OSError, ValueError) as error:
            log.warning("a damaged segment is not used: %s", error)
