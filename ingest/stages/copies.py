"""Fingerprints of videos -> the pairs by which those that show the same are connected.

Of many videos that show the same, such as those of one template, each is in one pair at least, and all pairs together
are fewer than the videos. Where many videos are equally long, not all are compared: those are whose hashes are near in
one of several orders.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.catalog.picture_store import Fingerprint, PictureStore
from ingest.copies import HASH_BYTES, LENGTH_S, LENGTH_SHARE, MIRRORED, NEAR_BITS, Hashes, alike, most_apart_s, stacked

COMPARED_AT_ONCE = 8192  # videos whose copies are looked for, and stored, together
EXHAUSTIVE = 1 << 19  # pairs that are all compared: a second of work
ORDERED_FRAMES = 16  # of a video, by whose hashes videos are ordered
NEIGHBOURS = 4  # in each order
BLOCK = 2048  # pairs whose frames are in memory together

Named = tuple[str, Fingerprint]  # a video by its id
Rows = NDArray[np.int64]  # numbers of videos
_KNOWN, _SAME, _MIRRORED = 1, 2, 3  # kinds of pairs, the best first


def compare(store: PictureStore) -> None:
    """Look for copies of the videos that were not compared yet. What a killed run has done stays."""
    while new := store.not_compared(COMPARED_AT_ONCE):
        known: dict[str, list[str]] = defaultdict(list)
        for first, second, _ in store.copies():
            known[first].append(second)
        found = []
        for of_length in _of_like_length([one for one in new if one[1].hashes]):
            first_s, last_s = of_length[0][1].length_s, of_length[-1][1].length_s
            apart = most_apart_s(last_s or 0.0)
            lengths = None if first_s is None or last_s is None else (first_s - apart, last_s + 2 * apart)
            for pair in _pairs({video_id for video_id, _ in of_length}, store.fingerprints(lengths), known):
                known[pair[0]].append(pair[1])
                found.append(pair)
        store.put_copies(new, found)


def _of_like_length(new: Sequence[Named]) -> Iterator[list[Named]]:
    """Yield videos, photo posts first and then the shortest, in groups: the posts, and films of nearly one length."""
    group: list[Named] = []
    for one in new:
        first_s, length_s = group[0][1].length_s if group else None, one[1].length_s
        apart = (length_s or 0.0) - (first_s or 0.0) > most_apart_s(first_s or 0.0)
        if group and ((first_s is None) != (length_s is None) or apart):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _pairs(
    new: set[str], videos: Sequence[Named], known: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, bool]]:
    """Yield pairs of a new video and another that show the same: the smaller id, the other one, and whether one is
    mirrored. They connect those that are connected by no known pair, and are as few as possible.

    Args:
        videos: of nearly the same length, the new ones among them.
        known: second videos of pairs by the first.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    ids = [video_id for video_id, _ in videos]
    place = {video_id: number for number, video_id in enumerate(ids)}
    before = [(place[one], place[other], _KNOWN) for one in ids for other in known.get(one, ()) if other in place]
    edges = np.array(before, np.int64).reshape(-1, 3)
    hashes, is_new = stacked([one for _, one in videos]), np.array([video_id in new for video_id in ids])
    lengths = np.array([one.length_s or 0.0 for _, one in videos])

    def graph() -> coo_array:
        return coo_array((edges[:, 2], (edges[:, 0], edges[:, 1])), shape=(len(ids), len(ids)))

    group = connected_components(graph(), directed=False)[1]
    for one, other in _candidates(hashes, is_new):
        near = np.abs(lengths[one] - lengths[other]) <= np.maximum(LENGTH_S, LENGTH_SHARE * lengths[other])
        asked = near & (is_new[one] | is_new[other]) & (group[one] != group[other])
        if len(more := _edges(hashes, one[asked], other[asked])):
            edges = np.concatenate([edges, more])
            group = connected_components(graph(), directed=False)[1]
    tree = minimum_spanning_tree(graph()).tocoo()
    for one, other, kind in zip(tree.row.tolist(), tree.col.tolist(), tree.data.tolist(), strict=True):
        if kind != _KNOWN:
            yield min(ids[one], ids[other]), max(ids[one], ids[other]), kind == _MIRRORED


def _edges(hashes: Hashes, one: Rows, other: Rows) -> Rows:
    """Return those of the pairs that show the same, with their kinds, shape (pairs, 3)."""
    found = [np.zeros((0, 3), np.int64)]
    for at in range(0, len(one), BLOCK):
        some, others = one[at : at + BLOCK], other[at : at + BLOCK]
        same, mirrored = alike(hashes[some], hashes[others])
        kinds = np.where(same, _SAME, _MIRRORED)
        found.append(np.stack([some, others, kinds], axis=1)[same | mirrored])
    return np.concatenate(found)


def _candidates(hashes: Hashes, is_new: NDArray[np.bool_]) -> Iterator[tuple[Rows, Rows]]:
    """Yield pairs of videos that may show the same, the smaller number first.

    Args:
        hashes: shape (videos, frames, 4).
        is_new: shape (videos,). If it is few pairs, all with a new video come.
    """
    videos, frames, _ = hashes.shape
    if is_new.sum() * videos <= EXHAUSTIVE:
        for one in np.flatnonzero(is_new):
            others = np.flatnonzero(~is_new | (np.arange(videos) > one))
            yield np.minimum(one, others), np.maximum(one, others)
        return
    for frame in np.unique(np.linspace(0, frames - 1, min(frames, ORDERED_FRAMES)).round().astype(int)).tolist():
        shown = np.flatnonzero(hashes[:, frame].any(axis=1))
        yield _neighbours(hashes[shown, frame], shown, videos)


def _neighbours(hashes: Hashes, of_videos: Rows, videos: int) -> tuple[Rows, Rows]:
    """Return the pairs of videos whose hashes, or mirrored ones, are near and neighbours in an order by some bytes.

    Args:
        hashes: of one frame of each, shape (frames, 4).
    """
    both, of_videos = np.concatenate([hashes, hashes ^ MIRRORED]), np.concatenate([of_videos, of_videos])
    octets = both.view(np.uint8)
    octets = np.concatenate([octets, octets[:, :7]], axis=1)
    found = []
    for start in range(HASH_BYTES):
        order = np.argsort(np.ascontiguousarray(octets[:, start : start + 8]).view(np.uint64)[:, 0])
        ordered, numbers = both[order], of_videos[order]
        for apart in range(1, NEIGHBOURS + 1):
            one, other = numbers[:-apart], numbers[apart:]
            near = np.bitwise_count(ordered[:-apart] ^ ordered[apart:]).sum(axis=1) <= NEAR_BITS
            near &= one != other
            found.append(np.minimum(one, other)[near] * videos + np.maximum(one, other)[near])
    one, other = np.divmod(np.unique(np.concatenate(found)), videos)
    return one, other
