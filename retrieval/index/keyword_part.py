"""The postings of one analyser in the videos of a segment: three bytes each."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import ragged
from retrieval.index.analysis import TERMS
from retrieval.index.arrays import SUFFIX, save_arrays, smallest, typed
from retrieval.index.documents import TEXT_FIELDS
from retrieval.index.layout import SEGMENT_VIDEOS
from retrieval.index.posting import FREQUENCY_BITS, MAX_FREQUENCY
from retrieval.index.values import Mask, Values
from retrieval.index.verified import VerifiedFiles
from retrieval.index.vocabulary import Vocabulary


@dataclass(frozen=True)
class KeywordPart:
    """The postings of one analyser over all fields.

    Attributes:
        vocabulary: the terms. Term t has the postings indptr[t] to indptr[t + 1], ordered by video.
        docs: the number of each posting's video.
        packed: its field, and above 0 how often the term is there: field << FREQUENCY_BITS | frequency.
        lengths: the number of terms in each field, shape (fields, videos).
        languages: the languages of each video's texts, of every text.
    """

    analyser: str
    vocabulary: Vocabulary
    indptr: NDArray[Any]
    docs: NDArray[np.uint16]
    packed: NDArray[np.uint8]
    lengths: NDArray[Any]
    languages: Values

    @property
    def videos(self) -> int:
        return int(self.lengths.shape[1])

    @classmethod
    def build(
        cls,
        analyser: str,
        documents: Iterable[Mapping[str, str]],
        fields: Sequence[str],
        languages: Iterable[Mapping[str, str]] = (),
    ) -> "KeywordPart":
        """Index each document's texts by field.

        Args:
            languages: by document, the language of each field's text; "" if it is unknown.
        """
        known: defaultdict[str, int] = defaultdict()
        known.default_factory = known.__len__  # a new term gets the next number
        terms, lengths = array("q"), array("q")
        of_texts: list[list[str]] = []
        for texts, language_of in zip(documents, chain(languages, repeat({})), strict=False):
            of_texts.append([code for code in language_of.values() if code])
            for name in fields:
                found = TERMS[analyser](texts.get(name, ""), language_of.get(name, ""))
                lengths.append(len(found))
                terms.extend(map(known.__getitem__, found))
        vocabulary, numbers = Vocabulary.build(known)
        of_cells = np.frombuffer(lengths, np.int64)
        of_postings, cells, frequencies = _counted(numbers[np.frombuffer(terms, np.int64)], of_cells)
        parts = -(-frequencies // MAX_FREQUENCY)
        last = np.cumsum(parts) - 1
        amounts = np.full(int(parts.sum()), MAX_FREQUENCY, np.int64)
        amounts[last] = frequencies - (parts - 1) * MAX_FREQUENCY
        docs, of_field = np.divmod(np.repeat(cells, parts), len(fields))
        return cls._compact(
            analyser,
            vocabulary,
            ragged.starts_of(np.bincount(of_postings, parts, len(vocabulary)).astype(np.int64)),
            docs.astype(np.uint16),
            (of_field << FREQUENCY_BITS | amounts).astype(np.uint8),
            of_cells.reshape(-1, len(fields)).T,
            Values.build(of_texts),
        )

    @classmethod
    def _compact(
        cls,
        analyser: str,
        vocabulary: Vocabulary,
        indptr: NDArray[np.int64],
        docs: NDArray[np.uint16],
        packed: NDArray[np.uint8],
        lengths: NDArray[Any],
        languages: Values,
    ) -> "KeywordPart":
        if lengths.shape[1] > SEGMENT_VIDEOS:
            raise ValueError(f"a segment has at most {SEGMENT_VIDEOS:,} videos, not {lengths.shape[1]:,}")
        compact = np.ascontiguousarray(smallest(lengths, int(lengths.max(initial=0))))
        return cls(analyser, vocabulary, smallest(indptr, len(docs)), docs, packed, compact, languages)

    @classmethod
    def merge(cls, parts: Sequence["KeywordPart"], keep: Sequence[Mask]) -> "KeywordPart":
        """Return the postings of the videos that are kept, one part after the other."""
        kept = [of_part[part.docs] for part, of_part in zip(parts, keep, strict=True)]
        counts: list[NDArray[np.int64]] = []
        for part, mask in zip(parts, kept, strict=True):
            ends = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])[part.indptr.astype(np.int64)]
            counts.append(ragged.lengths_of(ends))
        vocabulary, maps = Vocabulary.merge([part.vocabulary for part in parts], [of > 0 for of in counts])
        together = np.zeros(len(vocabulary), np.int64)
        for new, of_part in zip(maps, counts, strict=True):
            together[new[of_part > 0]] += of_part[of_part > 0]
        indptr = ragged.starts_of(together)
        docs, packed = np.empty(int(indptr[-1]), np.uint16), np.empty(int(indptr[-1]), np.uint8)
        free, first = indptr[:-1].copy(), 0  # where the next posting of each term goes
        for part, alive, mask, new, of_term in zip(parts, keep, kept, maps, counts, strict=True):
            used = np.flatnonzero(of_term)
            starts = ragged.starts_of(of_term[used])
            places = np.repeat(free[new[used]] - starts[:-1], of_term[used]) + np.arange(starts[-1])
            numbers = (first - 1 + np.cumsum(alive)).astype(np.uint16)
            docs[places], packed[places] = numbers[part.docs[mask]], part.packed[mask]
            free[new[used]] += of_term[used]
            first += int(alive.sum())
        lengths = np.concatenate([part.lengths[:, of_part] for part, of_part in zip(parts, keep, strict=True)], axis=1)
        languages = Values.merge([part.languages for part in parts], keep)
        return cls._compact(parts[0].analyser, vocabulary, indptr, docs, packed, lengths, languages)

    def save(self, folder: Path) -> None:
        postings = {"indptr": self.indptr, "docs": self.docs, "packed": self.packed, "lengths": self.lengths}
        named = self.vocabulary.arrays("terms") | self.languages.arrays("languages")
        save_arrays(folder / file_of(self.analyser), postings | named)

    @classmethod
    def load(cls, files: VerifiedFiles, analyser: str) -> "KeywordPart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(file_of(analyser))
        part = cls(
            analyser,
            Vocabulary.load(found.arrays, "terms"),
            typed(found["indptr"], "u"),
            typed(found["docs"], "u2"),
            typed(found["packed"], "u1"),
            typed(found["lengths"], "u", 2),
            Values.load(found.arrays, "languages"),
        )
        if not files.mapped:
            part.check()
        elif not part._fits():
            raise ValueError(f"the postings of {analyser} contradict each other")
        return part

    def _fits(self) -> bool:
        """Return whether the arrays are as long as the others say. Compiled loops do not look again."""
        terms, (_, starts) = len(self.vocabulary), self.vocabulary.strings.parts
        return len(self.indptr) == terms + 1 == len(starts) and len(self.packed) == len(self.docs)

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.vocabulary.check()
        self.languages.check(self.videos)
        ragged.check(self.indptr, len(self.docs))
        fits = (
            self._fits()
            and len(self.lengths) == len(TEXT_FIELDS)
            and not (self.docs >= self.videos).any()
            and not (self.packed >> FREQUENCY_BITS >= len(self.lengths)).any()
        )
        if not fits:
            raise ValueError(f"the postings of {self.analyser} contradict each other")


def file_of(analyser: str) -> str:
    """Return the name of an analyser's file."""
    return f"keyword.{analyser}{SUFFIX}"


def _counted(
    terms: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each term of each cell, the cell (the number of a text, by video and field), and how often it is there: in
    the order of the terms, then of the cells. Sorting all at once is several times as fast as counting each text.

    Args:
        terms: those of all cells, one after the other.
        lengths: of each cell.
    """
    most = max(1, len(lengths))
    pairs = terms * most + np.repeat(np.arange(len(lengths)), lengths)
    pairs.sort()
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    found = pairs[first]
    return found // most, found % most, np.diff(first, append=len(pairs))
