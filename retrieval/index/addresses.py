"""Arrays as addresses in memory: one compiled call reads those of all segments.

Between two calls, a thread may have to wait for Python's lock, which another one holds. Each such wait takes as long as
reading thousands of postings.

An array may begin anywhere: the codes of FAISS at an odd byte, although they have 16 bits. The processors that this
program is made for (x86-64, AArch64) read them there.
"""

from ctypes import c_char
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic, overload

_carray: Any = numba.carray  # type: ignore[attr-defined]


def array_at(address: Any, length: Any, kind: Any) -> Any:
    """Return the array of so many numbers of a kind, such as np.uint16 or the `dtype` of another array, that begins at
    an address."""
    raw = (c_char * (int(length) * np.dtype(kind).itemsize)).from_address(int(address))
    return np.frombuffer(raw, kind)


@intrinsic
def _pointer(context: Any, address: Any, kind: Any) -> Any:
    def pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    number = kind.dtype if isinstance(kind, types.DType) else kind.instance_type
    return types.CPointer(number)(types.int64, kind), pointer  # type: ignore[no-untyped-call]


@overload(array_at)
def _compiled_array_at(address: Any, length: Any, kind: Any) -> Any:
    def array_at(address: Any, length: Any, kind: Any) -> Any:
        return _carray(_pointer(address, kind), (length,))  # type: ignore[call-arg]

    return array_at
