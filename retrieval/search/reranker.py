"""The first videos of a ranking -> re-scored by a cross-encoder, which reads question and passage together.

A cross-encoder is far slower than cosines, so it reads only a few passages of the first videos; each video counts with
its best one. What that adds is never negative, so the videos it has read stay before all others.
"""

from collections.abc import Sequence
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
PASSAGES = 3  # of each: its overview's beginning, and those nearest to the question
PASSAGE_CHARS = 500  # about 125 tokens; the time grows with it, and what is said comes as windows of 300 anyway
# of the cross-encoder against the score that the videos had, both in standard deviations among them; not tuned, as no
# weights could be had
WEIGHT = 2.0
BATCH = 32


class Reranker:
    """A sentence-transformers CrossEncoder by name or folder, its weights checked by sha256.

    Raises:
        ingest.weights.WeightsError: the weights cannot be had, or are not those of a cross-encoder with one score.
    """

    def __init__(self, name: str) -> None:
        from sentence_transformers import CrossEncoder

        obey_thread_limit()
        weights = resolve(name)
        self.name = weights.name
        try:
            self._model = CrossEncoder(str(weights.folder), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{weights.folder} holds no cross-encoder: {error}") from error
        trained = self._model.config.architectures or []
        if self._model.num_labels != 1 or type(self._model.model).__name__ not in trained:
            # an embedding model would be given a head of random numbers
            raise WeightsError(f"{name} is no cross-encoder that gives each passage one score")
        if self._model.device.type == "cpu":
            self._model.float()  # kept in half precision it would compute so
        self._lock = Lock()  # its tokenizer keeps the settings of a call

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """How well each passage answers, shape (passages,): the model's own figure before any squashing."""
        from torch.nn import Identity

        pairs = [(question, passage[:PASSAGE_CHARS]) for passage in passages]
        with self._lock:
            found = self._model.predict(pairs, batch_size=BATCH, activation_fn=Identity(), show_progress_bar=False)
        return np.asarray(found, np.float64)


def rescore(
    reranker: Reranker, generation: "Generation", ranking: "Ranking", among: NDArray[np.bool_] | None = None
) -> "Ranking":
    """The ranking with what the reranker adds to its first RESCORED videos, of those in `among` where that is given."""
    order = ranking.order()
    first = (order if among is None else order[among[order]])[:RESCORED]
    read = [(int(video), *place) for video in first for place in _places(generation, ranking, int(video))]
    if not read:
        return ranking
    texts = [generation.passages(field, range(row, row + 1))[0].text for _, field, row in read]
    best: dict[int, tuple[float, str, int]] = {}
    for (video, field, row), score in zip(read, reranker.scores(ranking.query, texts).tolist(), strict=True):
        best[video] = max(best.get(video, (score, field, row)), (score, field, row))
    videos = list(best)
    contributions = _added(ranking.scores[videos], np.array([score for score, _, _ in best.values()]))
    scores = ranking.scores.copy()
    scores[videos] += contributions
    rescored = {
        video: Rescored(field, row, added)
        for (video, (_, field, row)), added in zip(best.items(), contributions.tolist(), strict=True)
    }
    return replace(ranking, scores=scores, rescored=rescored)


def _places(generation: "Generation", ranking: "Ranking", video: int) -> list[tuple[str, int]]:
    """The passages to read, by field and row: the overview, and those of the other fields with the highest cosines."""
    found = [(OVERVIEW, row) for row in generation.dense[OVERVIEW].rows(video)]
    nearest = sorted(
        (-float(cosines[row]), field, row)
        for field, cosines in ranking.passage_scores.items()
        if field != OVERVIEW
        for row in generation.dense[field].rows(video)
    )
    return [*found, *((field, row) for _, field, row in nearest)][:PASSAGES]


def _added(before: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the cross-encoder's scores of some videos add to those they had, shape (videos,): 0 for the worst of them.

    One standard deviation of the one is WEIGHT of the other, whatever units either has.
    """
    deviation = float(judged.std())
    scale = float(before.std()) or 1.0
    return WEIGHT * scale * (judged - judged.min()) / deviation if deviation else np.zeros(len(judged))
