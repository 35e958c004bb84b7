"""A segment: a part of the videos of a generation, which never changes, and which several generations may have.

Each component is read, and each of its files checked, when it is first used. A segment that is in use in this process
is not read a second time.
"""

import contextlib
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import GenerationError, UnreadableNow
from retrieval.index.analysis import TERMS
from retrieval.index.dense import DenseIndex
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.layout import state_of
from retrieval.index.manifest import SegmentEntry, SegmentManifest, sealed, segment_manifest
from retrieval.index.metadata_part import MetadataPart
from retrieval.index.passages import PassagePart
from retrieval.index.phrase_part import PhrasePart
from retrieval.index.rows import PassageRows
from retrieval.index.strings import Strings
from retrieval.index.vector_part import VectorPart
from retrieval.index.verified import REBUILD, VerifiedFiles, check_file
from retrieval.index.videos import FILE as LIST
from retrieval.index.videos import VideoPart
from retrieval.index.whole_video import SumPart

Part = TypeVar("Part")


class _OfVideos(Protocol):
    @property
    def videos(self) -> int: ...


PartOfVideos = TypeVar("PartOfVideos", bound=_OfVideos)
_open: "WeakValueDictionary[tuple[Path, str], Segment]" = WeakValueDictionary()  # by folder and sha256 of the manifest
_lock = threading.Lock()
# Bytes, and videos. A smaller segment is read into memory, and what happens to its files later has no effect. A larger
# one is mapped: reading many of them would take too long and too much memory, as those of a build of a million videos.
MAPPED_FROM, MAPPED_VIDEOS = 512 << 20, 8_192


def open_segment(folder: Path, entry: SegmentEntry, *, again: bool = False) -> "Segment":
    """Open a segment of a generation, or return it if it is open in this process.

    Args:
        folder: of all segments.
        again: read it again even then.

    Raises:
        GenerationError: it is missing, or another one than the generation names.
    """
    path = folder / entry.name
    if again:
        return Segment(path, segment_manifest(path, entry))
    key = (path.absolute(), entry.sha256)
    with _lock:
        found = _open.get(key)
        if found is None:
            found = _open[key] = Segment(path, segment_manifest(path, entry))
        return found


def ids_in(folder: Path) -> set[str] | None:
    """Return the ids of all videos of a segment, deleted ones as well; None if its list of them is missing or damaged.

    Raises:
        UnreadableNow: the list is there and cannot be read.
    """
    try:
        found = VerifiedFiles(folder, segment_manifest(folder).files).arrays(LIST)
        return set(Strings.load(found.arrays, "ids"))
    except UnreadableNow:
        raise
    except (GenerationError, ValueError, KeyError):
        return None


class Segment:
    """An opened segment. Videos have the numbers from 0 on, and deleted ones are among them.

    Attributes:
        ids: of the videos.
        keys, contents: shape (videos, KEY_BYTES), see keys.py.
        rows: the passages of each field.
        dense: their vectors: by field, for each encoder.
        parts: for each encoder, what each passage adds to the vector of its whole video.

    Raises:
        GenerationError: (of every component) a file is missing or damaged.
    """

    def __init__(self, folder: Path, manifest: SegmentManifest) -> None:
        self.folder = folder
        self.manifest = manifest
        mapped = manifest.videos >= MAPPED_VIDEOS or size_of_files(folder, manifest) >= MAPPED_FROM
        self._files = VerifiedFiles(folder, manifest.files, mapped=mapped)
        self._reading = threading.RLock()
        self._state = state_of(folder)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def videos(self) -> int:
        """The number of videos, deleted ones as well."""
        return self.manifest.videos

    @cached_property
    def sha256(self) -> str:
        """The sha256 of the file of its manifest."""
        return hashlib.sha256(sealed(self.manifest).encode()).hexdigest()

    def verify(self) -> None:
        """Check the files that were not read yet, or all of them if somebody has written there since.

        Files that are mapped are checked in the latter case only: they were checked when they were written.
        """
        with self._reading:
            state = state_of(self.folder)
            if state != self._state:
                for name, wanted in self.manifest.files.items():
                    check_file(self.folder / name, wanted)
                self._state = state
            if not self._files.mapped:
                self._files.check_rest()

    def load(self, *, check: bool = False) -> "Segment":
        """Read every component, and check all files; with `check`, those that are mapped as well."""
        with self._reading:
            _ = self.of_videos, self.passages, self.dense, self.parts, self.keyword, self.phrases, self.metadata
            self._check_vectors()
            if check and self._files.mapped:
                self._check_mapped()
            self._files.check_rest()
        return self

    def _check_mapped(self) -> None:
        for name, wanted in self.manifest.files.items():
            check_file(self.folder / name, wanted)
        for part in (self.of_videos, self.passages, self.phrases, self.metadata):
            self._checked(part.check)
        for several in (self.dense, self.parts, self.keyword.values()):
            for one in several:
                self._checked(one.check)

    def _check_vectors(self) -> None:
        for (_, dimension), part, sums in zip(self.manifest.encoders, self.dense, self.parts, strict=True):
            for field, vectors in part.fields.items():
                if vectors.codes.shape != (self.rows[field].passages, dimension):
                    raise GenerationError(f"{self.folder} has other vectors of {field} than passages: {REBUILD}")
            if sums.sums.numbers.shape[1] != dimension:
                raise GenerationError(f"{self.folder} has parts of whole videos of another encoder: {REBUILD}")

    @cached_property
    def of_videos(self) -> VideoPart:
        return self._loaded(VideoPart.load)

    @property
    def ids(self) -> Strings:
        return self.of_videos.ids

    @property
    def keys(self) -> NDArray[np.uint8]:
        return self.of_videos.keys

    @property
    def contents(self) -> NDArray[np.uint8]:
        return self.of_videos.contents

    @cached_property
    def passages(self) -> PassagePart:
        return self._loaded(PassagePart.load)

    @cached_property
    def rows(self) -> dict[str, PassageRows]:
        return {field: PassageRows(starts) for field, starts in self.passages.starts.items()}

    @cached_property
    def dense(self) -> list[VectorPart]:
        return [self._checked(partial(VectorPart.load, self._files, number)) for number in range(self._encoders)]

    def vectors(self, field: str, encoder: int) -> DenseIndex:
        """Return the vectors of a field by an encoder, by its number."""
        return DenseIndex([self.dense[encoder].fields[field]], [0, self.videos], self.rows[field])

    @cached_property
    def parts(self) -> list[SumPart]:
        return [self._loaded(partial(SumPart.load, encoder=number)) for number in range(self._encoders)]

    @cached_property
    def keyword(self) -> dict[str, KeywordPart]:
        return {name: self._loaded(partial(KeywordPart.load, analyser=name)) for name in TERMS}

    @cached_property
    def phrases(self) -> PhrasePart:
        return self._loaded(PhrasePart.load)

    @cached_property
    def metadata(self) -> MetadataPart:
        return self._loaded(MetadataPart.load)

    @property
    def _encoders(self) -> int:
        return len(self.manifest.encoders)

    def _loaded(self, load: Callable[[VerifiedFiles], PartOfVideos]) -> PartOfVideos:
        found = self._checked(lambda: load(self._files))
        if found.videos != self.videos:
            raise GenerationError(f"{self.folder} has files of {found.videos} videos, not {self.videos}: {REBUILD}")
        return found

    def _checked(self, read: Callable[[], Part]) -> Part:
        try:
            return read()
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError) as error:
            raise GenerationError(f"{self.folder} cannot be loaded ({error}): {REBUILD}") from error


def size_of_files(folder: Path, manifest: SegmentManifest) -> int:
    """Return how many bytes the files of a segment have; those that are missing have none."""
    found = 0
    for name in manifest.files:
        with contextlib.suppress(OSError):
            found += (folder / name).stat().st_size
    return found


@dataclass(frozen=True)
class Used:
    """A segment of a generation, and which of its videos are not deleted, shape (videos,)."""

    segment: Segment
    alive: NDArray[np.bool_]
