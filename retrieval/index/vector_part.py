"""The unit vectors of a segment's passages by one encoder: each field has its own FAISS index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.embedding.unit import unit_length
from retrieval.index.arrays import SUFFIX, save_arrays, typed
from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.field_vectors import FieldVectors
from retrieval.index.sketch import SKETCHED_FROM, Sketch
from retrieval.index.verified import VerifiedFiles

OVERVIEW_BITS = 16  # the whole video decides most of a score
BITS = 8
_CHECKED = 16_384  # vectors whose length is checked at once
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class VectorPart:
    """The vectors of each field, in the order of the rows of its passages, and the sketches of large fields."""

    fields: dict[str, FieldVectors]
    sketches: dict[str, Sketch]

    @classmethod
    def _of(cls, fields: dict[str, FieldVectors]) -> "VectorPart":
        return cls(fields, {name: Sketch.of(of) for name, of in fields.items() if _is_sketched(of)})

    @classmethod
    def build(cls, vectors: Mapping[str, Vectors]) -> "VectorPart":
        """Make it from the unit vectors of the passages of each field, shape (passages, dimension)."""
        return cls._of({field: FieldVectors.of(vectors[field], _bits(field)) for field in FIELDS})

    @classmethod
    def merge(
        cls, parts: Sequence["VectorPart"], keep: Sequence[Mask], counts: Sequence[Mapping[str, NDArray[np.int64]]]
    ) -> "VectorPart":
        """Return the vectors of the videos that are kept, one part after the other.

        Args:
            counts: of each part, by field, the number of passages of each video.
        """
        fields = {}
        for field in FIELDS:
            rows = [np.repeat(kept, of[field]) for kept, of in zip(keep, counts, strict=True)]
            fields[field] = FieldVectors.joined([part.fields[field] for part in parts], rows)
        return cls._of(fields)

    def save(self, folder: Path, encoder: int) -> None:
        """Write it; `encoder` is the number of the encoder in the segment."""
        for field, of_field in self.fields.items():
            of_field.raw.tofile(folder / _file(encoder, field))
        for field, sketch in self.sketches.items():
            sketch.raw.tofile(folder / _sketch(encoder, field))
        save_arrays(folder / _scales(encoder), {field: of_field.scales for field, of_field in self.fields.items()})

    @classmethod
    def load(cls, files: VerifiedFiles, encoder: int) -> "VectorPart":
        """Load what `save` wrote.

        Raises:
            GenerationError: a file is missing or differs from its sha256.
            ValueError: a vector is not of length 1, or the files contradict each other.
        """
        scales = files.arrays(_scales(encoder))
        fields = {
            field: FieldVectors.read(files.raw(_file(encoder, field)), typed(scales[field], "f4"), _bits(field))
            for field in FIELDS
        }
        sketches = {
            field: Sketch.read(files.raw(_sketch(encoder, field)), of)
            for field, of in fields.items()
            if _is_sketched(of)
        }
        part = cls(fields, sketches)
        if not files.mapped:
            part.check()
        return part

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: a vector is not of length 1.
        """
        for field, of_field in self.fields.items():
            count = len(of_field)
            bad = 0
            for start in range(0, count, _CHECKED):
                bad += int(np.count_nonzero(~unit_length(of_field.rows(slice(start, start + _CHECKED)))))
            if bad:
                raise ValueError(f"{bad} of {count} vectors of {field} do not have the length 1")


def _bits(field: str) -> int:
    return OVERVIEW_BITS if field == OVERVIEW else BITS


def _file(encoder: int, field: str) -> str:
    return f"vectors.{encoder}.{field}.faiss"


def _sketch(encoder: int, field: str) -> str:
    return f"sketch.{encoder}.{field}.faiss"


def _is_sketched(vectors: FieldVectors) -> bool:
    return len(vectors) >= SKETCHED_FROM


def _scales(encoder: int) -> str:
    return f"scales.{encoder}{SUFFIX}"
