"""Named arrays in one file, in the layout of safetensors: read into memory or mapped by the same code.

One file per component keeps the number of open files low: a mapped file stays open. Arrays of wider numbers come first,
so that each is aligned.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SUFFIX = ".safetensors"
_MAX_HEADER = 1 << 20  # bytes
_LENGTH = struct.Struct("<Q")  # the header's length comes first
_ALIGNED = 64  # where the arrays begin: a multiple of this
_ABOUT = "__metadata__"
# By the name in the file, the types that a component may have.
_TYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}


@dataclass(frozen=True)
class ArrayFile:
    """The content of a file: arrays by name, and what else is known about them, as texts by name."""

    arrays: dict[str, NDArray[Any]]
    about: dict[str, str]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str] | None = None) -> None:
    """Write arrays to a file.

    Raises:
        OSError: the file cannot be written.
        KeyError: an array has a type that the file cannot have.
    """
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {_ABOUT: dict(about)} if about else {}
    end = 0
    for name in names:
        start, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _NAMES[arrays[name].dtype],
            "shape": list(arrays[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + _LENGTH.size) % _ALIGNED)
    with path.open("wb") as file:
        file.write(_LENGTH.pack(len(text)))
        file.write(text)
        for name in names:
            if arrays[name].size:
                file.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)


def read_arrays(raw: NDArray[np.uint8]) -> ArrayFile:
    """Return the arrays in the bytes of a file. They share its memory and cannot be written.

    Raises:
        ValueError: the bytes are not what `save_arrays` wrote.
    """
    try:
        (length,) = _LENGTH.unpack(raw[: _LENGTH.size].tobytes())
        if length > _MAX_HEADER or (_LENGTH.size + length) % _ALIGNED:
            raise ValueError(f"the header cannot have {length} bytes")
        header = json.loads(raw[_LENGTH.size : _LENGTH.size + length].tobytes())
        content, end = raw[_LENGTH.size + length :], 0
        about = header.pop(_ABOUT, {})
        found = {}
        for name, one in header.items():
            dtype, shape, (start, stop) = np.dtype(_TYPES[one["dtype"]]), tuple(one["shape"]), one["data_offsets"]
            fits = 0 <= start <= stop <= len(content) and stop - start == math.prod(shape) * dtype.itemsize
            if not fits or start % dtype.itemsize:
                raise ValueError(f"array {name} does not fit")
            end = max(end, stop)
            array = content[start:stop].view(dtype).reshape(shape)
            array.flags.writeable = False
            found[name] = array
        if end != len(content):
            raise ValueError(f"{len(content)} bytes instead of {end}")
    except (struct.error, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"no file of arrays: {error}") from error
    return ArrayFile(found, about)


def typed(array: NDArray[Any], kind: str, dimensions: int = 1) -> NDArray[Any]:
    """Return an array that was read, if it has the type and the number of dimensions that it must have. Compiled loops
    and views would take any others for something else.

    Args:
        kind: the type, such as "i8"; "u" for numbers from 0 on of any size.

    Raises:
        ValueError: it has others.
    """
    right = array.dtype.kind == "u" if kind == "u" else array.dtype == np.dtype(kind)
    if not right or array.ndim != dimensions:
        raise ValueError(f"an array of {array.dtype} with {array.ndim} dimensions instead of {kind} with {dimensions}")
    return array


def smallest(array: NDArray[Any], most: int) -> NDArray[Any]:
    """Return an array of numbers from 0 to `most` in the smallest of 16, 32 and 64 bits that can have `most`."""
    kind = np.uint16 if most < 1 << 16 else np.uint32 if most < 1 << 32 else np.uint64
    return array.astype(kind)


def address_of(array: NDArray[Any], kind: DTypeLike) -> int:
    """Return where an array of numbers of a kind begins. Keep the array as long as the address is used.

    Raises:
        ValueError: its numbers are of another kind, or do not follow each other.
    """
    if array.dtype != kind or not array.flags.c_contiguous:
        raise ValueError(f"an array of {array.dtype} and strides {array.strides}")
    return int(array.ctypes.data)
