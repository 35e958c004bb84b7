"""The inner loops of a search that read vectors, compiled by numba as those of compiled.py: to cosines, and sketches to
estimates of them.
"""

from typing import Any, cast

import numba
import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils, config
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from retrieval.index.addresses import array_at
from retrieval.index.compiled import REORDERED, compiled
from retrieval.index.field_vectors import decoded

_CACHE_LINE = 64  # bytes
_ROWS_AHEAD = 8  # of vectors: about 3 KB. Fewer come too late, and more were no faster
_SKETCHES_AHEAD = 32  # about 1 KB
_PLANES = 8  # bits of a number of the question's vector that is compared with sketches


def _reads_float16() -> bool:
    """Return whether numba compiles for a processor that reads numbers of 16 bits itself, in a quarter of the time. For
    another one LLVM calls a function that is not there."""
    settings: Any = config  # from variables such as NUMBA_CPU_NAME
    own = settings.CPU_NAME is None and settings.CPU_FEATURES is None and bool(settings.ENABLE_AVX)
    return own and bool(get_host_cpu_features().get("f16c"))


READS_FLOAT16 = _reads_float16()


@intrinsic
def _float16(context: Any, code: Any) -> Any:
    """Return the number that 16 bits stand for."""

    def read(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return numba.types.float32(numba.types.uint16), read


def _product(codes: Any, query: Any) -> Any:
    """Return the inner product of a vector in codes (field_vectors.py) with the question's."""
    return decoded(codes) @ query


@overload(_product, jit_options={"fastmath": REORDERED})
def _compiled_product(codes: Any, query: Any) -> Any:
    def of_8_bits(codes: Any, query: Any) -> Any:
        total = np.float32(0)
        for column in range(len(query)):
            total += np.float32(np.int8(codes[column] ^ np.uint8(0x80))) * query[column]
        return total

    def of_16_bits(codes: Any, query: Any) -> Any:
        total = np.float32(0)
        for column in range(len(query)):
            total += _float16(codes[column]) * query[column]  # type: ignore[call-arg]
        return total

    def of_16_bits_in_steps(codes: Any, query: Any) -> Any:
        total = np.float32(0)
        for column in range(len(query)):
            # Sign, exponent and fraction take their places in 32 bits, where the bias of the exponent is 112 more.
            sign, rest = np.uint32(codes[column] & np.uint16(0x8000)), np.uint32(codes[column] & np.uint16(0x7FFF))
            bits = np.uint32((sign << np.uint32(16)) | (rest << np.uint32(13)))
            total += bits.view(np.float32) * np.float32(2.0**112) * query[column]
        return total

    if codes.dtype == numba.types.uint8:
        return of_8_bits
    return of_16_bits if READS_FLOAT16 else of_16_bits_in_steps


def _fetch(array: Any, row: Any) -> None:
    """Begin to fetch a row of an array from memory into the processor's cache, and do not wait for it."""


@intrinsic
def _prefetched(context: Any, array: Any, row: Any) -> Any:
    def prefetched(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        rows = context.make_array(signature.args[0])(context, builder, arguments[0])
        size = builder.extract_value(rows.strides, 0)
        start = builder.gep(builder.bitcast(rows.data, pointer), [builder.mul(arguments[1], size)])
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        fetch = cast(Any, cgutils).get_or_insert_function  # which has no types
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(_CACHE_LINE)) as (at, _):
            to_read, into_all_caches, of_data = number(0), number(3), number(1)
            of_line = builder.gep(start, [at])
            builder.call(fetch(builder.module, kind, "llvm.prefetch.p0"), [of_line, to_read, into_all_caches, of_data])
        return context.get_dummy_value()

    return numba.types.void(array, row), prefetched


@overload(_fetch)
def _compiled_fetch(array: Any, row: Any) -> Any:
    def fetch(array: Any, row: Any) -> None:
        _prefetched(array, row)  # type: ignore[call-arg]

    return fetch


@compiled
def best_cosines(
    codes: NDArray[np.unsignedinteger],
    scales: NDArray[np.float32],
    starts: NDArray[np.int64],
    query: NDArray[np.float32],
    videos: NDArray[np.int64],
    cosines: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> None:
    """Write the cosine of each video's best vector with the question's, and its row; NaN and -1 without a vector.

    Video v has the rows starts[v] to starts[v + 1]. Row starts[0] is the first of `codes` and `scales`
    (field_vectors.py).
    """
    # To wait for memory would take longer than to compute. So what comes next is fetched: rows `coming` to `end` of one
    # video, then those of the videos from `following` on, as long as some of _ROWS_AHEAD are `missing`.
    following, coming, end, missing = 0, 0, 0, _ROWS_AHEAD
    for number in range(len(videos)):
        best, at = np.float32(np.nan), -1
        for row in range(starts[videos[number]], starts[videos[number] + 1]):
            missing += 1
            while missing > 0 and (coming < end or following < len(videos)):
                if coming < end:
                    _fetch(codes, coming - starts[0])
                    coming, missing = coming + 1, missing - 1
                else:
                    coming, end = starts[videos[following]], starts[videos[following] + 1]
                    following += 1
            here = row - starts[0]
            cosine = _product(codes[here], query) * scales[here]
            if at < 0 or cosine > best:
                best, at = cosine, row
        cosines[number], rows[number] = best, at


@compiled
def best_in_all(
    table: NDArray[np.int64],
    like: NDArray[np.unsignedinteger],
    starts: NDArray[np.int64],
    query: NDArray[np.float32],
    videos: NDArray[np.int64],
    cosines: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> None:
    """Write what `best_cosines` writes of videos in several parts, which are ascending.

    Args:
        table: of each part, the first video and the one after the last, how many vectors there are, and where the codes
            and the scales of these are, shape (parts, 5).
        like: an array of the type of the codes.
        starts: the first row of each video of all.
    """
    low = 0
    for part in range(len(table)):
        first, end, count = table[part, 0], table[part, 1], table[part, 2]
        high = low
        while high < len(videos) and videos[high] < end:
            high += 1
        if low < high:
            codes = array_at(table[part, 3], count * len(query), like.dtype)
            best_cosines(
                codes.reshape(count, len(query)),
                array_at(table[part, 4], count, np.float32),
                starts[first : end + 1],
                query,
                videos[low:high] - first,
                cosines[low:high],
                rows[low:high],
            )
        low = high


def _sum_of_bits(raw: Any, row: Any, planes: Any) -> Any:
    """Return the sum of the whole numbers that are where a row of bytes has bits.

    Plane p, planes[:, p], has bit p of each number; the last is that of the sign, as in two's complement.
    """
    counts = np.bitwise_count(raw[row, : 8 * len(planes)].view("<u8")[:, None] & planes).sum(axis=0, dtype=np.int64)
    return int((counts << np.arange(_PLANES)).sum() - (counts[-1] << _PLANES))


@intrinsic
def _compiled_sum(context: Any, raw: Any, row: Any, planes: Any) -> Any:
    def added(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(64)
        eight, tools = ir.VectorType(number, _PLANES), cast(Any, cgutils)  # which have no types
        rows, numbers = (context.make_array(signature.args[n])(context, builder, arguments[n]) for n in (0, 2))
        start = builder.gep(rows.data, [builder.mul(arguments[1], builder.extract_value(rows.strides, 0))])
        word_at, planes_at = (
            builder.bitcast(start, number.as_pointer()),
            builder.bitcast(numbers.data, eight.as_pointer()),
        )
        counted = tools.get_or_insert_function(
            builder.module, ir.FunctionType(eight, [eight]), f"llvm.ctpop.v{_PLANES}i64"
        )
        total = tools.alloca_once_value(builder, eight(None))
        with tools.for_range(builder, builder.extract_value(numbers.shape, 0)) as loop:
            word = builder.load(builder.gep(word_at, [loop.index]), align=1)
            one = builder.insert_element(eight(ir.Undefined), word, ir.IntType(32)(0))
            each = builder.shuffle_vector(one, one, ir.VectorType(ir.IntType(32), _PLANES)(None))
            both = builder.and_(each, builder.load(builder.gep(planes_at, [loop.index]), align=8))
            builder.store(builder.add(builder.load(total), builder.call(counted, [both])), total)
        shifted = builder.shl(builder.load(total), eight(list(range(_PLANES))))
        added = tools.get_or_insert_function(
            builder.module, ir.FunctionType(number, [eight]), f"llvm.vector.reduce.add.v{_PLANES}i64"
        )
        last = builder.extract_element(shifted, ir.IntType(32)(_PLANES - 1))
        return builder.sub(builder.call(added, [shifted]), builder.shl(last, number(1)))

    return numba.types.int64(raw, row, planes), added


@overload(_sum_of_bits)
def _overloaded_sum(raw: Any, row: Any, planes: Any) -> Any:
    def sum_of_bits(raw: Any, row: Any, planes: Any) -> Any:
        return _compiled_sum(raw, row, planes)  # type: ignore[call-arg]

    return sum_of_bits


def _float32_in(raw: Any, row: Any, at: Any) -> Any:
    """Return the number of 32 bits that begins at a byte of a row."""
    return raw[row, at : at + 4].view("<f4")[0]


@intrinsic
def _compiled_float32(context: Any, raw: Any, row: Any, at: Any) -> Any:
    def read(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = context.make_array(signature.args[0])(context, builder, arguments[0])
        before = builder.mul(arguments[1], builder.extract_value(rows.strides, 0))
        start = builder.gep(rows.data, [builder.add(before, arguments[2])])
        return builder.load(builder.bitcast(start, ir.FloatType().as_pointer()), align=1)

    return numba.types.float32(raw, row, at), read


@overload(_float32_in)
def _overloaded_float32(raw: Any, row: Any, at: Any) -> Any:
    def float32_in(raw: Any, row: Any, at: Any) -> Any:
        return _compiled_float32(raw, row, at)  # type: ignore[call-arg]

    return float32_in


@compiled
def near_sketches(
    raw: NDArray[np.uint8],
    planes: NDArray[np.uint64],
    scale: float,
    shift: float,
    among: NDArray[np.bool_],
    least: float,
    row: int,
    found: int,
    rows: NDArray[np.int64],
    nearness: NDArray[np.float32],
) -> tuple[int, int]:
    """Write the sketches that are nearer to a question than `least`: their rows, and about how near they are.

    It begins at `row`, after `found` ones that were written before, and ends where `rows` is full. Return the row where
    it has ended, and how many it has found by then.

    Args:
        raw: the signs of each vector as bits, and the two numbers (sketch.py), shape (rows, bytes).
        planes: the bits of the question's numbers, in the order of the signs, shape (words, _PLANES).
        scale, shift: the product of a row is `scale` times the sum of the numbers where it has bits, less `shift`.
        among: which rows to choose from, shape (rows,); empty for all.
    """
    times, less, lowest, numbers = np.float32(scale), np.float32(shift), np.float32(least), raw.shape[1] - 8
    while row < len(raw) and found < len(rows):
        if row + _SKETCHES_AHEAD < len(raw):
            _fetch(raw, row + _SKETCHES_AHEAD)
        if len(among) == 0 or among[row]:
            product = times * np.float32(_sum_of_bits(raw, row, planes)) - less
            near = _float32_in(raw, row, numbers + 4) * product - np.float32(0.5) * _float32_in(raw, row, numbers)
            if near > lowest:
                rows[found], nearness[found] = row, near
                found += 1
        row += 1
    return row, found


@compiled
def nearest_in_all(
    table: NDArray[np.int64],
    planes: NDArray[np.uint64],
    scales: NDArray[np.float64],
    shifts: NDArray[np.float64],
    added: NDArray[np.float32],
    wanted: NDArray[np.int64],
    among: NDArray[np.bool_],
    room: int,
    found: NDArray[np.int64],
    nearness: NDArray[np.float32],
) -> int:
    """Write the rows of each part whose sketches are about the nearest to a question, ascending, and how near they are.
    Return how many there are.

    Args:
        table: of each part, where its sketches are, how many, and of how many bytes, and the number of its first row
            among those of all parts, shape (parts, 4).
        planes, scales, shifts: of each part, see `near_sketches`.
        added: what is added to the nearness in each part, shape (parts,).
        wanted: at most so many of each part, shape (parts,).
        among: which rows of all parts to choose from; empty for all.
        room: for so many times as many rows as wanted: there are seldom more before the best of them are chosen.
    """
    largest = room * wanted.max()
    rows, near, scratch = np.empty(largest, np.int64), np.empty(largest, np.float32), np.empty(largest, np.float32)
    total = 0
    for part in range(len(table)):
        count, size, first = table[part, 1], table[part, 2], table[part, 3]
        raw = array_at(table[part, 0], count * size, np.uint8).reshape(count, size)
        some = among[first : first + count] if len(among) else among
        row, kept, least, most = 0, 0, -np.inf, room * wanted[part]
        while row < count and most:
            row, kept = near_sketches(
                raw, planes[part], scales[part], shifts[part], some, least, row, kept, rows[:most], near[:most]
            )
            kept, least = keep_highest(rows, near, kept, wanted[part], scratch)
        for number in range(kept):
            found[total], nearness[total] = first + rows[number], near[number] + added[part]
            total += 1
    return total


@compiled
def find_highest(
    scores: NDArray[np.floating],
    among: NDArray[np.bool_],
    wanted: int,
    places: NDArray[np.int64],
    values: NDArray[np.floating],
    scratch: NDArray[np.floating],
) -> int:
    """Write the places of the `wanted` highest scores, ascending, to `places`: of equal ones the first. Return how many
    there are; NaN is not among them.

    Args:
        among: the places to choose from, shape (scores,); empty for all.
        places, values, scratch: of one length, more than `wanted`: each time they are full, only the highest stay.
    """
    found, least, full = 0, -np.inf, False
    for place in range(len(scores)):
        # -inf is above no limit, and NaN does not equal itself
        high = scores[place] > least or (not full and scores[place] == scores[place])
        if high and (len(among) == 0 or among[place]):
            places[found], values[found] = place, scores[place]
            found += 1
            if found == len(places):
                found, least = keep_highest(places, values, found, wanted, scratch)
                full = True
    return keep_highest(places, values, found, wanted, scratch)[0]


@compiled
def keep_highest(
    rows: NDArray[np.int64],
    values: NDArray[np.floating],
    count: int,
    wanted: int,
    scratch: NDArray[np.floating],
) -> tuple[int, float]:
    """Move the `wanted` highest of the first `count` values, and their rows, to the beginning: of equal ones the first.

    Return how many there are now, and the lowest of them; minus infinity if there are not more than wanted.
    """
    if count <= wanted:
        return count, -np.inf
    scratch[:count] = values[:count]
    least = _lowest_of_highest(scratch, count, wanted)
    equal, kept = wanted, 0
    for number in range(count):
        equal -= values[number] > least
    for number in range(count):
        same = values[number] == least
        take = values[number] > least or (same and equal > 0)
        equal -= same
        rows[kept], values[kept] = rows[number], values[number]
        kept += take
    return kept, least


@compiled
def _lowest_of_highest(values: NDArray[np.floating], count: int, wanted: int) -> float:
    """Return the lowest of the `wanted` highest of the first `count` values, whose order changes (quickselect). numba
    needs 15 seconds to compile that of numpy."""
    low, high, place = 0, count - 1, wanted - 1
    while low < high:
        between, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] > between:
                left += 1
            while values[right] < between:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            break
    return float(values[place])
