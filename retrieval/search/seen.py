"""A question's vector in the space of pictures -> what the pictures of each video add to its score.

A picture has something to do with almost any question, a little. So a video's best picture counts only as far as it is
nearer to the question than most of what chance brings. A person who says that they remember what a video looked like
asks for more: then every video counts by its pictures, as it does by its whole text.
"""

import math
import threading
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.language import language_of
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Vectors
from retrieval.errors import GenerationError, NoVision
from retrieval.index.generation import Generation
from retrieval.index.manifest import UsedVision
from retrieval.index.rows import Best
from retrieval.index.seen import SeenIndex, SeenPicture
from retrieval.search.fusion import DBSF_SIGMAS, RRF_K, Method, Mode, Moments, moments, rank_positions
from retrieval.search.parallel import soon

if TYPE_CHECKING:
    from retrieval.embedding.vision import VisionEncoder

# Chosen on the sample with its toy model: of those with which no question about texts gets worse
# (docs/how-to/search-pictures.md).
WEIGHT = 2.5  # of what a picture has beyond chance, in standard deviations
CHANCE = 0.75  # of the highest of so many normal numbers, sqrt(2 ln n) (Cramér 1946)
FOCUSED = 2.0  # the least weight of the field if a picture is searched for
FOCUS = 4.0  # of every standard deviation, per 1 that the weight of the field is above 1

_loaded: "WeakValueDictionary[str, VisionEncoder]" = WeakValueDictionary()
_lock = threading.Lock()


def load_vision(used: UsedVision) -> "VisionEncoder":
    """Load the vision model that a generation was built with, or return it if it is loaded.

    Raises:
        WeightsError: its weights cannot be loaded.
        GenerationError: they are other ones now.
    """
    from retrieval.embedding.vision import VisionEncoder

    with _lock:
        encoder = _loaded.get(used.key)
        if encoder is None:
            encoder = VisionEncoder(used.name, precision=used.precision, sha256=used.sha256)
            if encoder.key != used.key:
                raise GenerationError(
                    f"the vision model {used.name} has other weights or settings than the index was built with: run"
                    f" `tiktok-retrieval build --vision {used.name}`"
                )
            _loaded[used.key] = encoder
        return encoder


class SeenScores:
    """What the pictures of all videos add for a question.

    Args:
        vector: the question's, shape (dimension,).
        weight: of the field: 1 by default, 0 switches it off.
    """

    def __init__(self, index: SeenIndex, vector: Vectors, weight: float, method: Method) -> None:
        self.focused = weight > 1  # the person remembers what the video looked like
        self.best = index.all_best(vector)
        self._near, self._weight, self._method = index.index.corrected(self.best), weight, method
        self._index, self._vector = index, vector
        self.spread = moments(self._near)
        self.scores = self._added()

    def _added(self) -> NDArray[np.float64]:
        near, of, method = self._near, self.spread, self._method
        deviations = (near - of.mean) / of.deviation if of.deviation else np.zeros_like(near)
        known = np.nan_to_num(deviations, nan=0.0)
        beyond = np.maximum(0.0, known - chance_of(of.count))
        if method == "dbsf":
            beyond, known = np.minimum(beyond / (2 * DBSF_SIGMAS), 1.0), known / (2 * DBSF_SIGMAS)
        elif method == "rrf":
            ranks = 1.0 / (RRF_K + rank_positions(near.astype(np.float64)))
            beyond, known = np.where(beyond > 0, ranks, 0.0), np.where(np.isnan(near), 0.0, ranks)
        self._beyond = beyond_chance(of)
        added = WEIGHT * min(self._weight, 1.0) * beyond + FOCUS * max(0.0, self._weight - 1.0) * known
        return np.asarray(added, np.float64)

    def with_spread(self, spread: Moments) -> "SeenScores":
        """Return the scores if the cosines are spread so in all parts of the videos."""
        found = copy(self)
        found.spread = spread
        found.scores = found._added()
        return found

    def of(self, videos: NDArray[np.int64]) -> tuple[NDArray[np.float64], Best]:
        """Return what some videos get, and the best picture of each."""
        return self.scores[videos], self.best.of(videos)

    def found(self, video: int) -> list[SeenPicture]:
        """Return the pictures of a video that were found, in order: the best if it counts, and others that would."""
        rows = self._index.rows.of(video)
        near = self._index.index.cosines(self._vector, rows) - self._index.index.hubs(np.array([video]))
        scores, of_best = self.of(np.array([video]))
        best = int(of_best.rows[0]) if scores[0] > 0 else -1
        return [
            self._index.picture(row) for row, one in zip(rows, near, strict=True) if row == best or one > self._beyond
        ]


def chance_of(videos: int) -> float:
    """Return from how many deviations on a picture counts among those of so many videos."""
    return CHANCE * math.sqrt(2 * math.log(max(videos, 2)))


def beyond_chance(spread: Moments) -> float:
    """Return the cosine, less the hubness, from which a picture counts."""
    return spread.mean + chance_of(spread.count) * spread.deviation


def vector_soon(
    generation: Generation,
    vision: "VisionEncoder | None",
    text: str,
    mode: Mode,
    weight: float,
    picture: Vectors | None,
) -> Callable[[], Vectors | None]:
    """Begin to encode a question for pictures, while others encode it for texts. Return what waits for the vector: that
    of a picture that is searched for, or None if pictures have no part in the scores.

    They have none in a question that the model does not read, unless the person remembers what the video looked like.
    """
    if picture is not None:
        return lambda: picture
    if generation.seen is None or vision is None or not weight or mode == "keyword":
        return lambda: None
    if weight <= 1 and vision.language and language_of(text) not in ("", vision.language):
        return lambda: None
    return soon(lambda: vision.query(text))


def weight_of(picture: Vectors | None, weight: float) -> float:
    """Return the weight of the field: if a picture is searched for, at least FOCUSED."""
    return weight if picture is None else max(weight, FOCUSED)


def seen_scores(generation: Generation, vector: Vectors | None, weight: float, method: Method) -> SeenScores | None:
    """Return what the pictures of the videos add for the vector of a question, or of a picture; None without one."""
    if generation.seen is None or vector is None:
        return None
    return SeenScores(generation.seen, vector, weight, method)


def vision_of(generation: Generation) -> "tuple[VisionEncoder | None, str]":
    """Return the vision model of a generation, and why it could not be loaded; neither if it has none."""
    if generation.manifest.vision is None or generation.seen is None:
        return None, ""
    try:
        return load_vision(generation.manifest.vision), ""
    except (WeightsError, GenerationError) as error:
        return None, str(error)


def look_at(picture: Image.Image, vision: "VisionEncoder | None", reason: str) -> Vectors:
    """Return the vector of an RGB picture that is searched for, shape (dimension,).

    Raises:
        NoVision: there is no vision model, for this reason.
    """
    if vision is None:
        raise NoVision(reason)
    return np.asarray(vision.pictures([picture])[0])
