"""The keyword index: BM25F over the fields of a video, for stems, bigrams of stems, and character n-grams.

A term's weighted frequency is summed over the fields *before* BM25 saturates it (Robertson, Zaragoza and Taylor 2004).
With equal weights that is BM25 over the joined text, which is far better here than a sum of BM25 scores per field. Each
field's share of the score is its share of the weighted frequency.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index.analysis import TERMS, has_stemmer
from retrieval.index.query_terms import WEIGHT_OF_EMOJI, QueryTerm, query_terms
from retrieval.index.verified import VerifiedFiles

K1 = 1.2  # the values of Robertson and Zaragoza 2009; others were no better on the tuning queries
B = 0.75

# How the files of each analyser begin; part of the format on disk.
FILE_PREFIXES = {"stems": "words", "char_ngrams": "grams", "bigrams": "pairs"}


class KeywordIndex:
    """The postings of one analyser over all fields.

    Arrays: term t has the postings indptr[t] to indptr[t + 1], ordered by document, each with a document, a field and a
    frequency; `lengths` has shape (fields, documents).

    `texts_by_language` counts the texts in each language; `languages` are those whose words have stems of their own.
    """

    _ARRAYS = ("indptr", "docs", "fields", "frequencies", "lengths")

    def __init__(
        self,
        analyser: str,
        vocabulary: dict[str, int],
        texts_by_language: Mapping[str, int],
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        self.texts_by_language = dict(texts_by_language)
        self.languages = tuple(sorted(filter(has_stemmer, texts_by_language)))
        self._analyser = analyser
        self._prefix = FILE_PREFIXES[analyser]
        self._vocabulary = vocabulary
        self._indptr, self._docs, self._fields, self._frequencies, self._lengths = (arrays[a] for a in self._ARRAYS)

    @classmethod
    def build(
        cls,
        analyser: str,
        documents: Iterable[Mapping[str, str]],
        fields: Sequence[str],
        languages: Iterable[Mapping[str, str]] = (),
    ) -> "KeywordIndex":
        """Index each document's texts by field.

        Args:
            languages: by document, the language of each field's text; "" if it is unknown.
        """
        postings: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        lengths: list[list[int]] = []
        counted: Counter[str] = Counter()
        for doc, (texts, language_of) in enumerate(zip(documents, chain(languages, repeat({})), strict=False)):
            counted.update(filter(None, language_of.values()))
            lengths.append([0] * len(fields))
            for number, name in enumerate(fields):
                found = TERMS[analyser](texts.get(name, ""), language_of.get(name, ""))
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
        return cls(analyser, {term: number for number, term in enumerate(ordered)}, counted, arrays)

    def save(self, folder: Path) -> None:
        """Write the vocabulary and the arrays to files whose names begin with the analyser's prefix."""
        vocabulary = {"terms": list(self._vocabulary), "languages": self.texts_by_language}
        (folder / f"{self._prefix}.terms.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        for name in self._ARRAYS:
            np.save(folder / f"{self._prefix}.{name}.npy", getattr(self, f"_{name}"))

    @classmethod
    def load(cls, files: VerifiedFiles, analyser: str) -> "KeywordIndex":
        prefix = FILE_PREFIXES[analyser]
        vocabulary = json.loads(files.read(f"{prefix}.terms.json"))
        arrays = {name: files.array(f"{prefix}.{name}.npy") for name in cls._ARRAYS}
        numbers = {term: number for number, term in enumerate(vocabulary["terms"])}
        return cls(analyser, numbers, vocabulary["languages"], arrays)

    def query_terms(self, query: str) -> list[QueryTerm]:
        """Return the terms of a question, each once, with the forms that texts in the languages here have."""
        return query_terms(self._analyser, query, self.languages)

    def has(self, term: str) -> bool:
        """Return whether any text has a term."""
        return term in self._vocabulary

    def contains(self, term: str, documents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the documents have a term in any field, shape (documents,)."""
        number = self._vocabulary.get(term)
        if number is None:
            return np.zeros(len(documents), np.bool_)
        docs = self._docs[int(self._indptr[number]) : int(self._indptr[number + 1])]
        found = np.searchsorted(docs, documents.astype(docs.dtype))
        return np.asarray(docs[np.minimum(found, len(docs) - 1)] == documents)

    def scores(self, query: str, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Return the BM25F scores of all documents, split by field, and the idf of each query term that was found.

        The split has shape (fields, documents); its sum over the fields is the score.

        Args:
            query: the question; a repeated term counts once.
            weights: one per field; 0 switches a field off, as if it were not indexed.
        """
        documents = self._lengths.shape[1]
        split = np.zeros(self._lengths.shape)
        idfs: dict[str, float] = {}
        length: NDArray[np.float64] = weights @ self._lengths
        average = length.mean() if documents else 0.0
        if average <= 0:
            return split, idfs
        saturation = K1 * (1 - B + B * length / average)
        for term in self.query_terms(query):
            docs, fields, weighted, idf, several = self._postings(term, weights)
            if not len(docs):
                continue
            # Postings are ordered by document, so those of one document are neighbours.
            firsts = np.concatenate([[0], np.flatnonzero(np.diff(docs)) + 1])
            total = np.add.reduceat(weighted, firsts)
            frequency = np.repeat(total, np.diff(np.concatenate([firsts, [len(docs)]])))
            idfs |= dict.fromkeys(filter(self.has, term.forms), idf)
            idfs |= dict.fromkeys(filter(self.has, term.synonyms), WEIGHT_OF_EMOJI * idf)
            added = idf * (K1 + 1) * weighted / (frequency + saturation[docs])
            if several:  # forms may be in the same field of a document
                np.add.at(split, (fields, docs), added)
            else:
                split[fields, docs] += added
        return split, idfs

    def _postings(
        self, term: QueryTerm, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.float64], float, bool]:
        """Return the documents, fields and weighted frequencies of all forms of a term, by document, its idf, and
        whether several forms were found.

        The idf is that of the forms, or if no text has any, of what means the same.
        """
        found = []
        having: list[NDArray[np.int32]] = []
        for forms, factor in ((term.forms, 1.0), (term.synonyms, WEIGHT_OF_EMOJI)):
            counted_before = len(having)
            for form in forms:
                if (number := self._vocabulary.get(form)) is None:
                    continue
                span = slice(int(self._indptr[number]), int(self._indptr[number + 1]))
                docs, fields = self._docs[span], self._fields[span]
                weighted = factor * weights[fields] * self._frequencies[span]
                counted = weighted > 0
                if counted.any():
                    found.append((docs[counted], fields[counted], weighted[counted]))
                    if not counted_before:
                        having.append(docs[counted])
        if not found:
            return np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0), 0.0, False
        documents = self._lengths.shape[1]
        # Of one form, documents follow each other.
        with_term = (
            len(np.unique(np.concatenate(having))) if len(having) > 1 else 1 + int(np.count_nonzero(np.diff(having[0])))
        )
        idf = float(np.log(1 + (documents - with_term + 0.5) / (with_term + 0.5)))
        if len(found) == 1:
            return *found[0], idf, False
        docs, fields, weighted = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        order = np.argsort(docs, kind="stable")
        return docs[order], fields[order], weighted[order], idf, True
