"""All texts of a segment as one long sequence of unstemmed words, and where each word is in it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import ragged
from retrieval.index.analysis import plain, tokens
from retrieval.index.arrays import SUFFIX, save_arrays, smallest, typed
from retrieval.index.verified import VerifiedFiles
from retrieval.index.vocabulary import NONE, Vocabulary

FILE = f"phrases{SUFFIX}"
_NAMES = ("row", "starts", "spelt", "places", "indptr", "videos_of", "written", "by_string")
_BETWEEN = "\0"  # a word and its spelling in one string
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class PhrasePart:
    """The words of all texts of a segment, as numbers in `words`.

    A word is often spelt otherwise than it is compared: été for ete. Each such spelling has a number as well, above
    those of the words; `spellings` has "ete\\0été", and `spelt` the number of the word.

    Arrays: `row` is the sequence of words as they are spelt, with its type's highest number between two texts, so that
    no phrase continues from one into the next. Word w is at the positions places[indptr[w]] to places[indptr[w + 1]] of
    it, in ascending order. The texts of field f (of F) of video v begin at starts[v * F + f]. `videos_of` counts the
    videos that contain each word, and `written` how often each word and each spelling is in the texts. `by_string` has
    the numbers of the words in the order of their code points.
    """

    def __init__(
        self, words: Vocabulary, spellings: Vocabulary, fields: Sequence[str], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        arrays = {name: typed(arrays[name], "u") for name in _NAMES}
        self.words, self.spellings, self.fields = words, spellings, tuple(fields)
        self.row, self.starts, self.spelt = arrays["row"], arrays["starts"], arrays["spelt"]
        self.places, self.indptr, self.videos_of = arrays["places"], arrays["indptr"], arrays["videos_of"]
        self.by_string, self.written = arrays["by_string"], arrays["written"]
        self.videos = (len(self.starts) - 1) // len(self.fields)

    @classmethod
    def build(cls, documents: Iterable[Mapping[str, Sequence[str]]], fields: Sequence[str]) -> "PhrasePart":
        """Index each document's texts by field."""
        known: dict[tuple[str, str], int] = {}  # by word and spelling, in the order in which they come
        row: list[int] = []
        starts = [0]
        for texts in documents:
            for field in fields:
                for text in texts.get(field, ()):
                    for token in tokens(text, plain):
                        written = text[token.start : token.end].lower()
                        row += [known.setdefault((word, written), len(known)) for word in token.terms]
                    row.append(-1)
                starts.append(len(row))
        words, of_word = Vocabulary.build({word: None for word, _ in known})
        number = dict(zip(dict.fromkeys(word for word, _ in known), of_word.tolist(), strict=True))
        different = [(word, written) for word, written in known if written != word]
        spellings, of_spelling = Vocabulary.build(f"{word}{_BETWEEN}{written}" for word, written in different)
        spelt = np.zeros(len(spellings), np.int64)
        spelt[of_spelling] = [number[word] for word, _ in different]
        above = dict(zip(different, (of_spelling + len(words)).tolist(), strict=True))
        new = np.array([above.get(one, number[one[0]]) for one in known] + [NONE], np.int64)
        return cls._placed(words, spellings, spelt, new[np.array(row, np.int64)], np.array(starts, np.int64), fields)

    @classmethod
    def _placed(
        cls,
        words: Vocabulary,
        spellings: Vocabulary,
        spelt: Numbers,
        row: Numbers,
        starts: Numbers,
        fields: Sequence[str],
    ) -> "PhrasePart":
        """Return the part of a sequence of words, with where each is. NONE is between two texts."""
        of_row = _words_of(row, len(words), spelt)
        places = np.argsort(of_row, kind="stable")[: np.count_nonzero(row != NONE)]
        indptr = ragged.starts_of(np.bincount(of_row[places], minlength=len(words)))
        most = len(words) + len(spellings)
        arrays = {
            "row": smallest(np.where(row == NONE, -1, row), most),  # -1 becomes the highest number
            "starts": smallest(starts, len(row)),
            "spelt": smallest(spelt, len(words)),
            "places": smallest(places, len(row)),
            "indptr": smallest(indptr, len(places)),
            "by_string": words.strings.order(),
            "written": smallest(np.bincount(row[row != NONE], minlength=most), len(row)),
        }
        videos = np.repeat(np.arange((len(starts) - 1) // len(fields)), np.diff(starts[:: len(fields)]))
        arrays["videos_of"] = smallest(_counted(of_row[places], videos[places], len(words)), len(row))
        return cls(words, spellings, fields, arrays)

    @classmethod
    def merge(cls, parts: Sequence["PhrasePart"], keep: Sequence[Mask]) -> "PhrasePart":
        """Return the texts of the videos that are kept, one part after the other."""
        fields = parts[0].fields
        kept = [
            ragged.keep(part.row, part.starts, np.repeat(of_part, len(fields)))
            for part, of_part in zip(parts, keep, strict=True)
        ]
        used = [part._used(row) for part, (row, _) in zip(parts, kept, strict=True)]
        words, of_words = Vocabulary.merge([part.words for part in parts], [of_part for of_part, _ in used])
        spellings, of_spellings = Vocabulary.merge([part.spellings for part in parts], [of_part for _, of_part in used])
        spelt = np.zeros(len(spellings), np.int64)
        rows = []
        for part, (row, starts), word, spelling in zip(parts, kept, of_words, of_spellings, strict=True):
            there = spelling != NONE
            spelt[spelling[there]] = word[part.spelt[there]]
            above = np.where(there, spelling + len(words), NONE)
            new = np.concatenate([word, above, [NONE]])
            rows.append((new[np.minimum(row.astype(np.int64), len(new) - 1)], starts))
        return cls._placed(words, spellings, spelt, *ragged.join(rows), fields)

    def _used(self, row: NDArray[Any]) -> tuple[Mask, Mask]:
        """Return which words and which spellings a sequence needs: of a spelling, its word as well."""
        found = np.zeros(len(self.words) + len(self.spellings) + 1, bool)
        found[np.minimum(row.astype(np.int64), len(found) - 1)] = True
        words, spellings = found[: len(self.words)], found[len(self.words) : -1]
        words[self.spelt[spellings]] = True
        return words, spellings

    def save(self, folder: Path) -> None:
        arrays = {name: getattr(self, name) for name in _NAMES}
        words = self.words.arrays("words") | self.spellings.arrays("spellings")
        save_arrays(folder / FILE, arrays | words, {"fields": json.dumps(self.fields)})

    @classmethod
    def load(cls, files: VerifiedFiles) -> "PhrasePart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(FILE)
        words, spellings = (Vocabulary.load(found.arrays, name) for name in ("words", "spellings"))
        part = cls(words, spellings, json.loads(found.about["fields"]), found.arrays)
        if not files.mapped:
            part.check()
        return part

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.words.check()
        self.spellings.check()
        ragged.check(self.starts, len(self.row))
        ragged.check(self.indptr, len(self.places))
        words, between = len(self.words), np.iinfo(self.row.dtype).max
        fits = (
            len(self.starts) == self.videos * len(self.fields) + 1
            and len(self.indptr) == words + 1
            and len(self.by_string) == len(self.videos_of) == words
            and len(self.spelt) == len(self.spellings) == len(self.written) - words
            and not any((numbers >= words).any() for numbers in (self.by_string, self.spelt))
            and not (self.places >= len(self.row)).any()
            and not ((self.row >= words + len(self.spellings)) & (self.row != between)).any()
        )
        if not fits:
            raise ValueError("the words of the texts contradict each other")

    def positions(self, numbers: Sequence[int]) -> Numbers:
        """Return where these words are next to each other, in ascending order of the rarest one's position."""
        rarest = min(range(len(numbers)), key=lambda n: int(self.indptr[numbers[n] + 1]) - int(self.indptr[numbers[n]]))
        span = slice(int(self.indptr[numbers[rarest]]), int(self.indptr[numbers[rarest] + 1]))
        found = self.places[span].astype(np.int64) - rarest
        found = found[(found >= 0) & (found + len(numbers) <= len(self.row))]
        for step, number in enumerate(numbers):
            found = found[self._words_at(found + step) == number]
        return found

    def cells(self, positions: Numbers) -> Numbers:
        """Return video * F + field of each position."""
        return np.searchsorted(self.starts, positions.astype(self.starts.dtype), side="right") - 1

    def counts(self, videos: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return of how many of these videos each word is, and how often each word and spelling is in their texts."""
        found, starts = ragged.take(self.row, self.starts[:: len(self.fields)], videos)
        row = found.astype(np.int64)
        inside = row != np.iinfo(self.row.dtype).max
        row, of_position = row[inside], np.repeat(np.arange(len(videos)), np.diff(starts))[inside]
        words = _words_of(row, len(self.words), self.spelt)
        order = np.lexsort((of_position, words))
        having = _counted(words[order], of_position[order], len(self.words))
        return having, np.bincount(row, minlength=len(self.written))

    def spellings_of(self, word: int) -> Numbers:
        """Return the numbers of a word and of its spellings."""
        return np.concatenate([[word], np.flatnonzero(self.spelt == word) + len(self.words)])

    def spelling(self, number: int) -> str:
        """Return a word or a spelling by its number."""
        if number < len(self.words):
            return self.words[number]
        return self.spellings[number - len(self.words)].partition(_BETWEEN)[2]

    def _words_at(self, positions: Numbers) -> Numbers:
        row = self.row[positions].astype(np.int64)
        row[row == np.iinfo(self.row.dtype).max] = NONE
        return _words_of(row, len(self.words), self.spelt)


def _words_of(row: Numbers, words: int, spelt: NDArray[Any]) -> Numbers:
    """Return the number of the word for each number of a word or a spelling."""
    found = row.copy()
    other = np.flatnonzero((row >= words) & (row != NONE))
    found[other] = spelt[row[other] - words]
    return found


def _counted(words: Numbers, videos: Numbers, size: int) -> NDArray[np.int64]:
    """Return the number of different videos of each word; both are in order of word, then of video."""
    first = np.ones(len(words), bool)
    first[1:] = (words[1:] != words[:-1]) | (videos[1:] != videos[:-1])
    return np.bincount(words[first], minlength=size)
