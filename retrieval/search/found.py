"""A ranking -> a page of its best videos, explained and judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.generation import Generation
from retrieval.index.values import Mask
from retrieval.search.answer import Hit, Ranking, Sort
from retrieval.search.conditions import Condition
from retrieval.search.confidence import JUDGED, Verdict, judge
from retrieval.search.evidence import whys, with_seen
from retrieval.search.explain import VideoPassages, explain
from retrieval.search.fusion import Mode, Scores
from retrieval.search.matching import Matcher, matcher_of
from retrieval.search.sorting import sorted_first
from retrieval.search.spelling import Correction
from retrieval.search.timer import Timer


@dataclass(frozen=True)
class Found:
    """The page of hits that a search has found, and what it says about them."""

    hits: Sequence[Hit] = ()
    text: str = ""
    corrections: Sequence[Correction] = ()
    confidence: float = 0.0
    good: bool = False
    problem: str = ""  # why the question was not understood


def best(
    generation: Generation,
    ranking: Ranking,
    mode: Mode,
    mask: Mask,
    page: slice,
    timer: Timer,
    sort: Sort,
    conditions: Sequence[Condition],
    shown: Mask,
) -> Found:
    """Return a page of the best videos in the mask, explained and judged. Of copies of the same video, the best is a
    hit.

    Args:
        shown: the videos that may be named as copies, shape (videos,).
    """

    def judged(videos: NDArray[np.int64]) -> Verdict:
        return judge(generation, ranking, mode, videos)

    order = generation.copies.first(ranking.order(mask))
    first = order[:JUDGED]
    if sort != "relevance":
        order = sorted_first(generation, order, judged, conditions, sort)
    matcher = matcher_of(generation, ranking)
    explained = _explained(generation, ranking, order[page].tolist(), matcher)
    timer.lap("explain")
    verdict = judged(np.concatenate([first, order[page]]))
    by_sight = ranking.by_sight and not (verdict.problem and ranking.query)
    confidence = float(verdict.confidence[: len(first)].max(initial=0.0))
    timer.lap("judge")
    hits = [
        hit.model_copy(
            update={
                **found,
                "copies": [generation.ids[other] for other in generation.copies.others(int(video)) if shown[other]],
                "confidence": sure,
                "good": sure >= verdict.cut_off or by_sight,
                "feedback": 0.0 if ranking.feedback is None else float(ranking.feedback[ranking.place(int(video))]),
            }
        )
        for hit, video, found, sure in zip(
            hits_of(generation, order[page], page.start, ranking.scores[ranking.at(order[page])]),
            order[page],
            explained,
            verdict.confidence[len(first) :].tolist(),
            strict=True,
        )
    ]
    good = confidence >= verdict.cut_off or by_sight
    problem = "" if by_sight else verdict.problem  # a picture needs no words
    return Found(hits, ranking.query, ranking.corrections, confidence, good, problem)


def _explained(
    generation: Generation, ranking: Ranking, videos: Sequence[int], matcher: Matcher
) -> list[dict[str, object]]:
    """Return what hits say of why they were found."""
    passages = [VideoPassages(generation, video) for video in videos]
    matcher.read(text for of_video in passages for text in of_video.texts())
    reasons, found = explain(generation, ranking, matcher, passages), whys(generation, ranking, matcher, passages)
    return [
        {"explanation": of_video, "why": with_seen(why, of_video)} for of_video, why in zip(reasons, found, strict=True)
    ]


def hits_of(generation: Generation, videos: NDArray[np.int64], before: int, scores: Scores | None = None) -> list[Hit]:
    """Return videos as hits without reasons.

    Args:
        before: how many better hits there are.
        scores: of these videos; without them their score is 0.
    """
    known = np.zeros(len(videos)) if scores is None else scores
    return [
        Hit(id=generation.ids[video], rank=rank, score=score, explanation=[])
        for rank, (video, score) in enumerate(zip(videos.tolist(), known.tolist(), strict=True), start=before + 1)
    ]


def hits_in(generation: Generation, mask: Mask, ranked: bool) -> int:
    """Return how many hits the videos in a mask are; of a ranking, copies of the same video are one."""
    return int(mask.sum()) - (generation.copies.more(mask) if ranked else 0)
