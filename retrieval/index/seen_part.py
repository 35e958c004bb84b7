"""What the videos of a segment show: the unit vectors of their pictures by one vision model, with their seconds.

It is a file of its own, named by what is in it. So segments of texts stay as they are if a vision model is chosen, and
generations share it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.catalog.picture_store import Shown
from retrieval.embedding.encoder import Vectors
from retrieval.errors import GenerationError
from retrieval.index import ragged
from retrieval.index.arrays import SUFFIX, read_arrays, save_arrays, typed
from retrieval.index.field_vectors import FieldVectors
from retrieval.index.manifest import SeenEntry
from retrieval.index.verified import REBUILD, unreadable
from scraper import files

NEAREST = 10  # probes that say how near a video is to any question
FOLDER = "seen"  # in the index folder
KINDS = ("cover", "slide", "video")
BITS = 8
NAME_CHARS = 24


@dataclass(frozen=True)
class SeenPart:
    """The pictures of the videos of a segment, in the order of its videos.

    Attributes:
        starts: shape (videos + 1,): video v has the rows starts[v] to starts[v + 1].
        kinds: of each row, its number in KINDS.
        times: from which to which second a video shows it, shape (rows, 2); NaN for covers and slides.
        sha256: of the picture in the picture store, shape (rows, 32).
        vectors: of the pictures.
        hubs: how near each video is to any question, shape (videos,).
    """

    starts: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    times: NDArray[np.float32]
    sha256: NDArray[np.uint8]
    vectors: FieldVectors
    hubs: NDArray[np.float32]

    @property
    def videos(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def build(cls, shown: Sequence[Sequence[Shown]], vectors: Mapping[str, Vectors], probes: Vectors) -> "SeenPart":
        """Make it from the pictures of each video, and their vectors by sha256.

        Args:
            probes: the vectors of questions that mean no video, shape (probes, dimension).
        """
        rows = [one for of_video in shown for one in of_video]
        starts = ragged.starts_of(np.array([len(of_video) for of_video in shown], np.int64))
        times = [[np.nan if s is None else s for s in (one.start_s, one.end_s)] for one in rows]
        stacked = np.array([vectors[one.sha256] for one in rows], np.float32).reshape(len(rows), probes.shape[1])
        return cls(
            starts.astype(np.int64),
            np.array([KINDS.index(one.kind) for one in rows], np.uint8),
            np.array(times, np.float32).reshape(-1, 2),
            np.frombuffer(b"".join(bytes.fromhex(one.sha256) for one in rows), np.uint8).reshape(-1, 32),
            FieldVectors.of(stacked, BITS),
            _hubs(stacked, starts, probes),
        )

    @classmethod
    def join(cls, parts: Sequence["SeenPart"], wanted: Sequence[tuple[int, int] | None], dimension: int) -> "SeenPart":
        """Return the pictures of videos that other parts have: of each the part and its number there, or None."""
        lengths = [
            0 if at is None else int(parts[at[0]].starts[at[1] + 1] - parts[at[0]].starts[at[1]]) for at in wanted
        ]
        found = [at for at in wanted if at is not None]

        def rows(name: str, empty: NDArray[Any]) -> NDArray[Any]:
            taken = [empty]
            for number, video in found:
                part = parts[number]
                source = getattr(part.vectors if name in ("codes", "scales") else part, name)
                taken.append(source[part.starts[video] : part.starts[video + 1]])
            return np.concatenate(taken)

        return cls(
            ragged.starts_of(np.array(lengths, np.int64)).astype(np.int64),
            rows("kinds", np.zeros(0, np.uint8)),
            rows("times", np.zeros((0, 2), np.float32)),
            rows("sha256", np.zeros((0, 32), np.uint8)),
            FieldVectors.with_codes(
                rows("codes", np.zeros((0, dimension), np.uint8)), rows("scales", np.zeros(0, np.float32))
            ),
            np.array([0.0 if at is None else parts[at[0]].hubs[at[1]] for at in wanted], np.float32),
        )

    def has(self, shown: Sequence[Sequence[Shown]]) -> bool:
        """Whether it has just these pictures of each video."""
        lengths = np.array([len(of_video) for of_video in shown], np.int64)
        if not np.array_equal(self.starts, ragged.starts_of(lengths)):
            return False
        rows = [one for of_video in shown for one in of_video]
        times = np.array([[np.nan if s is None else s for s in (one.start_s, one.end_s)] for one in rows], np.float32)
        return (
            self.sha256.tobytes() == b"".join(bytes.fromhex(one.sha256) for one in rows)
            and np.array_equal(self.kinds, [KINDS.index(one.kind) for one in rows])
            and np.array_equal(self.times, times.reshape(-1, 2), equal_nan=True)
        )

    def save(self, indexes: Path, segment: str, vision_key: str, known: Sequence[SeenEntry] = ()) -> SeenEntry:
        """Write it, unless it is one of those that are `known` and not damaged. Return how a generation names it."""
        name = self._name(segment, vision_key)
        folder = indexes / FOLDER
        files.make_private(folder)
        path = folder / f"{name}{SUFFIX}"
        before = next((entry for entry in known if entry.name == name), None)
        if before and path.is_file() and files.sha256(path) == before.sha256:
            return before
        arrays: dict[str, NDArray[Any]] = {
            "starts": self.starts,
            "kinds": self.kinds,
            "times": self.times,
            "sha256": self.sha256,
            "index": self.vectors.raw,
            "scales": self.vectors.scales,
            "hubs": self.hubs,
        }
        with files.replace_atomically(path) as part:
            save_arrays(part, arrays)
        return SeenEntry(name=name, pictures=len(self.kinds), sha256=files.sha256(path))

    def _name(self, segment: str, vision_key: str) -> str:
        digest = hashlib.sha256(f"{segment} {vision_key}".encode())
        for array in (self.starts, self.kinds, self.times, self.sha256, self.vectors.codes, self.hubs):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:NAME_CHARS]


def load_part(indexes: Path, entry: SeenEntry, videos: int, dimension: int) -> SeenPart:
    """Read and check what `save` wrote.

    Raises:
        GenerationError: it is missing or damaged.
    """
    path = indexes / FOLDER / f"{entry.name}{SUFFIX}"
    try:
        raw = np.fromfile(path, np.uint8)
        if hashlib.sha256(raw.data).hexdigest() != entry.sha256:
            raise ValueError("it differs from its sha256")
        found = read_arrays(raw)
        part = SeenPart(
            typed(found["starts"], "i8"),
            typed(found["kinds"], "u1"),
            typed(found["times"], "f4", 2),
            typed(found["sha256"], "u1", 2),
            FieldVectors.read(typed(found["index"], "u1"), typed(found["scales"], "f4"), BITS),
            typed(found["hubs"], "f4"),
        )
        rows = len(part.kinds)
        ragged.check(part.starts, rows)
        shapes = {len(part.times), len(part.sha256), len(part.vectors)} == {rows}
        if not shapes or part.videos != videos or len(part.hubs) != videos:
            raise ValueError("its arrays contradict each other")
        if part.vectors.codes.shape[1] != dimension or part.sha256.shape[1] != 32 or part.times.shape[1] != 2:
            raise ValueError("it is of another vision model")
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise GenerationError(f"{path} cannot be loaded ({error}): {REBUILD}") from error
    return part


def _hubs(vectors: Vectors, starts: NDArray[np.int64], probes: Vectors) -> NDArray[np.float32]:
    """Return the mean cosine of each video's best picture with the NEAREST probes (Bogolin et al. 2022)."""
    hubs = np.zeros(len(starts) - 1, np.float32)
    for video in np.flatnonzero(np.diff(starts)).tolist():
        best = (vectors[starts[video] : starts[video + 1]] @ probes.T).max(axis=0)
        hubs[video] = np.sort(best)[-NEAREST:].mean()
    return hubs
