"""Why a video matched: for each part of its score the passage, the words in it, and the second they are spoken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.index.analysis import grams, plain, tokens, words
from retrieval.index.documents import Mark, Passage

SPAN_CHARS = 120  # the longest stretch that is pointed at: about two lines of text
MIN_GRAM_SHARE = 0.6  # a word matches though its stem does not, if this share of its 4-grams does: a misspelling
MIN_IDF_SHARE = 0.4  # words below this share of the question's highest idf ("a", "the", "that") explain nothing


@dataclass(frozen=True)
class Word:
    """A word of a passage that the question shares: where it stands, as which term, and the term's idf."""

    start: int
    end: int
    term: str
    idf: float


def informative_terms(idfs: Mapping[str, float]) -> dict[str, float]:
    """The terms of a question that say something about a video which holds them."""
    least = MIN_IDF_SHARE * max(idfs.values(), default=0.0)
    return {term: idf for term, idf in idfs.items() if idf >= least}


def shared_words(
    text: str, word_idfs: Mapping[str, float], gram_idfs: Mapping[str, float], phrases: Sequence[Sequence[str]] = ()
) -> list[Word]:
    """The question's words in a text, in order: those of a phrase that stands there, or by their stem, or misspelt by
    most of their 4-grams."""
    found = phrase_words(text, phrases, 1.0 + sum(word_idfs.values())) if phrases else []
    quoted = {word.start for word in found}
    for token in tokens(text, words):
        if token.start in quoted:
            continue
        known = next((term for term in token.terms if term in word_idfs), None)
        if known:
            found.append(Word(token.start, token.end, known, word_idfs[known]))
            continue
        pieces = grams(text[token.start : token.end])
        shared = [gram_idfs[piece] for piece in pieces if piece in gram_idfs]
        if shared and len(shared) >= MIN_GRAM_SHARE * len(pieces):
            found.append(Word(token.start, token.end, "".join(pieces), sum(shared) / len(pieces)))
    return sorted(found, key=lambda word: word.start)


def phrase_words(text: str, phrases: Sequence[Sequence[str]], idf: float) -> list[Word]:
    """The words of phrases where they stand in a text, each phrase worth `idf`: more than all single words together,
    so that the passage with what was quoted is the one that is shown."""
    standing = [(word, token.start, token.end) for token in tokens(text, plain) for word in token.terms]
    found: dict[int, Word] = {}
    for phrase in phrases:
        for first in range(len(standing) - len(phrase) + 1):
            stretch = standing[first : first + len(phrase)]
            if all(word == asked for (word, *_), asked in zip(stretch, phrase, strict=True)):
                for word, start, end in stretch:
                    found[start] = Word(start, end, f'"{word}"', idf / len(phrase))
    return list(found.values())


def mass(found: Iterable[Word]) -> float:
    """The idf of the different terms among words."""
    return sum({word.term: word.idf for word in found}.values())


def best_span(found: Sequence[Word]) -> tuple[int, int] | None:
    """The stretch of up to SPAN_CHARS that holds most idf mass, the shortest and first of equals."""
    best, best_key = None, (0.0, 0)
    for first, word in enumerate(found):
        terms: dict[str, float] = {}
        for last in found[first:]:
            if last.end - word.start > SPAN_CHARS and terms:
                break
            terms[last.term] = last.idf
            key = (sum(terms.values()), word.start - last.end)
            if best is None or key > best_key:
                best, best_key = (word.start, last.end), key
    return best


def best_passage(
    passages: Iterable[Passage],
    word_idfs: Mapping[str, float],
    gram_idfs: Mapping[str, float],
    phrases: Sequence[Sequence[str]] = (),
) -> tuple[Passage, list[Word]]:
    """The passage that holds most of the question's idf mass, the first of equals, and the words in it."""
    matched = [(passage, shared_words(passage.text, word_idfs, gram_idfs, phrases)) for passage in passages]
    return max(matched, key=lambda pair: mass(pair[1]), default=(Passage(""), []))


def moment(passage: Passage, found: Sequence[Word]) -> Mark | None:
    """When a passage is spoken: the segment with most of the question's words, else its first; None without times."""

    def held(number: int) -> float:
        start = passage.marks[number].at
        end = passage.marks[number + 1].at if number + 1 < len(passage.marks) else len(passage.text)
        return mass(word for word in found if start <= word.start < end)

    best = max(range(len(passage.marks)), key=held, default=None)
    return None if best is None else passage.marks[best]


MAX_EXPLAINED = 300  # passages of a field that are looked through for the reason; a scrape has 20 comments
