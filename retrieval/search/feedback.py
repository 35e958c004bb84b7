"""Videos that a person finds nearer to the one they mean than others, or farther -> the scores of a question, refined.

The idea is PicHunter's (Cox et al. 2000), as known-item search in videos uses it (arXiv 2505.15128): the chance of each
video is multiplied by the chance that a person who means it would choose as they did. Of a chosen video against another
one on show, that is a logistic of the difference between its similarities to both. All videos are scored, and each
step is made from the ranking that the steps before it led to, so an address with the choices leads to the same answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.index.values import Mask
from retrieval.search.answer import Ranking
from retrieval.search.candidates import Candidates, candidates
from retrieval.search.choices import Choice
from retrieval.search.fusion import Scores

SHOWN = 10  # first videos with which a chosen one is compared: those on the first page
# Of the logistic, per standard deviation of the similarities of all videos. A steeper one is faster for a person who
# judges exactly by the vectors, and slower for one who does not (docs/explanation/scoring.md).
SLOPE = 1.0
WEIGHT = 1.0  # of the logarithm of a chance, in a score


class Refinement:
    """The scores of a question while a person chooses among the first videos, choice by choice.

    Args:
        scores: of the question, shape (videos,).
        among: the videos that can be shown, shape (videos,).

    Attributes:
        added: what the choices so far add to the score of every video, shape (videos,).
    """

    def __init__(self, generation: Generation, scores: Scores, among: Mask) -> None:
        self._similarity = Similarity(generation)
        self._scores, self._left = scores, among.copy()
        self.added: Scores = np.zeros(len(scores))

    def order(self) -> NDArray[np.int64]:
        """Return the videos that are not chosen yet, best first."""
        order = np.argsort(-(self._scores + self.added), kind="stable")
        return order[self._left[order]]

    def choose(self, video: int, nearer: bool = True) -> None:
        """Take in a choice. One of a video without vectors adds nothing."""
        order = self.order()
        self._left[video] = False
        if not self._similarity.known[video]:
            return
        shown = [other for other in order[self._similarity.known[order]][:SHOWN].tolist() if other != video]
        if shown:
            self.added = self.added + WEIGHT * log_chance(self._similarity.of([video, *shown]), nearer)


def refined(
    generation: Generation,
    ranking: Ranking,
    choices: Sequence[Choice],
    among: Mask,
    hits: int | None,
    first: Callable[[], NDArray[np.floating]],
    ranking_of: Callable[[Candidates], Ranking],
) -> Ranking:
    """Return the ranking with what the choices add to the score of every video, which may bring others to the front.

    Choices of videos that the generation does not have add nothing.

    Args:
        ranking: of the question, with its first hits.
        among: the videos that can be shown, shape (videos,).
        hits: how many of the best videos are needed; None for all.
        first: returns about the score of each video, shape (videos,).
        ranking_of: scores some videos exactly.
    """
    complete = len(ranking.videos) == np.count_nonzero(among)
    scores = np.zeros(len(generation.ids)) if complete else first().astype(np.float64)
    scores[ranking.videos] = ranking.scores
    refinement = Refinement(generation, scores, among)
    for choice in choices:
        if choice.video_id in generation.positions:
            refinement.choose(generation.positions[choice.video_id], choice.nearer)
    found = ranking
    if not complete:
        others = candidates(lambda _count: scores + refinement.added, among, hits)
        known = Candidates(ranking.videos, ranking.steps)
        found = replace(ranking_of(others.with_others(known)), rescored=ranking.rescored)
    exact, added = found.scores.copy(), refinement.added[found.videos]
    exact[found.at(ranking.videos)] = ranking.scores  # with what a reranker added
    return replace(found, scores=exact + added, feedback=added)


def open_videos(generation: Generation, choices: Sequence[Choice], among: Mask) -> Mask:
    """Return the videos in a mask without those chosen, and their copies: neither is the one that is meant."""
    left = among.copy()
    chosen = [generation.positions[one.video_id] for one in choices if one.video_id in generation.positions]
    left[generation.copies.with_copies(chosen)] = False
    return left


def log_chance(similarities: Scores, nearer: bool) -> Scores:
    """Return for each video the logarithm of the chance that who means it makes a choice, shape (videos,).

    It is 0 for a video to which the chosen one is as similar as the others.

    Args:
        similarities: of all videos to the chosen one and to the others on show, shape (1 + others, videos).
    """
    spread = float(similarities.std(axis=1).mean()) or 1.0
    difference = SLOPE * (similarities[0] - similarities[1:]) / spread
    chances = np.log(2) - np.logaddexp(0, -difference if nearer else difference)
    return np.asarray(chances.sum(axis=0))


class Similarity:
    """How similar the whole texts of videos are in meaning, by all encoders of a generation.

    `known` says which videos have vectors, shape (videos,).
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._rows = generation.rows[OVERVIEW]
        self.known: Mask = self._rows.present if generation.dense else np.zeros(len(generation.ids), dtype=bool)

    def of(self, videos: Sequence[int]) -> Scores:
        """Return the similarity of every video to each of some known `videos`, shape (given, videos).

        The cosines of an encoder are divided by their spread, because encoders have different ranges, and averaged. A
        video without vectors is as similar as the mean.
        """
        by_encoder, rows = [], self._rows
        for dense in self._generation.dense:
            index = dense[OVERVIEW]
            cosines = np.array([index.all_best(index.vector(rows.of(one)[0])).cosines for one in videos], np.float64)
            mean = np.nanmean(cosines)
            spread = float(np.nanstd(cosines, axis=1).mean()) or 1.0
            by_encoder.append(np.nan_to_num((cosines - mean) / spread))
        return np.asarray(np.mean(by_encoder, axis=0))
