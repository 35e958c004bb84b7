"""All texts as one long sequence of unstemmed words -> which videos contain an exact phrase, and the vocabulary.

A phrase is found by checking the words around each occurrence of its rarest word. No text is read again, so it takes
well under a millisecond.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index.analysis import plain, terms, tokens
from retrieval.index.verified import VerifiedFiles

BREAK = -1  # separates two texts, so that no phrase continues from one into the next
_ARRAYS = ("row", "places", "indptr", "starts", "videos_of")  # names of the files on disk


class PhraseIndex:
    """The words of all texts, as numbers in `vocabulary`.

    Arrays: `row` is the sequence of words, with BREAK between two texts. Word w is at the positions places[indptr[w]]
    to places[indptr[w + 1]] of it, in ascending order. The texts of field f (of F) of video v begin at
    starts[v * F + f]. `videos_of` counts the videos that contain each word.

    `shown` maps an indexed word to its spelling in the texts, if that is different: ete -> été.
    """

    def __init__(self, words: Sequence[str], shown: dict[str, str], fields: Sequence[str], arrays: Mapping[str, Any]):
        self._words = list(words)
        self._shown = shown
        self._fields = tuple(fields)
        self.vocabulary = {word: number for number, word in enumerate(words)}
        self._row, self._places, self._indptr, self._starts, self.videos_of = (arrays[name] for name in _ARRAYS)
        self.videos = (len(self._starts) - 1) // len(self._fields)

    @classmethod
    def build(cls, documents: Iterable[Mapping[str, Sequence[str]]], fields: Sequence[str]) -> "PhraseIndex":
        """Index each document's texts by field."""
        vocabulary: dict[str, int] = {}
        shown: dict[str, str] = {}
        row: list[int] = []
        starts = [0]
        videos_of: list[int] = []
        for texts in documents:
            first = len(row)
            for field in fields:
                for text in texts.get(field, ()):
                    for token in tokens(text, plain):
                        for word in token.terms:
                            if word not in vocabulary:
                                vocabulary[word] = len(vocabulary)
                                videos_of.append(0)
                                written = text[token.start : token.end].lower()
                                if len(token.terms) == 1 and written != word:
                                    shown[word] = written
                            row.append(vocabulary[word])
                    row.append(BREAK)
                starts.append(len(row))
            for number in set(row[first:]) - {BREAK}:
                videos_of[number] += 1
        flat = np.array(row, np.int32)
        order = np.argsort(flat, kind="stable")
        positions = order[np.count_nonzero(flat == BREAK) :]
        counts = np.bincount(flat[flat != BREAK], minlength=len(vocabulary))
        arrays = {
            "row": flat,
            "places": positions.astype(np.int32 if len(flat) < 2**31 else np.int64),
            "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "starts": np.array(starts, np.int64),
            "videos_of": np.array(videos_of, np.int32),
        }
        return cls(list(vocabulary), shown, fields, arrays)

    def save(self, folder: Path) -> None:
        """Write `wording.json` and the arrays."""
        vocabulary = {"words": self._words, "shown": self._shown, "fields": self._fields}
        (folder / "wording.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        for name, array in zip(
            _ARRAYS, (self._row, self._places, self._indptr, self._starts, self.videos_of), strict=True
        ):
            np.save(folder / f"wording.{name}.npy", array)

    @classmethod
    def load(cls, files: VerifiedFiles) -> "PhraseIndex":
        vocabulary = json.loads(files.read("wording.json"))
        arrays = {name: files.array(f"wording.{name}.npy") for name in _ARRAYS}
        return cls(vocabulary["words"], vocabulary["shown"], vocabulary["fields"], arrays)

    def shown(self, word: str) -> str:
        """Return a word as it is spelt in the texts."""
        return self._shown.get(word, word)

    def count(self, word: str) -> int:
        """Return how many videos contain a word."""
        number = self.vocabulary.get(word)
        return 0 if number is None else int(self.videos_of[number])

    def words_from(self, start: str, limit: int, hidden: Sequence[int] = ()) -> list[tuple[str, int]]:
        """Return words that begin with `start`, as spelt, and their number of videos, the most frequent first.

        Args:
            hidden: videos that do not count.
        """
        key = "".join(terms(start, plain))
        begun = [number for word, number in self.vocabulary.items() if word.startswith(key)] if key else []
        counts = {number: int(self.videos_of[number]) for number in begun}
        for video in hidden:
            first, end = self._starts[video * len(self._fields)], self._starts[(video + 1) * len(self._fields)]
            for number in counts.keys() & set(self._row[first:end].tolist()):
                counts[number] -= 1
        found = sorted((number for number in begun if counts[number]), key=lambda n: (-counts[n], self._words[n]))
        return [(self.shown(self._words[number]), counts[number]) for number in found[:limit]]

    def videos_with_phrase(self, phrase: Sequence[str], field: str = "") -> NDArray[np.bool_]:
        """Return which videos contain these words next to each other, in `field` or in any: shape (videos,)."""
        found = np.zeros(self.videos, dtype=bool)
        numbers = [self.vocabulary.get(word) for word in phrase]
        known = [number for number in numbers if number is not None]
        if not known or len(known) < len(numbers):
            return found
        rarest = min(range(len(known)), key=lambda n: self._indptr[known[n] + 1] - self._indptr[known[n]])
        positions = np.asarray(self._places[self._indptr[known[rarest]] : self._indptr[known[rarest] + 1]]) - rarest
        positions = positions[(positions >= 0) & (positions + len(known) <= len(self._row))]
        for step, number in enumerate(known):
            positions = positions[self._row[positions + step] == number]
        cells = np.searchsorted(self._starts, positions, side="right") - 1
        if field:
            cells = cells[cells % len(self._fields) == self._fields.index(field)]
        found[cells // len(self._fields)] = True
        return found
