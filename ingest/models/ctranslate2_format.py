"""Read CTranslate2's model.bin, the weights of a Whisper model.

All numbers are little-endian, and strings are a uint16 length (with the final NUL) and bytes: uint32 format version,
string specification, uint32 its revision; uint32 number of variables, and for each string name, uint8 rank, uint32 per
dimension, uint8 type, uint32 bytes, data; uint32 number of aliases, and for each string alias, string name. Source:
CTranslate2, python/ctranslate2/specs/model_spec.py.
"""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scraper.errors import UserError

FORMAT_VERSION = 6  # of both known packages; the layout changed between earlier versions
SPECIFICATION = "WhisperSpec"
MAX_BYTES = 4 << 30  # whisper-large in float16 is 3.1 GB
MAX_RANK = 4  # Whisper's largest rank is 3 (convolutions)
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}

Array = npt.NDArray[Any]


class CT2Error(UserError):
    """The file is not a CTranslate2 Whisper model that can be converted exactly."""


def read(path: Path) -> dict[str, Array]:
    """Every variable of a model.bin by name, in the types of the file, without aliases.

    Every length is checked against the bytes that are left, so a broken file cannot make us allocate more memory than
    it has bytes.

    Raises:
        CT2Error: bytes are missing or left over, or it is not a Whisper model.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise CT2Error(f"{path.name} has {size} bytes, more than any Whisper model ({MAX_BYTES})")
    reader = _Reader(path.read_bytes(), path.name)
    version = reader.number("I")
    if version != FORMAT_VERSION:
        raise CT2Error(f"{path.name} has CTranslate2 format {version}; only {FORMAT_VERSION} is supported")
    specification = reader.string()
    if specification != SPECIFICATION:
        raise CT2Error(f"{path.name} is a {specification!r}, not a {SPECIFICATION}")
    reader.number("I")  # the revision of the specification: it changes no variable that is used here
    variables: dict[str, Array] = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        if name in variables:
            raise CT2Error(f"{path.name} has {name} twice")
        variables[name] = reader.array(name)
    for _ in range(reader.number("I")):
        reader.string(), reader.string()
    reader.end()
    return variables


class _Reader:
    """Reads typed values from bytes, never beyond their end."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._name = name

    def number(self, kind: str) -> int:
        """A number of a `struct` type."""
        value: int = struct.unpack(f"<{kind}", self._take(struct.calcsize(f"<{kind}")))[0]
        return value

    def string(self) -> str:
        """A string with its length."""
        raw = bytes(self._take(self.number("H"))).removesuffix(b"\0")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise CT2Error(f"{self._name} has a name that is not text at byte {self._at}") from None

    def array(self, name: str) -> Array:
        """A variable with its shape and type."""
        rank = self.number("B")
        if rank > MAX_RANK:
            raise CT2Error(f"{name} has {rank} dimensions; Whisper has at most {MAX_RANK}")
        shape = [self.number("I") for _ in range(rank)]
        code, size = self.number("B"), self.number("I")
        if code not in DTYPES:
            raise CT2Error(f"{name} has the unknown type {code}")
        dtype = np.dtype(DTYPES[code])
        if math.prod(shape) * dtype.itemsize != size:
            raise CT2Error(f"{name} has {size} bytes, which is not {shape} of {dtype}")
        return np.frombuffer(self._take(size), dtype=dtype).reshape(shape)

    def end(self) -> None:
        """Raise CT2Error if bytes are left."""
        if left := len(self._data) - self._at:
            raise CT2Error(f"{self._name} has {left} bytes after its end")

    def _take(self, count: int) -> memoryview:
        if count > len(self._data) - self._at:
            raise CT2Error(f"{self._name} ends at byte {len(self._data)}, in the middle of a value")
        self._at += count
        return self._data[self._at - count : self._at]
