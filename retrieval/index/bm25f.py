"""The keyword index: BM25F over the fields of a video, by stemmed words, their pairs, and word-bounded 4-grams.

A term's frequency is summed over the fields, weighted, *before* BM25 saturates it (Robertson, Zaragoza and Taylor
2004): that is BM25 over the joined text, which beats a sum of per-field BM25 scores by far here, and yet each field's
share of the score is known exactly, as its share of the weighted frequency.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import regex
import Stemmer
from numpy.typing import NDArray
from unidecode import unidecode

K1 = 1.2  # the values of Robertson and Zaragoza 2009; on the tuning queries others gave nothing
B = 0.75
GRAM = 4
MAX_TOKEN_CHARS = 100  # a "word" beyond this is a link or noise; its start is enough to find it
_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_SIGNS = regex.compile(rf"[{_SPACELESS}]|[^{_SPACELESS}]+")
_PLAIN = regex.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Token:
    """The terms of one word of a text and where the word stands."""

    terms: tuple[str, ...]
    start: int
    end: int


def _plain_words(token: str) -> list[str]:
    """A word of any script as words of a-z and 0-9: "été" -> ete, "你好" -> ni hao."""
    return _PLAIN.findall(unidecode(token[:MAX_TOKEN_CHARS]).lower())


@lru_cache(maxsize=100_000)
def plain(token: str) -> tuple[str, ...]:
    """A word as it is written, not stemmed: what quotes ask for. Where a script has no spaces, each sign is a word."""
    return tuple(word for piece in _SIGNS.findall(token[:MAX_TOKEN_CHARS]) for word in _plain_words(piece))


@lru_cache(maxsize=100_000)
def words(token: str) -> tuple[str, ...]:
    """The English stems of a word (stemming leaves most other languages' words alone)."""
    return tuple(Stemmer.Stemmer("english").stemWords(_plain_words(token)))


@lru_cache(maxsize=100_000)
def grams(token: str) -> tuple[str, ...]:
    """Character 4-grams inside word boundaries: cat -> _cat, cat_; what a misspelling leaves whole still matches."""
    found: list[str] = []
    for word in _plain_words(token):
        bounded = f"_{word}_"
        found += [bounded[i : i + GRAM] for i in range(max(1, len(bounded) - GRAM + 1))]
    return tuple(found)


Analyser = Callable[[str], tuple[str, ...]]
ANALYSERS: dict[str, Analyser] = {"words": words, "grams": grams}


def tokens(text: str, analyser: Analyser) -> Iterator[Token]:
    """The words of a text with their terms, in order; spans are in characters of `text` as it is."""
    # `regex` would let other threads in at every match, which costs a busy server more than the match
    for match in _TOKEN.finditer(text, concurrent=False):
        if terms := analyser(match[0]):
            yield Token(terms, match.start(), match.end())


def terms(text: str, analyser: Analyser) -> list[str]:
    """All terms of a text, in order, repeated as they repeat."""
    return [term for token in tokens(text, analyser) for term in token.terms]


def pairs(text: str) -> list[str]:
    """Neighbouring stems as one term: "remote jobs" -> remot job; the words of a phrase count more where they meet."""
    found = terms(text, words)
    return [f"{first} {second}" for first, second in pairwise(found)]


# what an index is made of, by its name
TERMS: dict[str, Callable[[str], list[str]]] = {
    **{name: partial(terms, analyser=analyser) for name, analyser in ANALYSERS.items()},
    "pairs": pairs,
}


class KeywordIndex:
    """Postings of one analyser over all fields.

    Arrays: term t owns postings indptr[t] to indptr[t + 1], each a document, a field and a frequency, ordered by
    document; `lengths` has shape (fields, documents).
    """

    _ARRAYS = ("indptr", "docs", "fields", "frequencies", "lengths")

    def __init__(self, analyser: str, vocabulary: dict[str, int], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.terms = TERMS[analyser]
        self._name = analyser
        self._vocabulary = vocabulary
        self._indptr, self._docs, self._fields, self._frequencies, self._lengths = (arrays[a] for a in self._ARRAYS)

    @classmethod
    def build(cls, analyser: str, documents: Iterable[Mapping[str, str]], fields: Sequence[str]) -> "KeywordIndex":
        """From each document's texts by field."""
        postings: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        lengths: list[list[int]] = []
        for doc, texts in enumerate(documents):
            lengths.append([0] * len(fields))
            for number, name in enumerate(fields):
                found = TERMS[analyser](texts.get(name, ""))
                lengths[doc][number] = len(found)
                for term, frequency in Counter(found).items():
                    postings[term].append((doc, number, frequency))
        ordered = sorted(postings)
        counts = [len(postings[term]) for term in ordered]
        flat = np.array([posting for term in ordered for posting in postings[term]], np.int32).reshape(-1, 3)
        arrays: dict[str, NDArray[Any]] = {
            "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "docs": np.ascontiguousarray(flat[:, 0]),
            "fields": np.ascontiguousarray(flat[:, 1].astype(np.int8)),
            "frequencies": np.ascontiguousarray(flat[:, 2].astype(np.float32)),
            "lengths": np.array(lengths, np.float32).reshape(-1, len(fields)).T.copy(),
        }
        return cls(analyser, {term: number for number, term in enumerate(ordered)}, arrays)

    def save(self, folder: Path) -> None:
        """Write the vocabulary and the arrays as files named after the analyser."""
        (folder / f"{self._name}.terms.json").write_text(json.dumps(list(self._vocabulary)), encoding="utf-8")
        for name in self._ARRAYS:
            np.save(folder / f"{self._name}.{name}.npy", getattr(self, f"_{name}"))

    @classmethod
    def load(cls, folder: Path, analyser: str) -> "KeywordIndex":
        ordered = json.loads((folder / f"{analyser}.terms.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{analyser}.{name}.npy", mmap_mode="r") for name in cls._ARRAYS}
        return cls(analyser, {term: number for number, term in enumerate(ordered)}, arrays)

    def holds(self, term: str, documents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the documents have a term in any field."""
        number = self._vocabulary.get(term)
        if number is None:
            return np.zeros(len(documents), np.bool_)
        docs = self._docs[int(self._indptr[number]) : int(self._indptr[number + 1])]
        places = np.searchsorted(docs, documents.astype(docs.dtype))
        return np.asarray(docs[np.minimum(places, len(docs) - 1)] == documents)

    def scores(self, query: str, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[str, float]]:
        """BM25F of every document, split by field: shape (fields, documents), its sum over the fields is the score.

        Args:
            query: the question; a term counts once however often it is repeated.
            weights: one per field, 0 switches it off: as if the field had never been indexed.
        Returns: the scores and the idf of each query term found in a field that counts.
        """
        documents = self._lengths.shape[1]
        split = np.zeros(self._lengths.shape)
        idfs: dict[str, float] = {}
        length: NDArray[np.float64] = weights @ self._lengths
        average = length.mean() if documents else 0.0
        if average <= 0:
            return split, idfs
        saturation = K1 * (1 - B + B * length / average)
        for term in dict.fromkeys(self.terms(query)):
            number = self._vocabulary.get(term)
            if number is None:
                continue
            span = slice(int(self._indptr[number]), int(self._indptr[number + 1]))
            docs, fields = self._docs[span], self._fields[span]
            weighted = weights[fields] * self._frequencies[span]
            counted = weighted > 0
            docs, fields, weighted = docs[counted], fields[counted], weighted[counted]
            if not len(docs):
                continue
            # postings are ordered by document: a document's fields stand together
            firsts = np.concatenate([[0], np.flatnonzero(np.diff(docs)) + 1])
            total = np.add.reduceat(weighted, firsts)
            frequency = np.repeat(total, np.diff(np.concatenate([firsts, [len(docs)]])))
            idf = float(np.log(1 + (documents - len(firsts) + 0.5) / (len(firsts) + 0.5)))
            idfs[term] = idf
            split[fields, docs] += idf * (K1 + 1) * weighted / (frequency + saturation[docs])
        return split, idfs
