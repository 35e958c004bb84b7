"""The keyword index: BM25F over the fields of a video, by stemmed words, their pairs, and word-bounded 4-grams.

A term's frequency is summed over the fields, weighted, *before* BM25 saturates it (Robertson, Zaragoza and Taylor
2004): that is BM25 over the joined text, which beats a sum of per-field BM25 scores by far here, and yet each field's
share of the score is known exactly, as its share of the weighted frequency.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index.analysis import TERMS

K1 = 1.2  # the values of Robertson and Zaragoza 2009; on the tuning queries others gave nothing
B = 0.75


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
