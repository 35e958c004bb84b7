"""Conditions of a question -> which videos of a generation meet all of them, and notes for the user."""

from collections.abc import Collection, Sequence

import numpy as np

from retrieval.index.generation import Generation
from retrieval.index.metadata import Mask
from retrieval.search.query import Condition
from retrieval.search.spelling import Speller


def filter_videos(
    generation: Generation, speller: Speller, conditions: Sequence[Condition], hidden: Collection[str] = ()
) -> tuple[Mask, list[str]]:
    """Return which videos meet every condition, shape (videos,), and notes for the user.

    Args:
        hidden: the ids of videos that were removed; they meet no condition.
    """
    metadata = generation.metadata
    shown = shown_videos(generation, hidden)
    mask = shown.copy()
    notes: list[str] = []
    each_possible = True  # every condition is met by some video
    for condition in conditions:
        met = _videos_meeting(generation, condition) & shown
        if not met.any():
            each_possible = False
            notes.append(f"There is no video {condition.describe()}.{_advice(generation, speller, condition)}")
        mask &= met
    if any(condition.kind in ("before", "after") for condition in conditions):
        notes += _left_out(int((~metadata.dated & shown).sum()), "without a known date")
    if any(condition.kind == "lang" for condition in conditions):
        notes += _left_out(int((~metadata.has_language & shown).sum()), "without a known language")
    if each_possible and len(conditions) > 1 and not mask.any():
        listed = ", ".join(condition.describe() for condition in conditions)
        notes.append(f"No video meets all of these conditions together: {listed}.")
    return mask, notes


def shown_videos(generation: Generation, hidden: Collection[str]) -> Mask:
    """Return which videos are not among the `hidden` ids, shape (videos,)."""
    shown = np.ones(len(generation.ids), dtype=bool)
    shown[[generation.positions[video_id] for video_id in hidden if video_id in generation.positions]] = False
    return shown


def _videos_meeting(generation: Generation, condition: Condition) -> Mask:
    """Return which videos meet a condition. A video with an unknown date or language never does."""
    metadata = generation.metadata
    known = np.ones(len(generation.ids), dtype=bool)
    match condition.kind:
        case "phrase":
            met = generation.phrases.videos_with_phrase(condition.words, condition.field)
            if condition.field == "creator":
                met |= metadata.by_part_of_name(condition.value)
        case "creator":
            met = metadata.by_creator(condition.value)
        case "tag":
            met = metadata.with_tag(condition.value)
        case "lang":
            met, known = metadata.in_language(condition.value), metadata.has_language
        case "before":
            met, known = metadata.posted_before(condition.value), metadata.dated
        case "after":
            met, known = metadata.posted_from(condition.value), metadata.dated
        case "has":
            met = generation.dense[condition.value].present
    return known & ~met if condition.exclude else met


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
            languages = generation.metadata.languages()
            return (
                f" The languages here are {', '.join(languages)}." if languages else " No video has a known language."
            )
        case "phrase":
            unknown = {word: speller.nearest(word) for word in condition.words if not generation.phrases.count(word)}
            near = [generation.phrases.shown(word) for word in unknown.values() if word]
            return f" {_did_you_mean(near)}".rstrip()
        case _:
            return ""


def _did_you_mean(names: list[str]) -> str:
    return f"Did you mean {' or '.join(names)}? " if names else ""


def _left_out(count: int, which: str) -> list[str]:
    return [f"{count} video{'s' * (count != 1)} {which} {'are' if count != 1 else 'is'} left out."] if count else []
