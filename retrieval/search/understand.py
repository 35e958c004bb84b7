"""A typed question and the videos of a generation -> the question that is searched for.

People paste titles, and remember quotations wrong. So what no video has stays words: it does not exclude every video.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from retrieval.index.analysis import plain, terms
from retrieval.index.documents import TEXT_FIELDS
from retrieval.index.generation import Generation
from retrieval.index.values import Mask
from retrieval.search.conditions import Condition
from retrieval.search.fusion import Scores
from retrieval.search.query import CONTEXT, Question, parse, visible

# A video with the preferred tag or creator gets this many times what a word as rare would add to its stems' score.
# Measured: docs/explanation/scoring.md.
PREFERENCE = 1.0
MAX_NEAR = 3  # tags and names that are looked up for the note; a pasted title has many
_FIELD_OF = {"tag": "description", "creator": "creator"}


@dataclass(frozen=True)
class Preference:
    """What the videos with a preferred tag or creator get: which these are, shape (videos,), and by which field, the
    number of one of TEXT_FIELDS."""

    field: int
    videos: Mask
    added: float


@dataclass(frozen=True)
class Preferred:
    """A preferred tag or creator, the field that it counts in, the number of one of TEXT_FIELDS, and what it adds."""

    condition: Condition
    field: int
    added: float

    def among(self, generation: Generation) -> Preference:
        """Return which videos of a generation get it."""
        return Preference(self.field, preferred_videos(generation, self.condition), self.added)


def understand(typed: str, generation: Generation, shown: Mask, today: date | None = None) -> Question:
    """Parse a typed question as far as the videos confirm it.

    - A minus inside words that a video has one after the other is a dash.
    - Among other words, a phrase that no video has is only words.
    - A preferred tag or creator that no video has is only words, which may be corrected.

    Args:
        shown: the videos that count, shape (videos,): those that were not removed.
    """
    typed = visible(typed)
    question = parse(typed, today)
    notes: list[str] = []
    if dashes := [minus.at for minus in question.minuses if _is_dash(minus.words, generation, shown)]:
        question = parse("".join(" " if at in dashes else sign for at, sign in enumerate(typed)), today)
        notes.append("A minus was read as a dash, because a video has the words around it.")
    if question.mixed:
        for phrase in [one for one in question.phrases if not one.field and not _has_phrase(one, generation, shown)]:
            question = replace(question, conditions=tuple(one for one in question.conditions if one != phrase))
            notes.append(f'No video has "{phrase.value}" word for word, so it was searched for as words.')
    known = [one for one in question.preferred if (shown & preferred_videos(generation, one)).any()]
    unknown = [one for one in question.preferred if one not in known]
    corrigible = {word for one in unknown for word in terms(one.value, plain)}
    return replace(
        question,
        literal=question.literal - corrigible,
        preferred=tuple(known),
        notes=(*question.notes, *notes, *_preference_notes(generation, known, unknown)),
    )


def preferred_videos(generation: Generation, condition: Condition) -> Mask:
    """Return the videos with a tag or of a creator, shape (videos,)."""
    metadata = generation.metadata
    return metadata.with_tag(condition.value) if condition.kind == "tag" else metadata.by_creator(condition.value)


def preferences(generation: Generation, preferred: Sequence[Condition], weights: Scores) -> list[Preferred]:
    """Return what preferred tags and creators add to the stems' BM25F.

    Each counts like a word as rare as it is. `weights` are those of the fields; 0 switches one off.
    """
    videos = generation.manifest.videos
    found = []
    for condition in preferred:
        field = TEXT_FIELDS.index(_FIELD_OF[condition.kind])
        if weights[field] > 0:
            has = preferred_videos(generation, condition).sum()
            added = PREFERENCE * np.log(1 + (videos - has + 0.5) / (has + 0.5))
            found.append(Preferred(condition, field, float(added)))
    return found


def _is_dash(words: tuple[str, ...], generation: Generation, shown: Mask) -> bool:
    """Return whether a video has the word after a minus with those around it. Few words can be chance."""
    return len(words) > CONTEXT and bool((shown & generation.phrases.videos_with_phrase(words)).any())


def _has_phrase(phrase: Condition, generation: Generation, shown: Mask) -> bool:
    return bool((shown & generation.phrases.videos_with_phrase(phrase.words)).any())


def _preference_notes(generation: Generation, known: Sequence[Condition], unknown: Sequence[Condition]) -> list[str]:
    notes = []
    if known:
        only = " ".join(f"tag:{one.value}" if one.kind == "tag" else f"by:@{one.value}" for one in known)
        notes.append(f"Videos {_either(known)} count more. To see no others, write {only}.")
    if unknown:
        near = [name for one in unknown[:MAX_NEAR] for name in _near(generation, one)[:1]]
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        notes.append(f"There is no video {_either(unknown)}, so the words were searched for.{meant}")
    return notes


def _near(generation: Generation, condition: Condition) -> list[str]:
    """Return tags or names that are spelt like one that no video has."""
    if condition.kind == "tag":
        return [f"#{tag}" for tag in generation.metadata.near_tags(condition.value)]
    return [f"@{name}" for name in generation.metadata.near_creators(condition.value)]


def _either(conditions: Sequence[Condition]) -> str:
    return " or ".join(one.describe() for one in conditions)
