"""The pictures of a generation: found by a question's vector in the space of a vision model, carried over, deleted."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.errors import GenerationError
from retrieval.index.arrays import SUFFIX
from retrieval.index.dense import DenseIndex
from retrieval.index.layout import segments_folder
from retrieval.index.manifest import Manifest, SeenEntry, SegmentEntry, UsedVision
from retrieval.index.rows import Best, PassageRows
from retrieval.index.seen_part import FOLDER, KINDS, SeenPart, load_part
from retrieval.index.segment import open_segment
from scraper import files

log = logging.getLogger(__name__)

Seen = tuple[UsedVision | None, tuple[SeenEntry, ...]]  # what the manifest of a generation says of its pictures


@dataclass(frozen=True)
class SeenPicture:
    """A picture of a video: what it is, when the video shows it, and its sha256 in the picture store."""

    kind: str
    start_s: float | None
    end_s: float | None
    sha256: str


class SeenIndex:
    """The pictures of all videos of a generation, in several segments.

    Args:
        parts: those of each segment.
        starts: the first video of each segment, and how many videos there are.
        alive: which videos are not deleted.
    """

    def __init__(self, parts: Sequence[SeenPart], starts: Sequence[int], alive: NDArray[np.bool_]) -> None:
        rows = np.cumsum([0, *(len(part.kinds) for part in parts)])
        first = [part.starts[:-1] + begin for part, begin in zip(parts, rows.tolist(), strict=False)]
        self.rows = PassageRows(np.concatenate([*first, rows[-1:]]).astype(np.int64), alive)
        hubs = np.concatenate([part.hubs for part in parts])
        self.index = DenseIndex([part.vectors for part in parts], starts, self.rows, hubs)
        self._parts, self._first_rows = parts, rows

    def all_best(self, query: Vectors) -> Best:
        """Return the best picture of every video."""
        return self.index.all_best(query)

    def picture(self, row: int) -> SeenPicture:
        """Return what is known of a picture."""
        number = int(np.searchsorted(self._first_rows, row, side="right")) - 1
        part, local = self._parts[number], row - int(self._first_rows[number])
        start_s, end_s = (None if np.isnan(s) else round(float(s), 2) for s in part.times[local])
        return SeenPicture(KINDS[part.kinds[local]], start_s, end_s, part.sha256[local].tobytes().hex())

    def pictures(self, video: int) -> list[SeenPicture]:
        """Return all pictures of a video, in order."""
        return [self.picture(row) for row in self.rows.of(video)]

    def vector(self, video: int, sha256: str) -> Vectors | None:
        """Return the vector of a picture of a video, shape (dimension,); None if the video has no such one."""
        found = (row for row in self.rows.of(video) if self.picture(row).sha256 == sha256)
        return next((self.index.vector(row) for row in found), None)


def seen_index(indexes: Path, manifest: Manifest, starts: Sequence[int], alive: NDArray[np.bool_]) -> SeenIndex | None:
    """Open the pictures of a generation; None if it was built without a vision model.

    Raises:
        GenerationError: a file is missing or damaged.
    """
    if not manifest.vision or not manifest.segments:
        return None
    return SeenIndex(_parts(indexes, manifest), starts, alive)


def _parts(indexes: Path, manifest: Manifest) -> list[SeenPart]:
    if not manifest.vision or len(manifest.seen) != len(manifest.segments):
        raise GenerationError(
            f"generation {manifest.name} has other pictures than segments: run `tiktok-retrieval build`"
        )
    return [
        load_part(indexes, entry, segment.videos, manifest.vision.dimension)
        for entry, segment in zip(manifest.seen, manifest.segments, strict=True)
    ]


def carried(indexes: Path, manifest: Manifest, alive: NDArray[np.bool_], segments: Sequence[SegmentEntry]) -> Seen:
    """Return what another generation with these segments takes over of the pictures of one.

    A segment that is new gets the pictures of those of its videos that the old generation has.

    Args:
        alive: which videos of the old generation are not deleted.
    """
    if not manifest.vision:
        return None, ()
    try:
        parts = _parts(indexes, manifest)
    except GenerationError as error:
        log.warning("the pictures of the videos are left out until the next build: %s", error)
        return None, ()
    known = {segment.name: entry for segment, entry in zip(manifest.segments, manifest.seen, strict=True)}
    where: dict[str, tuple[int, int]] = {}
    found = []
    for segment in segments:
        if segment.name not in known:
            where = where or _places(indexes, manifest, alive)
            ids = open_segment(segments_folder(indexes), segment).ids
            part = SeenPart.join(parts, [where.get(video_id) for video_id in ids], manifest.vision.dimension)
            known[segment.name] = part.save(indexes, segment.name, manifest.vision.key)
        found.append(known[segment.name])
    return manifest.vision, tuple(found)


def _places(indexes: Path, manifest: Manifest, alive: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    """Return of each video the number of its segment, and its number there."""
    places, first = {}, 0
    for number, entry in enumerate(manifest.segments):
        ids = open_segment(segments_folder(indexes), entry).ids
        for local in np.flatnonzero(alive[first : first + entry.videos]).tolist():
            places[ids[local]] = number, local
        first += entry.videos
    return places


def pictures_in(indexes: Path, names: Iterable[str]) -> set[str]:
    """Return the sha256 of the pictures in files; none of one that cannot be read."""
    from retrieval.index.arrays import read_arrays

    found: set[str] = set()
    for name in names:
        try:
            rows = read_arrays(np.fromfile(indexes / FOLDER / f"{name}{SUFFIX}", np.uint8))["sha256"]
            found.update(row.tobytes().hex() for row in rows)
        except (OSError, ValueError, KeyError) as error:
            log.warning("the pictures in %s cannot be read: %s", name, error)
    return found


def names_of_parts(indexes: Path) -> set[str]:
    """Return the names of all files with pictures, whether a generation has them or not."""
    return {path.stem for path in (indexes / FOLDER).glob(f"*{SUFFIX}")}


def delete_parts(indexes: Path, names: Iterable[str]) -> None:
    """Delete files with pictures, and what a killed build has left. The caller holds the lock."""
    folder = indexes / FOLDER
    if not folder.is_dir():
        return
    for name in names:
        (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
    known = {f"{name}{SUFFIX}" for name in names_of_parts(indexes)}
    for path in folder.iterdir():
        if path.name not in known:
            path.unlink(missing_ok=True)
    files.fsync(folder)
