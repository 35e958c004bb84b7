"""Why a video matched: for each part of its score the passage, the matching words in it, and when they are spoken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ingest.text.words import CHUNK, chunks, words_of_chunk
from retrieval.index.analysis import char_ngrams, plain, tokens
from retrieval.index.documents import FIELDS, Mark, Passage
from retrieval.index.generation import Generation
from retrieval.index.query_terms import forms_of
from retrieval.search.answer import Ranking, Reason
from retrieval.search.fusion import Retriever, Scores

SPAN_CHARS = 120  # the longest span: about two lines of text
MIN_NGRAM_SHARE = 0.6  # a misspelt word matches if this share of its 4-grams does
MIN_IDF_SHARE = 0.4  # words below this share of the question's highest idf ("a", "the", "that") explain nothing
NO_ENCODER = -1  # of a reason that comes from another retriever
MAX_EXPLAINED = 300  # passages of a field that are searched for the reason; a scraped video has 20 comments


@dataclass(frozen=True)
class Match:
    """A word of a passage that is also in the question: its position, its term and the term's idf."""

    start: int
    end: int
    term: str
    idf: float


def informative_terms(idfs: Mapping[str, float]) -> dict[str, float]:
    """Return the terms of a question that are rare enough to explain a match."""
    least = MIN_IDF_SHARE * max(idfs.values(), default=0.0)
    return {term: idf for term, idf in idfs.items() if idf >= least}


class Matcher:
    """Finds the words of a question in texts.

    A word matches by its stem in one of the languages, or, if it is misspelt, by most of its 4-grams. What is known of
    a chunk is kept: the texts of one answer have the same words again and again.
    """

    def __init__(
        self, stem_idfs: Mapping[str, float], ngram_idfs: Mapping[str, float], languages: Sequence[str] = ()
    ) -> None:
        self.stem_idfs, self._ngram_idfs, self._languages = stem_idfs, ngram_idfs, tuple(languages)
        self._seen: set[str] = set()
        self._known: dict[str, list[Match]] = {}  # of those seen that have any

    def matches(self, text: str) -> list[Match]:
        """Return the question's words in a text, in order."""
        every = CHUNK.findall(text)
        for chunk in set(every).difference(self._seen):
            self._seen.add(chunk)
            if known := self._in_chunk(chunk):
                self._known[chunk] = known
        if self._known.keys().isdisjoint(every):
            return []
        return [
            Match(at + match.start, at + match.end, match.term, match.idf)
            for chunk, at in chunks(text)
            if chunk in self._known
            for match in self._known[chunk]
        ]

    def _in_chunk(self, chunk: str) -> list[Match]:
        found = []
        for start, end, forms, pieces in _analysed(chunk, self._languages):
            if not self.stem_idfs.keys().isdisjoint(forms):
                known = next(form for form in forms if form in self.stem_idfs)
                found.append(Match(start, end, known, self.stem_idfs[known]))
                continue
            shared = [self._ngram_idfs[piece] for piece in pieces if piece in self._ngram_idfs]
            if shared and len(shared) >= MIN_NGRAM_SHARE * len(pieces):
                found.append(Match(start, end, "".join(pieces), sum(shared) / len(pieces)))
        return found


@lru_cache(maxsize=100_000)
def _analysed(chunk: str, languages: tuple[str, ...]) -> list[tuple[int, int, tuple[str, ...], tuple[str, ...]]]:
    """Return the words of a chunk: their positions in it, the forms that a question may have them in, and 4-grams."""
    return [
        (word.start, word.end, forms_of(word, languages), char_ngrams(word))
        for word in words_of_chunk(chunk)
        if word.kind != "tag"
    ]


def matching_words(text: str, matcher: Matcher, phrases: Sequence[Sequence[str]] = ()) -> list[Match]:
    """Return the question's words in a text, in order: those of its phrases, and single ones."""
    if not phrases:
        return matcher.matches(text)
    found = phrase_words(text, phrases, 1.0 + sum(matcher.stem_idfs.values()))
    in_phrase = {match.start for match in found}
    found += [match for match in matcher.matches(text) if match.start not in in_phrase]
    return sorted(found, key=lambda match: match.start)


def phrase_words(text: str, phrases: Sequence[Sequence[str]], idf: float) -> list[Match]:
    """Return the words of every occurrence of the phrases in a text. Each phrase counts as `idf`.

    With an `idf` above that of all single words together, the passage with the phrase is the one shown.
    """
    found_words = [(word, token.start, token.end) for token in tokens(text, plain) for word in token.terms]
    found: dict[int, Match] = {}
    for phrase in phrases:
        for first in range(len(found_words) - len(phrase) + 1):
            stretch = found_words[first : first + len(phrase)]
            if all(word == wanted for (word, *_), wanted in zip(stretch, phrase, strict=True)):
                for word, start, end in stretch:
                    found[start] = Match(start, end, f'"{word}"', idf / len(phrase))
    return list(found.values())


def idf_mass(found: Iterable[Match]) -> float:
    """Return the sum of the idfs of the different terms among matches."""
    return sum({match.term: match.idf for match in found}.values())


def best_span(found: Sequence[Match]) -> tuple[int, int] | None:
    """Return the stretch of up to SPAN_CHARS with the highest idf mass; of equals the shortest, then the first."""
    best, best_key = None, (0.0, 0)
    for first, match in enumerate(found):
        terms: dict[str, float] = {}
        for last in found[first:]:
            if last.end - match.start > SPAN_CHARS and terms:
                break
            terms[last.term] = last.idf
            key = (sum(terms.values()), match.start - last.end)
            if best is None or key > best_key:
                best, best_key = (match.start, last.end), key
    return best


def best_passage(
    passages: Iterable[Passage], matcher: Matcher, phrases: Sequence[Sequence[str]] = ()
) -> tuple[Passage, list[Match]]:
    """Return the passage with the highest idf mass, the first of equals, and the matches in it."""
    matched = [(passage, matching_words(passage.text, matcher, phrases)) for passage in passages]
    return max(matched, key=lambda pair: idf_mass(pair[1]), default=(Passage(""), []))


def best_mark(passage: Passage, found: Sequence[Match]) -> Mark | None:
    """Return the times of a passage's segment with the highest idf mass, the first of equals; None without times."""

    def mass(number: int) -> float:
        start = passage.marks[number].at
        end = passage.marks[number + 1].at if number + 1 < len(passage.marks) else len(passage.text)
        return idf_mass(match for match in found if start <= match.start < end)

    best = max(range(len(passage.marks)), key=mass, default=None)
    return None if best is None else passage.marks[best]


def matcher_of(generation: Generation, ranking: Ranking) -> Matcher:
    """Return what finds the informative words of a ranking's question."""
    return Matcher(ranking.idfs["stems"], ranking.idfs["char_ngrams"], generation.keyword["stems"].languages)


def explain(generation: Generation, ranking: Ranking, video: int, matcher: Matcher | None = None) -> list[Reason]:
    """Return why a video has its score: one reason for every contribution that is not 0, strongest first.

    Args:
        matcher: that of `ranking`, if several videos are explained.
    """
    matcher = matcher or matcher_of(generation, ranking)
    parts: list[tuple[Retriever, int, Scores]] = [("dense", n, of_one) for n, of_one in enumerate(ranking.dense)]
    reasons = [
        _reason(generation, ranking, matcher, video, field, retriever, float(contributions[number, video]), encoder)
        for retriever, encoder, contributions in [*parts, ("keyword", NO_ENCODER, ranking.keyword)]
        for number, field in enumerate(FIELDS)
        if contributions[number, video] != 0
    ]
    if read := ranking.rescored.get(video):
        reasons.append(_reason(generation, ranking, matcher, video, read.field, "reranker", read.contribution))
    return sorted(reasons, key=lambda reason: -reason.contribution)


def _reason(
    generation: Generation,
    ranking: Ranking,
    matcher: Matcher,
    video: int,
    field: str,
    retriever: Retriever,
    contribution: float,
    encoder: int = NO_ENCODER,
) -> Reason:
    passage, found = _explaining_passage(generation, ranking, matcher, video, field, retriever, encoder)
    mark = best_mark(passage, found)
    return Reason(
        field=field,
        retriever=retriever,
        encoder=generation.manifest.encoders[encoder].name if retriever == "dense" else "",
        contribution=contribution,
        passage=passage.text,
        span=best_span(found) or (0, len(passage.text)),
        matches=[(match.start, match.end) for match in found],
        start_s=mark.start_s if mark else None,
        end_s=mark.end_s if mark else None,
    )


def _explaining_passage(
    generation: Generation,
    ranking: Ranking,
    matcher: Matcher,
    video: int,
    field: str,
    retriever: Retriever,
    encoder: int,
) -> tuple[Passage, list[Match]]:
    """Return the passage to show for a contribution: the one with the best words, or with the best vector."""
    rows = generation.rows[field]
    if retriever == "keyword":
        searched = rows.of(video)[:MAX_EXPLAINED]
        return best_passage(generation.passages(field, searched), matcher, ranking.phrases)
    if retriever == "reranker":
        row = ranking.rescored[video].row
    elif rows.present[video] and field in ranking.passage_scores[encoder]:
        row = rows.best_of(ranking.passage_scores[encoder][field], video)
    else:
        return Passage(""), []
    passage = generation.passages(field, range(row, row + 1))[0]
    return passage, matching_words(passage.text, matcher, ranking.phrases)
