"""Arrays as addresses in memory: one compiled call reads those of all segments.

Between two calls, a thread may have to wait for Python's lock, which another one holds. Each such wait takes as long as
reading thousands of postings.
"""

from collections.abc import Sequence
from ctypes import c_char
from typing import Any

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray


def address_of(array: NDArray[Any]) -> int:
    """Return where an array begins. It has to be kept as long as the address is used.

    Raises:
        ValueError: its elements do not follow each other.
    """
    if not array.flags.c_contiguous:
        raise ValueError("an array with gaps")
    return int(array.ctypes.data)


def array_at(address: Any, length: Any, kind: Any) -> Any:
    """Return the array of so many numbers of a kind, such as np.uint16, that begins at an address."""
    raw = (c_char * (int(length) * np.dtype(kind).itemsize)).from_address(int(address))
    return np.frombuffer(raw, kind)


@intrinsic
def _pointer(context: Any, address: Any, kind: Any) -> Any:
    def pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(kind.instance_type)(types.int64, kind), pointer


@overload(array_at)
def _compiled_array_at(address: Any, length: Any, kind: Any) -> Any:
    def array_at(address: Any, length: Any, kind: Any) -> Any:
        return carray(_pointer(address, kind), (length,))  # type: ignore[call-arg]

    return array_at
