"""The first videos of a ranking, rescored by a cross-encoder, which reads a question and a passage together.

A cross-encoder is far slower than cosines, so it reads only a few passages of the first videos. A video's best passage
counts. What it adds is never negative, so these videos stay ahead of all others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ingest.models.device import obey_thread_limit
from ingest.models.weights import WeightsError, resolve
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.search.answer import Ranking, Rescored

RESCORED = 50  # videos
PASSAGES = 3  # of each video: the beginning of the whole video's text, and those nearest to the question
PASSAGE_CHARS = 500  # about 125 tokens; longer ones take longer, and windows of speech have at most 300 characters
# Of the cross-encoder's score against the first score, both in standard deviations. Not tuned: no pretrained
# cross-encoder was available.
WEIGHT = 2.0
BATCH = 32


class Reranker:
    """A sentence-transformers CrossEncoder by name or folder. Its weights are checked by sha256.

    Raises:
        ingest.models.weights.WeightsError: the weights cannot be loaded, or are not those of a cross-encoder with one
            score.
    """

    def __init__(self, name: str) -> None:
        from sentence_transformers import CrossEncoder

        obey_thread_limit()
        weights = resolve(name)
        self.name = weights.name
        try:
            self._model = CrossEncoder(str(weights.folder), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{weights.folder} is not a cross-encoder: {error}") from error
        trained = self._model.config.architectures or []
        if self._model.num_labels != 1 or type(self._model.model).__name__ not in trained:
            # the library would add a head of random weights to an embedding model
            raise WeightsError(f"{name} is not a cross-encoder with one score for each passage")
        if self._model.device.type == "cpu":
            self._model.float()  # a model saved in half precision would otherwise compute in it
        self._lock = Lock()  # the tokenizer is not thread-safe: it keeps settings of a call

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return how well each passage answers, shape (passages,): the model's output before any activation."""
        from torch.nn import Identity

        pairs = [(question, passage[:PASSAGE_CHARS]) for passage in passages]
        with self._lock:
            found = self._model.predict(pairs, batch_size=BATCH, activation_fn=Identity(), show_progress_bar=False)
        return np.asarray(found, np.float64)


def rescore(
    reranker: Reranker, generation: Generation, ranking: Ranking, among: NDArray[np.bool_] | None = None
) -> Ranking:
    """Return the ranking with the first RESCORED videos (of those in the mask `among`) rescored."""
    first = ranking.order(among)[:RESCORED]
    read = [(int(video), field, row) for video in first for field, row in _to_read(generation, ranking, int(video))]
    if not read:
        return ranking
    texts = [generation.passages(field, range(row, row + 1))[0].text for _, field, row in read]
    best: dict[int, tuple[float, str, int]] = {}
    for (video, field, row), score in zip(read, reranker.scores(ranking.query, texts).tolist(), strict=True):
        best[video] = max(best.get(video, (score, field, row)), (score, field, row))
    videos = list(best)
    places = ranking.at(videos)
    contributions = _added(ranking.scores[places], np.array([score for score, _, _ in best.values()]))
    scores = ranking.scores.copy()
    scores[places] += contributions
    rescored = {
        video: Rescored(field, row, added)
        for (video, (_, field, row)), added in zip(best.items(), contributions.tolist(), strict=True)
    }
    return replace(ranking, scores=scores, rescored=rescored)


def _to_read(generation: Generation, ranking: Ranking, video: int) -> list[tuple[str, int]]:
    """Return the passages to read, by field and row: the whole video, and others with the highest cosines."""
    found = [(OVERVIEW, row) for row in generation.rows[OVERVIEW].of(video)]
    used = [number for number, best in enumerate(ranking.best) if best][:1]  # those of two encoders cannot be compared
    nearest = sorted(
        (-cosine, field, row)
        for number in used
        for field in ranking.best[number]
        if field != OVERVIEW
        for row, cosine in _cosines(generation, ranking, video, number, field)
    )
    return [*found, *((field, row) for _, field, row in nearest)][:PASSAGES]


def _cosines(
    generation: Generation, ranking: Ranking, video: int, encoder: int, field: str
) -> Iterable[tuple[int, float]]:
    """Return row and cosine of each passage of a video's field by an encoder."""
    vector, rows = ranking.vectors[encoder], generation.rows[field].of(video)
    if vector is None:
        return ()
    return zip(rows, generation.dense[encoder][field].cosines(vector, rows).tolist(), strict=True)


def _added(before: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the cross-encoder's scores add to the first scores, shape (videos,): 0 for the worst video.

    One standard deviation of the cross-encoder's scores adds WEIGHT standard deviations of the first scores.
    """
    deviation = float(judged.std())
    scale = float(before.std()) or 1.0
    return WEIGHT * scale * (judged - judged.min()) / deviation if deviation else np.zeros(len(judged))
