"""Why a video matched: for each part of its score the passage, the words in it, and the second they are spoken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.fields import Passage
from retrieval.lexical import grams, tokens, words

SPAN_CHARS = 120  # the longest stretch that is pointed at: about two lines of text
MIN_GRAM_SHARE = 0.6  # a word matches though its stem does not, if this share of its 4-grams does: a misspelling


@dataclass(frozen=True)
class Match:
    """The words of the question in a passage: their idf mass, their spans, and the densest stretch of them."""

    mass: float
    spans: tuple[tuple[int, int], ...]
    best: tuple[int, int] | None


def match(text: str, word_idfs: Mapping[str, float], gram_idfs: Mapping[str, float]) -> Match:
    """Find the question's words in a text; each term counts once, by its idf."""
    found: list[tuple[int, int, str, float]] = []
    by_grams = {token.start: token for token in tokens(text, grams)}
    for token in tokens(text, words):
        known = [term for term in token.terms if term in word_idfs]
        if known:
            found.append((token.start, token.end, known[0], word_idfs[known[0]]))
        elif token.start in by_grams:
            pieces = by_grams[token.start].terms
            shared = [word_idfs_or_grams for piece in pieces if (word_idfs_or_grams := gram_idfs.get(piece))]
            if len(shared) >= MIN_GRAM_SHARE * len(pieces):
                found.append((token.start, token.end, "".join(pieces), sum(shared) / len(pieces)))
    mass = sum({term: idf for _, _, term, idf in found}.values())
    return Match(mass, tuple((start, end) for start, end, _, _ in found), _densest(found))


def _densest(found: Sequence[tuple[int, int, str, float]]) -> tuple[int, int] | None:
    best, best_mass = None, 0.0
    for first, (start, _, _, _) in enumerate(found):
        seen: dict[str, float] = {}
        for _, end, term, idf in found[first:]:
            if end - start > SPAN_CHARS and seen:
                break
            seen[term] = idf
            if (mass := sum(seen.values())) > best_mass:
                best, best_mass = (start, end), mass
    return best


def best_passage(
    passages: Iterable[Passage], word_idfs: Mapping[str, float], gram_idfs: Mapping[str, float]
) -> tuple[Passage, Match] | None:
    """The passage that holds most of the question's idf mass, the first of equals; None where there is none."""
    matched = [(passage, match(passage.text, word_idfs, gram_idfs)) for passage in passages]
    return max(matched, key=lambda pair: pair[1].mass, default=None)


def second_of(passage: Passage, at: int) -> tuple[float | None, float | None]:
    """When the word at character `at` of a passage is spoken: start and end of its segment in seconds, if known."""
    spoken = [mark for mark in passage.marks if mark.at <= at] or list(passage.marks[:1])
    return (spoken[-1].start_s, spoken[-1].end_s) if spoken else (None, None)
