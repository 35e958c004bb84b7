"""Conditions of a question -> which videos of a generation meet all of them, and notes for the user."""

from collections.abc import Collection, Sequence

import numpy as np

from ingest.language_names import name_of
from retrieval.index.encounters import EncounterIndex
from retrieval.index.generation import Generation
from retrieval.index.metadata import MetadataIndex
from retrieval.index.values import Mask
from retrieval.search.conditions import Condition
from retrieval.search.filter_values import WHEN
from retrieval.search.lists import LIST_WORDS, LISTS_OF, operator_value
from retrieval.search.periods import days
from retrieval.search.sizes import clock
from retrieval.search.spelling import Speller

MAX_LISTS = 12  # named in a note
_KNOWN_LISTS = {
    "seen": "",
    "liked": "in your likes ",
    "saved": "in your favorites or collections ",
    "watched": "in your watch history ",
    "shared": "among those you shared ",
}


def filter_videos(
    generation: Generation, speller: Speller, conditions: Sequence[Condition], hidden: Collection[str] = ()
) -> tuple[Mask, list[str]]:
    """Return which videos meet every condition, shape (videos,), and notes for the user.

    Args:
        hidden: the ids of videos that were removed; they meet no condition.
    """
    shown = shown_videos(generation, hidden)
    mask = shown.copy()
    notes: list[str] = []
    unknown: dict[str, Mask] = {}  # by what is not known of them, the videos left out
    each_possible = True  # every condition is met by some video
    for condition in conditions:
        met, known, what = _videos_meeting(generation, condition)
        if what:
            unknown[what] = unknown.get(what, False) | ~known
        met = shown & (known & ~met if condition.exclude else met)
        if not met.any():
            each_possible = False
            notes.append(f"There is no video {condition.describe()}.{_advice(generation, speller, condition)}")
        mask &= met
    for what, videos in unknown.items():
        notes += _left_out(int((videos & shown).sum()), what)
    if each_possible and len(conditions) > 1 and not mask.any():
        listed = ", ".join(condition.describe() for condition in conditions)
        notes.append(f"No video meets all of these conditions together: {listed}.")
    return mask, [*(note for condition in conditions if (note := condition.note())), *notes]


def shown_videos(generation: Generation, hidden: Collection[str]) -> Mask:
    """Return which videos are neither deleted nor among the `hidden` ids, shape (videos,)."""
    shown = generation.alive.copy()
    shown[[generation.positions[video_id] for video_id in hidden if video_id in generation.positions]] = False
    return shown


def encounters_meant(encounters: EncounterIndex, conditions: Sequence[Condition]) -> Mask:
    """Return the encounters that the conditions are about, shape (encounters,); all if they are about none."""
    wanted = [_encounters(encounters, one) for one in conditions if one.kind in ("in", *WHEN) and not one.exclude]
    return np.any(wanted, axis=0) if wanted else np.ones(len(encounters), dtype=bool)


def _encounters(encounters: EncounterIndex, condition: Condition) -> Mask:
    """Return the encounters that meet a condition on a list or a time, shape (encounters,)."""
    if condition.kind == "in":
        kind = LIST_WORDS.get(condition.value)
        return encounters.in_lists([kind]) if kind else encounters.in_collection(condition.value)
    period = condition.period
    return encounters.in_lists(LISTS_OF[condition.kind]) & encounters.between(period.first, period.last)


def _videos_meeting(generation: Generation, condition: Condition) -> tuple[Mask, Mask, str]:
    """Return which videos meet a condition, of which it is known whether they do, and which others there are.

    A video of which it is not known does not meet it.
    """
    known = np.ones(len(generation.ids), dtype=bool)
    if condition.kind == "phrase":
        met = generation.phrases.videos_with_phrase(condition.words, condition.field)
        if condition.field == "creator":
            met |= generation.metadata.by_part_of_name(condition.value)
        return met, known, ""
    if condition.kind == "has":
        return generation.rows[condition.value].present, known, ""
    return metadata_meeting(generation.metadata, condition)


def metadata_meeting(metadata: MetadataIndex, condition: Condition) -> tuple[Mask, Mask, str]:
    """Return as `_videos_meeting` which videos meet a condition that looks at no text."""
    encounters = metadata.encounters
    known, what = np.ones(len(metadata.posted), dtype=bool), ""
    match condition.kind:
        case "creator":
            met = metadata.by_creator(condition.value)
        case "tag":
            met = metadata.with_tag(condition.value)
        case "lang":
            met, known, what = metadata.in_language(condition.value), metadata.has_language, "without a known language"
        case "posted":
            met, known, what = (
                metadata.posted_in(condition.period.first, condition.period.last),
                metadata.dated,
                "without a known date",
            )
        case "before":
            met, known, what = metadata.posted_before(condition.value), metadata.dated, "without a known date"
        case "after":
            met, known, what = metadata.posted_from(condition.value), metadata.dated, "without a known date"
        case "in":
            met = encounters.videos(_encounters(encounters, condition))
        case "seen" | "liked" | "saved" | "watched" | "shared":
            met = encounters.videos(_encounters(encounters, condition))
            lists = encounters.in_lists(LISTS_OF[condition.kind])
            known = encounters.videos_with_time(lists) | ~encounters.videos(lists)
            what = f"{_KNOWN_LISTS[condition.kind]}without a known time"
        case "length":
            met, known = metadata.as_long_as(condition.bounds.low, condition.bounds.high)
            what = "without a known length"
        case "likes":
            met, known = metadata.liked_by(condition.bounds.low, condition.bounds.high)
            what = "without a known number of likes"
        case "source":
            met = metadata.from_source(condition.value)
        case _:
            raise ValueError(f"{condition.kind} looks at texts")
    return met, known, what


def _advice(generation: Generation, speller: Speller, condition: Condition) -> str:
    """Return what to try if no video meets a condition."""
    if condition.exclude:
        return ""
    match condition.kind:
        case "creator":
            near = [f"@{name}" for name in generation.metadata.near_creators(condition.value)]
            return f" {_did_you_mean(near)}Without the @, the name is searched for as a word."
        case "tag":
            near = [f"#{tag}" for tag in generation.metadata.near_tags(condition.value)]
            return f" {_did_you_mean(near)}Without the #, it is searched for as a word."
        case "lang":
            languages = [f"{name_of(code)} ({n:,})" for code, n in generation.metadata.languages()[:MAX_LISTS]]
            return (
                f" The languages here are {', '.join(languages)}." if languages else " No video has a known language."
            )
        case "phrase":
            near = [one.used for one in speller.correct(condition.value)[1]]
            return f" {_did_you_mean(near)}".rstrip()
        case "in" | "seen" | "liked" | "saved" | "watched" | "shared":
            return f" {_lists_there_are(generation.metadata.encounters, condition)}"
        case "length":
            known = generation.metadata.duration_s[~np.isnan(generation.metadata.duration_s)]
            return f" Known lengths are {clock(known.min())} to {clock(known.max())}." if len(known) else ""
        case "likes":
            known = generation.metadata.likes[~np.isnan(generation.metadata.likes)]
            return f" The videos here have {known.min():,.0f} to {known.max():,.0f} likes." if len(known) else ""
        case "source":
            sources = generation.metadata.sources().most_common()
            return f" The sources here are {', '.join(f'{name} ({n:,})' for name, n in sources)}." if sources else ""
        case _:
            return ""


def _lists_there_are(encounters: EncounterIndex, condition: Condition) -> str:
    """Return which lists there are, or in the lists of a condition, which days."""
    if not len(encounters):
        return "No video here came with a list. Lists are in the data export of your account."
    lists = encounters.in_lists(LISTS_OF.get(condition.kind, ()))
    if condition.kind != "in" and (span := encounters.days(lists)):
        return f"What is known of them is {days(*span)}."
    named = [f"{operator_value(one.list, one.name)} ({one.videos:,})" for one in encounters.summaries[:MAX_LISTS]]
    return f"The lists here are {', '.join(named)}."


def _did_you_mean(names: list[str]) -> str:
    return f"Did you mean {' or '.join(names)}? " if names else ""


def _left_out(count: int, which: str) -> list[str]:
    return [f"{count} video{'s' * (count != 1)} {which} {'are' if count != 1 else 'is'} left out."] if count else []
