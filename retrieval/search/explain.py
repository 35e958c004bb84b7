"""Why a video matched: for each part of its score the passage, the matching words in it, and when they are spoken."""

from collections.abc import Sequence
from typing import Any

from retrieval.index.documents import FIELDS, OVERVIEW, SEEN, Passage
from retrieval.index.generation import Generation
from retrieval.search.answer import Part, Ranking, Reason
from retrieval.search.attribution import Share, whole_video_shares
from retrieval.search.fusion import Retriever, Scores
from retrieval.search.matching import (
    NO_PASSAGE,
    Matcher,
    best_mark,
    best_passage,
    best_span,
    marked,
    matcher_of,
    matching_words,
)

NO_ENCODER = -1  # of a reason that comes from another retriever
PART_CHARS = 300  # of the passage of a part; the reasons have passages in full
MAX_EXPLAINED = 300  # passages of a field that are searched for the reason; a scraped video has 20 comments


class VideoPassages:
    """The passages of one video. Each field is read once, although several reasons show them."""

    def __init__(self, generation: Generation, video: int) -> None:
        self._generation, self.video = generation, video
        self._known: dict[str, list[Passage]] = {}
        self._rows: dict[str, range] = {}

    def rows(self, field: str) -> range:
        """Return the rows of all passages of a field."""
        if field not in self._rows:
            self._rows[field] = self._generation.rows[field].of(self.video)
        return self._rows[field]

    def of(self, field: str) -> list[Passage]:
        """Return the first MAX_EXPLAINED passages of a field."""
        if field not in self._known:
            self._known[field] = self._generation.passages(field, self.rows(field)[:MAX_EXPLAINED])
        return self._known[field]

    def texts(self) -> list[str]:
        """Return the texts of the first MAX_EXPLAINED passages of every field."""
        return [passage.text for field in FIELDS for passage in self.of(field)]

    def at(self, field: str, number: int) -> Passage:
        """Return a passage by its number in the field."""
        if number < MAX_EXPLAINED:
            return self.of(field)[number]
        row = self.rows(field)[number]
        return self._generation.passages(field, range(row, row + 1))[0]


def explain(
    generation: Generation,
    ranking: Ranking,
    video: int,
    matcher: Matcher | None = None,
    passages: VideoPassages | None = None,
) -> list[Reason]:
    """Return why a video has its score: one reason for every contribution that is not 0, strongest first.

    Args:
        matcher: that of `ranking`, if several videos are explained.
        passages: those of the video, if they are used elsewhere as well.
    """
    matcher = matcher or matcher_of(generation, ranking)
    passages = passages or VideoPassages(generation, video)
    place = ranking.place(video)
    # By identity, with the passage, which so stays alive: encoders and words often show the same one.
    shown: dict[int, tuple[Passage, dict[str, Any]]] = {}

    def reason(field: str, retriever: Retriever, contribution: float, encoder: int = NO_ENCODER) -> Reason:
        passage = _explaining_passage(generation, ranking, matcher, passages, place, field, retriever, encoder)
        if id(passage) not in shown:
            shown[id(passage)] = passage, _shown(passage, matcher, ranking.phrases)
        parts, exact = (
            _parts(generation, ranking, passages, video, encoder)
            if retriever == "dense" and field == OVERVIEW
            else ([], True)
        )
        return Reason(
            field=field,
            retriever=retriever,
            encoder=generation.manifest.encoders[encoder].name if retriever == "dense" else "",
            contribution=contribution,
            parts=parts,
            exact_parts=exact,
            **shown[id(passage)][1],
        )

    parts: list[tuple[Retriever, int, Scores]] = [("dense", n, of_one) for n, of_one in enumerate(ranking.dense)]
    reasons = [
        reason(field, retriever, contribution, encoder)
        for retriever, encoder, contributions in [*parts, ("keyword", NO_ENCODER, ranking.keyword)]
        for field, contribution in zip(FIELDS, contributions[:, place].tolist(), strict=True)
        if contribution
    ]
    if read := ranking.rescored.get(video):
        reasons.append(reason(read.field, "reranker", read.contribution))
    if seen := _seen_reason(generation, ranking, video):
        reasons.append(seen)
    return sorted(reasons, key=lambda reason: -reason.contribution)


def _seen_reason(generation: Generation, ranking: Ranking, video: int) -> Reason | None:
    """Return what the best picture of a video adds; None if it adds nothing."""
    place = ranking.place(video)
    if ranking.seen is None or not ranking.seen[place] or generation.seen is None or ranking.pictures is None:
        return None
    row = int(ranking.pictures.rows[place])
    shown = generation.seen.picture(row) if row >= 0 else None
    return Reason(
        field=SEEN,
        retriever="vision",
        encoder=generation.manifest.vision.name if generation.manifest.vision else "",
        contribution=float(ranking.seen[place]),
        passage="",
        span=(0, 0),
        matches=[],
        start_s=shown.start_s if shown else None,
        end_s=shown.end_s if shown else None,
        picture=shown.sha256 if shown else "",
    )


def _shown(passage: Passage, matcher: Matcher, phrases: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return what a reason shows of a passage."""
    found = matching_words(passage.text, matcher, phrases)
    span = best_span(found) or (0, len(passage.text))
    mark = best_mark(passage, found, span)
    return {
        "passage": passage.text,
        "span": span,
        "matches": marked(found),
        "start_s": mark.start_s if mark else None,
        "end_s": mark.end_s if mark else None,
    }


def _parts(
    generation: Generation, ranking: Ranking, passages: VideoPassages, video: int, encoder: int
) -> tuple[list[Part], bool]:
    """Return what each field adds to the contribution of the whole video, the most first, and whether it is exact."""
    shares, exact = whole_video_shares(generation, ranking, video, encoder)
    by_field: dict[str, list[Share]] = {}
    for share in shares:
        by_field.setdefault(share.field, []).append(share)
    parts = []
    for field, of_field in by_field.items():
        most = max(of_field, key=lambda share: share.contribution)
        total = sum(share.contribution for share in of_field)
        text = passages.at(field, most.passage).text[:PART_CHARS]
        parts.append(Part(field=field, contribution=total, passage=text))
    return sorted(parts, key=lambda part: -part.contribution), exact


def _explaining_passage(
    generation: Generation,
    ranking: Ranking,
    matcher: Matcher,
    passages: VideoPassages,
    place: int,
    field: str,
    retriever: Retriever,
    encoder: int,
) -> Passage:
    """Return the passage to show for a contribution: the one with the best words, or with the best vector."""
    if retriever == "keyword":
        return best_passage(passages.of(field), matcher, ranking.phrases)
    if retriever == "reranker":
        row = ranking.rescored[passages.video].row
    elif generation.rows[field].present[passages.video] and field in ranking.best[encoder]:
        row = int(ranking.best[encoder][field].rows[place])
    else:
        return NO_PASSAGE
    return passages.at(field, row - passages.rows(field).start)
