"""Videos that a person finds nearer to the one they mean than others, or farther -> the scores of a question, refined.

The idea is PicHunter's (Cox et al. 2000), as known-item search in videos uses it (arXiv 2505.15128): the chance of each
video is multiplied by the chance that a person who means it would choose as they did. Of a chosen video against another
one on show, that is a logistic of the difference between its similarities to both. Each step is made from the ranking
that the steps before it led to, so an address with the choices leads to the same answer. Of many videos, those are
scored that may be the best by the question, and those that are the most similar to a chosen one.
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
from retrieval.search.phases import FirstPhase

SHOWN = 10  # first videos with which a chosen one is compared: those on the first page
# Of the logistic, per standard deviation of the similarities of all videos. A steeper one is faster for a person who
# judges exactly by the vectors, and slower for one who does not (docs/explanation/scoring.md).
SLOPE = 1.0
SIMILAR = 1_000  # videos: the best by the question, and the most similar to each one chosen, are scored with choices
WEIGHT = 1.0  # of the logarithm of a chance, in a score


class Refinement:
    """The scores of a question while a person chooses among the first videos, choice by choice.

    Args:
        videos: those that can be shown, ascending.
        scores: of the question, one for each of these videos.

    Attributes:
        added: what the choices so far add to the score of each video.
    """

    def __init__(self, generation: Generation, videos: NDArray[np.int64], scores: Scores) -> None:
        self._similarity = Similarity(generation)
        self._videos, self._scores = videos, scores
        self._left = np.ones(len(videos), np.bool_)
        self.added: Scores = np.zeros(len(scores))

    def order(self) -> NDArray[np.int64]:
        """Return the videos that are not chosen yet, best first."""
        order = np.argsort(-(self._scores + self.added), kind="stable")
        return self._videos[order[self._left[order]]]

    def choose(self, video: int, nearer: bool = True) -> None:
        """Take in a choice. One of a video without vectors adds nothing."""
        order = self.order()
        self._left &= self._videos != video
        if not self._similarity.known[video]:
            return
        shown = [other for other in order[self._similarity.known[order]][:SHOWN].tolist() if other != video]
        if shown:
            similarities, spread = self._similarity.of([video, *shown], self._videos)
            self.added = self.added + WEIGHT * log_chance(similarities, nearer, spread)


def refined(
    generation: Generation,
    ranking: Ranking,
    choices: Sequence[Choice],
    among: Mask,
    hits: int | None,
    first: FirstPhase,
    ranking_of: Callable[[Candidates], Ranking],
) -> Ranking:
    """Return the ranking with what the choices add to the score of every video, which may bring others to the front.

    Choices of videos that the generation does not have add nothing.

    Args:
        ranking: of the question, with its first hits.
        among: the videos that can be shown, shape (videos,).
        hits: how many of the best videos are needed; None for all.
        first: says which videos are about the best.
        ranking_of: scores some videos exactly.
    """
    positions, found = generation.positions, ranking
    chosen = [(positions[one.video_id], one.nearer) for one in choices if one.video_id in positions]
    if len(ranking.videos) < np.count_nonzero(among):
        liked, similarity = [video for video, nearer in chosen if nearer], Similarity(generation)

        def likely(count: int) -> NDArray[np.int64]:
            most = max(SIMILAR, count)
            return np.union1d(first.best(most, among), similarity.nearest(liked, most, among))

        others = candidates(likely, among, hits).with_others(Candidates(ranking.videos, ranking.steps))
        found = replace(ranking_of(others), rescored=ranking.rescored)
    scores = found.scores.copy()
    scores[found.at(ranking.videos)] = ranking.scores  # with what a reranker added
    refinement = Refinement(generation, found.videos, scores)
    for video, nearer in chosen:
        refinement.choose(video, nearer)
    return replace(found, scores=scores + refinement.added, feedback=refinement.added)


def open_videos(generation: Generation, choices: Sequence[Choice], among: Mask) -> Mask:
    """Return the videos in a mask without those chosen, and their copies: neither is the one that is meant."""
    left = among.copy()
    chosen = [generation.positions[one.video_id] for one in choices if one.video_id in generation.positions]
    left[generation.copies.with_copies(chosen)] = False
    return left


def log_chance(similarities: Scores, nearer: bool, spread: float) -> Scores:
    """Return for each video the logarithm of the chance that who means it makes a choice, shape (videos,).

    It is 0 for a video to which the chosen one is as similar as the others.

    Args:
        similarities: of the videos to the chosen one and to the others on show, shape (1 + others, videos).
        spread: their standard deviation among all videos.
    """
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

    def of(self, given: Sequence[int], videos: NDArray[np.int64]) -> tuple[Scores, float]:
        """Return the similarity of some videos to each of some known ones, shape (given, videos), and the standard
        deviation of similarities.

        The cosines of an encoder are divided by their spread, because encoders have different ranges, and averaged. A
        video without vectors is as similar as the mean. Mean and spread are those of a sample, or of all if there are
        few.
        """
        by_encoder, sampled = [], []
        for dense in self._generation.dense:
            index = dense[OVERVIEW]
            vectors = [index.vector(self._rows.of(one)[0]) for one in given]
            found = np.array([index.best(vector, videos).cosines for vector in vectors], np.float64)
            usual = np.array([index.best_of_sample(vector) for vector in vectors], np.float64)
            mean, spread = usual.mean(), float(usual.std(axis=1).mean()) or 1.0
            by_encoder.append(np.nan_to_num((found - mean) / spread))
            sampled.append((usual - mean) / spread)
        return np.mean(by_encoder, axis=0), float(np.mean(sampled, axis=0).std(axis=1).mean()) or 1.0

    def nearest(self, given: Sequence[int], count: int, among: Mask) -> NDArray[np.int64]:
        """Return the videos in a mask that are about the `count` most similar to each of some others, ascending."""
        found = [np.empty(0, np.int64)]
        for dense in self._generation.dense:
            index = dense[OVERVIEW]
            vectors = [index.vector(self._rows.of(one)[0]) for one in given if self.known[one]]
            found += [index.nearest(vector, count, among) for vector in vectors]
        return np.unique(np.concatenate(found))
