"""A hit -> why it was found, in one sentence: the passage that a person would point at, and what else speaks for it.

The description says what a video is about, so it is close to almost every question about it, and the card shows it
anyway. What a person remembers besides is what is left of the question without the direction of the description. The
passage that is nearest to the rest is shown, unless the description is nearer to the whole question by far.

The constants were chosen on the sample's questions, which know where their evidence is: benchmarks/evidence.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import SEEN, TEXT_FIELDS, Passage
from retrieval.index.generation import Generation
from retrieval.search.answer import Ranking, Reason, Why
from retrieval.search.cues import cued_fields
from retrieval.search.explain import MAX_EXPLAINED, VideoPassages
from retrieval.search.matching import Matcher, best_mark, best_span, marked
from retrieval.search.sizes import clock

DESCRIPTION_SHARE = 0.75  # of its nearness: a passage is shown instead if it is nearer to the rest of the question
WORDS = 4.0  # what all informative words of the question in a passage count, in standard deviations of nearness
CUE = 2.0  # what it counts that the question names the field
LENGTH = 0.5  # what double the text counts: short texts are near to something by chance
USUAL_CHARS, ENOUGH_CHARS = 40, 200
ALSO = 2.5  # from this nearness on, another passage speaks for the video as well
SENTENCE_ENDS = ".!?。！？"
QUOTED = 90  # characters of the passage in the sentence
_LEADS = {
    "transcript": "said",
    "cover": "on the screen",
    "comments": "a comment",
    "description": "the description",
    "creator": "the creator",
    "music": "the music",
}
_SEEN = "what it shows"
_ALSO = _LEADS | {"transcript": "in what is said", "description": "in the description"}


@dataclass(frozen=True)
class Nearness:
    """How near passages are to the question, and to the rest of it without the description of their video.

    Both are the mean over the encoders, in standard deviations, of shape (passages,).
    """

    near: NDArray[np.float64]
    apart: NDArray[np.float64]


def whys(
    generation: Generation, ranking: Ranking, matcher: Matcher, videos: Sequence[VideoPassages]
) -> list[Why | None]:
    """Return why each of some videos was found; None for one that has no text."""
    candidates = [[(field, passage) for field in TEXT_FIELDS for passage in video.of(field)] for video in videos]
    nearness = nearness_of(generation, ranking, [video.video for video in videos])
    near, worth = _values(ranking, nearness, matcher, list(chain.from_iterable(candidates)))
    starts = [0, *accumulate(map(len, candidates))]
    return [
        _why(matcher, of_video, near[start:end], int(worth[start:end].argmax())) if of_video else None
        for of_video, (start, end) in zip(candidates, pairwise(starts), strict=True)
    ]


def _why(matcher: Matcher, candidates: Sequence[tuple[str, Passage]], near: NDArray[np.float64], shown: int) -> Why:
    """Return why a video was found.

    Args:
        candidates: its passages, with their fields.
        near: how near they are to the question.
        shown: the number of the one to show.
    """
    field, passage = candidates[shown]
    also: dict[str, int] = {}
    for number in np.flatnonzero(near >= ALSO).tolist():
        of_field, other = candidates[number]
        if number != shown and other.text != passage.text:
            also[of_field] = also.get(of_field, 0) + 1
    found = matcher.matches(passage.text)
    span = best_span(found) or (0, len(passage.text))
    mark = best_mark(passage, found, span)
    start_s = mark.start_s if mark else None
    lead, others = _LEADS[field], _others(also)
    at = f" at {clock(start_s)}" if start_s is not None else ""
    return Why(
        sentence=f"{lead}{at}: “{quoted(passage.text, span)}”{others and f'; {others}'}",
        lead=lead[0].upper() + lead[1:],
        others=others,
        field=field,
        passage=passage.text,
        span=span,
        matches=marked(found),
        start_s=start_s,
        end_s=mark.end_s if mark else None,
        also=also,
    )


def with_seen(found: Why | None, reasons: Sequence[Reason]) -> Why | None:
    """Return why a video was found, with its picture: first if that counts more than every text, else besides it."""
    alone = len(reasons) == 1  # nothing else speaks for it: the nearest picture does, even if it is not near
    seen = next((one for one in reasons if one.field == SEEN and (alone or one.contribution > 0)), None)
    if seen is None:
        return found
    at = f" at {clock(seen.start_s)}" if seen.start_s is not None else ""
    if found is not None and seen is not reasons[0]:
        also = f"{found.others} and {_SEEN}{at}" if found.others else f"also {_SEEN}{at}"
        sentence = found.sentence.removesuffix(f"; {found.others}") if found.others else found.sentence
        return found.model_copy(
            update={
                "sentence": f"{sentence}; {also}",
                "others": also,
                "also": found.also | {SEEN: 1},
                "picture": seen.picture,
            }
        )
    return Why(
        sentence=f"{_SEEN}{at}",
        lead=_SEEN[0].upper() + _SEEN[1:],
        others="",
        field=SEEN,
        passage="",
        span=(0, 0),
        matches=[],
        start_s=seen.start_s,
        end_s=seen.end_s,
        also={},
        picture=seen.picture,
    )


def _values(
    ranking: Ranking, nearness: Nearness, matcher: Matcher, passages: Sequence[tuple[str, Passage]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how near each passage is to the question, and how much it is worth to be shown, each of shape (passages,).

    A description is worth its nearness, another passage what it adds to the description.

    Args:
        passages: with their fields.
    """
    cued, fields = cued_fields(ranking.query), np.array([TEXT_FIELDS.index(field) for field, _ in passages], np.int64)
    masses = np.array([matcher.mass(passage.text) for _, passage in passages])
    by_words = WORDS * np.minimum(1.0, masses / (matcher.total_idf or 1.0))
    cues = CUE * np.array([field in cued for field in TEXT_FIELDS])[fields]
    chars = np.array([len(passage.text) for _, passage in passages])
    lengths = LENGTH * np.log2(np.minimum(chars, ENOUGH_CHARS) / USUAL_CHARS)
    near = nearness.near + by_words
    described = fields == TEXT_FIELDS.index("description")
    return near, np.where(described, DESCRIPTION_SHARE * near, nearness.apart + by_words + cues + lengths)


def nearness_of(generation: Generation, ranking: Ranking, videos: Sequence[int]) -> Nearness:
    """Return how near the passages of some videos are to the question, video after video: the first MAX_EXPLAINED of
    each of TEXT_FIELDS. They are read and compared together.
    """
    ascending, places = np.unique(np.array(videos, np.int64), return_index=True)
    found = [generation.rows[field].first_of(ascending, MAX_EXPLAINED) for field in TEXT_FIELDS]
    owners = np.concatenate([of_field for _, of_field in found])
    # Descriptions are the first field.
    described, descriptions = np.unique(found[TEXT_FIELDS.index("description")][1], return_index=True)
    near, apart, used = np.zeros(len(owners)), np.zeros(len(owners)), 0
    for number, vector in enumerate(ranking.vectors if len(owners) else ()):
        if vector is None:
            continue
        used += 1
        index, spread = generation.dense[number], generation.spreads[number]
        vectors = [index[field].at(rows) for field, (rows, _) in zip(TEXT_FIELDS, found, strict=True)]
        directions = spread.directions(np.concatenate(vectors))
        # The whole question, and after it the rest of it for each video.
        wanted = np.repeat(spread.directions(vector[None]), 1 + len(ascending), axis=0)
        seen = directions[descriptions]
        wanted[1 + described] -= np.maximum(0.0, seen @ wanted[0])[:, None] * seen
        deviations = spread.deviations(directions, wanted)
        near += deviations[:, 0]
        apart += deviations[np.arange(len(owners)), 1 + owners]
    order = np.argsort(places[owners], kind="stable")
    return Nearness(near[order] / max(1, used), apart[order] / max(1, used))


def quoted(text: str, span: tuple[int, int]) -> str:
    """Return up to QUOTED characters of a passage around `span`: its sentence, or as much of it as fits."""
    low = max(text.rfind(end, 0, span[0]) + 1 for end in SENTENCE_ENDS)
    high = min((at + 1 for end in SENTENCE_ENDS if (at := text.find(end, span[1] - 1)) >= 0), default=len(text))
    before = after = ""
    if high - low > QUOTED:
        start = max(low, min(span[0], high - QUOTED))
        if start > low:  # at the beginning of a word
            start = text.rfind(" ", low, start + 1) + 1 or start
            before = "…"
        end = start + QUOTED
        if end < high:
            end = max(text.rfind(" ", start, end), min(span[1], end))
            after = "…"
        low, high = start, min(end, high)
    return before + " ".join(text[low:high].split()).rstrip(".") + after


def _others(also: dict[str, int]) -> str:
    names = [
        f"{count} comments" if field == "comments" and count > 1 else _ALSO[field] for field, count in also.items()
    ]
    return f"also {_joined(names)}" if names else ""


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
