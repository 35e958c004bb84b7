"""Many small segments -> few: joined without their deleted videos, without encoding, and without the catalog.

Each build writes a segment of what is new, and every search looks into every segment. So small ones are joined, each
video about as often as its segment doubles its size.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.index import publish
from retrieval.index.builder import deleted_of, entry_of
from retrieval.index.generation import OwnFiles, own_files
from retrieval.index.layout import SEGMENT_VIDEOS, current_name, generations_folder, segments_folder
from retrieval.index.lock import only_builder
from retrieval.index.manifest import Manifest
from retrieval.index.publish import delete_unused_segments
from retrieval.index.segment import Used, open_segment
from retrieval.index.segment_writer import write_merged

log = logging.getLogger(__name__)

FULL = SEGMENT_VIDEOS // 2  # a segment of more videos is joined with no other
MAX_SMALL = 8  # segments that are not full
MAX_DELETED = 0.5  # of a segment's videos; it is written again without them then


@dataclass(frozen=True)
class Size:
    """How many videos a segment has, and how many of them are not deleted."""

    videos: int
    alive: int


def to_merge(sizes: Sequence[Size]) -> list[list[int]]:
    """Return which segments to join, as groups of their numbers.

    The smallest are joined if there are more than MAX_SMALL, and the next larger ones with them as long as each is no
    larger than all before it together. If that fills a segment, the same is done with those that are left: a first
    build of a million videos makes 62.
    """
    small = sorted((size.alive, number) for number, size in enumerate(sizes) if size.alive <= FULL)
    groups: list[list[int]] = []
    while len(small) > MAX_SMALL:
        count, total = 0, 0
        for alive, _ in small:
            wanted = len(small) - MAX_SMALL + 1
            if total + alive > SEGMENT_VIDEOS or (count >= wanted and alive > total):
                break
            count, total = count + 1, total + alive
        groups.append(sorted(number for _, number in small[:count]))
        small = small[count:]
        if total <= FULL:
            break
    joined = {number for group in groups for number in group}
    emptied = [n for n, size in enumerate(sizes) if size.alive < MAX_DELETED * size.videos and n not in joined]
    return groups + [[n] for n in emptied]


def merge(indexes: Path) -> Manifest | None:
    """Join segments of the current generation if it has too many. Publish a generation with the same content in its
    place, or return None if there is nothing to join.

    Raises:
        GenerationError: a segment is damaged.
        Locked: another process changes `indexes`.
    """
    with only_builder(indexes):
        old = current_name(indexes)
        own = own_files(generations_folder(indexes) / old)
        groups = to_merge(_sizes(own))
        if not groups:
            return None
        used = _opened(indexes, own)
        joined: dict[int, list[int]] = {group[0]: group for group in groups}
        gone = {number for group in groups for number in group[1:]}
        after: list[Used] = []
        hubs = []
        before = np.split(own.hubs, np.cumsum([one.segment.videos for one in used])[:-1], axis=1)
        for number, one in enumerate(used):
            if number in joined:
                group = [used[other] for other in joined[number]]
                entry = write_merged(group, indexes)
                segment = open_segment(segments_folder(indexes), entry).load(check=True)
                after.append(Used(segment, np.ones(segment.videos, np.bool_)))
                hubs += [before[other][:, used[other].alive] for other in joined[number]]
            elif number not in gone:
                after.append(one)
                hubs.append(before[number])
        manifest = own.manifest.model_copy(update={"segments": tuple(map(entry_of, after))})
        manifest = publish.publish(indexes, manifest, deleted_of(after), np.concatenate(hubs, axis=1), own.empty)
        publish.delete(indexes, [old])  # it has the same content
        delete_unused_segments(indexes)
    log.info("joined %d segments of the index", sum(map(len, groups)))
    return manifest


def _sizes(own: OwnFiles) -> list[Size]:
    ends = np.cumsum([entry.videos for entry in own.manifest.segments])
    alive = [int(np.count_nonzero(one)) for one in np.split(own.alive, ends[:-1])]
    return [Size(entry.videos, count) for entry, count in zip(own.manifest.segments, alive, strict=True)]


def _opened(indexes: Path, own: OwnFiles) -> list[Used]:
    ends = np.cumsum([entry.videos for entry in own.manifest.segments])
    parts = zip(own.manifest.segments, np.split(own.alive, ends[:-1]), strict=True)
    return [Used(open_segment(segments_folder(indexes), entry), alive) for entry, alive in parts]
