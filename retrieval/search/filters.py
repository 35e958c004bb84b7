"""Conditions of a question -> which videos of a generation meet them all, and plain sentences where none does."""

from collections.abc import Sequence

import numpy as np

from retrieval.index.generation import Generation
from retrieval.index.metadata import Mask
from retrieval.search.query import Condition
from retrieval.search.spelling import Speller


def passing(generation: Generation, speller: Speller, conditions: Sequence[Condition]) -> tuple[Mask, list[str]]:
    """The videos that meet every condition, shape (videos,), and what the user should know about it."""
    metadata = generation.metadata
    mask = np.ones(len(generation.ids), dtype=bool)
    notes: list[str] = []
    alone_possible = True
    for condition in conditions:
        held = _meeting(generation, condition)
        if not held.any():
            alone_possible = False
            notes.append(f"There is no video {condition.describe()}.{_advice(generation, speller, condition)}")
        mask &= held
    if any(condition.kind in ("before", "after") for condition in conditions):
        notes += _left_out(int((~metadata.dated).sum()), "whose date is not known")
    if any(condition.kind == "lang" for condition in conditions):
        notes += _left_out(int((~metadata.has_language).sum()), "of which no language is known")
    if alone_possible and len(conditions) > 1 and not mask.any():
        told = ", ".join(condition.describe() for condition in conditions)
        notes.append(f"Each of these fits some video, but none fits all of them: {told}.")
    return mask, notes


def _meeting(generation: Generation, condition: Condition) -> Mask:
    metadata = generation.metadata
    known = np.ones(len(generation.ids), dtype=bool)
    match condition.kind:
        case "phrase":
            held = generation.phrases.videos_with_phrase(condition.words, condition.field)
            if condition.field == "creator":
                held |= metadata.by_part_of_name(condition.value)
        case "creator":
            held = metadata.by_creator(condition.value)
        case "tag":
            held = metadata.with_tag(condition.value)
        case "lang":
            held, known = metadata.in_language(condition.value), metadata.has_language
        case "before":
            held, known = metadata.posted_before(condition.value), metadata.dated
        case "after":
            held, known = metadata.posted_from(condition.value), metadata.dated
        case "has":
            held = generation.dense[condition.value].present
    return known & ~held if condition.exclude else held


def _advice(generation: Generation, speller: Speller, condition: Condition) -> str:
    """What to try where a condition fits no video."""
    if condition.exclude:
        return ""
    match condition.kind:
        case "creator":
            near = [f"@{name}" for name in generation.metadata.near_creators(condition.value)]
            return f" {_perhaps(near)}Without the @ the name is searched for as a word."
        case "tag":
            near = [f"#{tag}" for tag in generation.metadata.near_tags(condition.value)]
            return f" {_perhaps(near)}Without the # it is searched for as a word."
        case "lang":
            languages = generation.metadata.languages()
            return f" The languages here are {', '.join(languages)}." if languages else " No language is known here."
        case "phrase":
            unknown = {word: speller.nearest(word) for word in condition.words if not generation.phrases.count(word)}
            near = [generation.phrases.shown(word) for word in unknown.values() if word]
            return f" {_perhaps(near)}".rstrip()
        case _:
            return ""


def _perhaps(names: list[str]) -> str:
    return f"Perhaps {' or '.join(names)}? " if names else ""


def _left_out(count: int, why: str) -> list[str]:
    return [f"{count} video{'s' * (count != 1)} {why} {'are' if count != 1 else 'is'} left out."] if count else []
