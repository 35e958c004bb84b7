"""Why a video matched: for each part of its score the passage, the matching words in it, and when they are spoken."""

from collections.abc import Sequence
from typing import Any

from retrieval.index.documents import FIELDS, OVERVIEW, SEEN, Passage
from retrieval.index.generation import Generation
from retrieval.search.answer import Part, Ranking, Reason
from retrieval.search.attribution import Share, whole_video_shares
from retrieval.search.matching import NO_PASSAGE, Matcher, best_mark, best_passage, best_span, marked

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

    def in_row(self, field: str, row: int) -> Passage:
        """Return the passage in a row of a field."""
        return self.at(field, row - self.rows(field).start)

    def at(self, field: str, number: int) -> Passage:
        """Return a passage by its number in the field."""
        if number < MAX_EXPLAINED:
            return self.of(field)[number]
        row = self.rows(field)[number]
        return self._generation.passages(field, range(row, row + 1))[0]


def explain(
    generation: Generation, ranking: Ranking, matcher: Matcher, videos: Sequence[VideoPassages]
) -> list[list[Reason]]:
    """Return why each of some videos has its score: one reason for every contribution that is not 0, strongest first.

    Args:
        matcher: that of `ranking`.
    """
    numbers = [video.video for video in videos]
    shares = [whole_video_shares(generation, ranking, numbers, encoder) for encoder in range(len(ranking.dense))]
    return [
        _reasons(generation, ranking, matcher, passages, list(of_encoders))
        for passages, *of_encoders in zip(videos, *shares, strict=True)
    ]


def _reasons(
    generation: Generation,
    ranking: Ranking,
    matcher: Matcher,
    passages: VideoPassages,
    shares: Sequence[tuple[Sequence[Share], bool]],
) -> list[Reason]:
    """Return the reasons of one video.

    Args:
        shares: of its passages in what the whole video adds, by encoder.
    """
    place = ranking.place(passages.video)
    # By identity, with the passage, which so stays alive: encoders and words often show the same one.
    shown: dict[int, tuple[Passage, dict[str, Any]]] = {}

    def of(passage: Passage) -> dict[str, Any]:
        if id(passage) not in shown:
            shown[id(passage)] = passage, _shown(passage, matcher)
        return shown[id(passage)][1]

    reasons: list[Reason] = []
    for encoder, used in enumerate(generation.manifest.encoders[: len(ranking.dense)]):
        for field, contribution in zip(FIELDS, ranking.dense[encoder, :, place].tolist(), strict=True):
            if contribution:
                best = ranking.best[encoder].get(field)
                row = int(best.rows[place]) if best is not None else -1
                there = row >= 0 and generation.rows[field].present[passages.video]
                parts, exact = _parts(passages, *shares[encoder]) if field == OVERVIEW else ([], True)
                reasons.append(
                    Reason(
                        field=field,
                        retriever="dense",
                        encoder=used.name,
                        contribution=contribution,
                        parts=parts,
                        exact_parts=exact,
                        **of(passages.in_row(field, row) if there else NO_PASSAGE),
                    )
                )
    for field, contribution in zip(FIELDS, ranking.keyword[:, place].tolist(), strict=True):
        if contribution:
            best_words = best_passage(passages.of(field), matcher)
            reasons.append(Reason(field=field, retriever="keyword", contribution=contribution, **of(best_words)))
    if read := ranking.rescored.get(passages.video):
        rescored = passages.in_row(read.field, read.row)
        reasons.append(Reason(field=read.field, retriever="reranker", contribution=read.contribution, **of(rescored)))
    if seen := _seen_reason(generation, ranking, passages.video):
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


def _shown(passage: Passage, matcher: Matcher) -> dict[str, Any]:
    """Return what a reason shows of a passage."""
    found = matcher.matches(passage.text)
    span = best_span(found) or (0, len(passage.text))
    mark = best_mark(passage, found, span)
    return {
        "passage": passage.text,
        "span": span,
        "matches": marked(found),
        "start_s": mark.start_s if mark else None,
        "end_s": mark.end_s if mark else None,
    }


def _parts(passages: VideoPassages, shares: Sequence[Share], exact: bool) -> tuple[list[Part], bool]:
    """Return what each field adds to the contribution of the whole video, the most first, and whether it is exact."""
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
