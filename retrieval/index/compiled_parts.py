"""The loops of compiled.py over all parts of a keyword index, each in one call (addresses.py).

`table` has a row for each part (parts.py). The arrays `starts` and `ends` have the spans of each form in each part,
shape (parts, forms), and `first_span` the first form of each term. Scratch space has the length of the largest part.
"""

import numpy as np
from numpy.typing import NDArray

from retrieval.index.addresses import array_at
from retrieval.index.compiled import (
    add_impacts,
    add_split,
    add_totals,
    compiled,
    count_videos,
    find_strings,
    note_terms,
)
from retrieval.index.parts import (
    BYTES,
    DOCS,
    FIRST,
    HASHES,
    INDPTR,
    LENGTH_OF_BYTES,
    PACKED,
    POSTINGS,
    STARTS,
    TERMS,
    VIDEOS,
)


@compiled
def find_spans(
    table: NDArray[np.int64],
    wanted: NDArray[np.uint64],
    wanted_raw: NDArray[np.uint8],
    wanted_starts: NDArray[np.unsignedinteger],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    """Write where the postings of each wanted form start and end in each part; both are 0 for one that is not there."""
    numbers = np.empty(len(wanted), np.int64)
    for part in range(len(table)):
        numbers[:] = -1
        size, most = table[part, TERMS], table[part, POSTINGS]
        find_strings(
            array_at(table[part, HASHES], size, np.uint64),
            array_at(table[part, BYTES], table[part, LENGTH_OF_BYTES], np.uint8),
            array_at(table[part, STARTS], size + 1, np.uint32),
            wanted,
            wanted_raw,
            wanted_starts,
            numbers,
        )
        indptr = array_at(table[part, INDPTR], size + 1, np.uint32)
        for number in range(len(wanted)):
            at, start, end = numbers[number], np.int64(0), np.int64(0)
            if at >= 0:  # damage in a file that is mapped must not lead the loops out of it
                start, end = min(np.int64(indptr[at]), most), min(np.int64(indptr[at + 1]), most)
            starts[part, number], ends[part, number] = start, max(start, end)


@compiled
def count_in_all(
    table: NDArray[np.int64],
    alive: NDArray[np.bool_],
    all_alive: NDArray[np.bool_],
    weights: NDArray[np.float32],
    every_field: bool,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first_span: NDArray[np.int64],
    first_synonym: NDArray[np.int64],
    seen: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> None:
    """Add to `counts`, shape (2, terms), as `count_videos`.

    `alive` has shape (videos,), and `all_alive` says of each part whether all of its videos are. `every_field` says
    that each field has a weight. `seen` is scratch space, of zeros.
    """
    for part in range(len(table)):
        first, videos = table[part, FIRST], table[part, VIDEOS]
        count_videos(
            array_at(table[part, DOCS], table[part, POSTINGS], np.uint16),
            array_at(table[part, PACKED], table[part, POSTINGS], np.uint8),
            alive[first : first + videos],
            weights,
            starts[part],
            ends[part],
            first_span,
            first_synonym,
            every_field and bool(all_alive[part]),
            2 * (len(first_span) - 1) * part,
            seen[:videos],
            counts,
        )


@compiled
def add_all_totals(
    table: NDArray[np.int64],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    factors: NDArray[np.float32],
    first_span: NDArray[np.int64],
    scales: NDArray[np.float32],
    shares: NDArray[np.float32],
    saturation: NDArray[np.float32],
    kept: NDArray[np.int64],
    kept_terms: NDArray[np.int64],
    frequency: NDArray[np.float32],
    touched: NDArray[np.int32],
    totals: NDArray[np.float32],
    coverage: NDArray[np.float32],
) -> None:
    """Write to `totals` and `coverage` what `add_totals` adds, and `add_impacts` for other terms.

    Args:
        kept: where the videos and the impacts of each of `kept_terms` are, and how many: shape (terms, parts, 3).
        frequency, touched: scratch space; the first is of zeros, and is so afterwards.
    """
    for part in range(len(table)):
        first, videos = table[part, FIRST], table[part, VIDEOS]
        of_part = totals[first : first + videos], coverage[first : first + videos]
        of_part[0][:], of_part[1][:] = 0, 0
        add_totals(
            array_at(table[part, DOCS], table[part, POSTINGS], np.uint16),
            array_at(table[part, PACKED], table[part, POSTINGS], np.uint8),
            weights,
            starts[part],
            ends[part],
            factors,
            first_span,
            scales,
            shares,
            saturation[first : first + videos],
            frequency[:videos],
            touched[:videos],
            of_part[0],
            of_part[1],
        )
        for number in range(len(kept_terms)):
            at, term = kept[number, part], kept_terms[number]
            add_impacts(
                array_at(at[0], at[2], np.uint16),
                array_at(at[1], at[2], np.float32),
                scales[term],
                shares[term],
                of_part[0],
                of_part[1],
            )


@compiled
def find_impacts(
    table: NDArray[np.int64],
    alive: NDArray[np.bool_],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    factors: NDArray[np.float32],
    saturation: NDArray[np.float32],
    scratch: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]],
    found: NDArray[np.uint16],
    impacts: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """Write which videos of each part have a term in one of its forms, what it adds to each if its scale is 1, and how
    many videos of each part these are.

    Args:
        scratch: space, of which the first array is of zeros.
        found, impacts: with room for all of these videos, and for one more.
    """
    frequency, touched, totals, coverage = scratch
    one, whole, at = np.ones(1, np.float32), np.array([0, len(factors)]), 0
    for part in range(len(table)):
        first, videos, before = table[part, FIRST], table[part, VIDEOS], at
        totals[:videos], coverage[:videos] = 0, 0
        add_totals(
            array_at(table[part, DOCS], table[part, POSTINGS], np.uint16),
            array_at(table[part, PACKED], table[part, POSTINGS], np.uint8),
            weights,
            starts[part],
            ends[part],
            factors,
            whole,
            one,
            one,
            saturation[first : first + videos],
            frequency[:videos],
            touched[:videos],
            totals[:videos],
            coverage[:videos],
        )
        for video in range(videos):
            found[at], impacts[at] = video, totals[video]
            at += coverage[video] > 0 and alive[first + video]
        counts[part] = at - before


@compiled
def add_all_split(
    table: NDArray[np.int64],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    factors: NDArray[np.float32],
    first_span: NDArray[np.int64],
    scales: NDArray[np.float32],
    saturation: NDArray[np.float32],
    wanted: NDArray[np.int64],
    split: NDArray[np.float64],
) -> None:
    """Add to `split`, shape (wanted, fields), as `add_split`. `wanted` is ascending."""
    low = 0
    for part in range(len(table)):
        first, videos = table[part, FIRST], table[part, VIDEOS]
        high = low
        while high < len(wanted) and wanted[high] < first + videos:
            high += 1
        add_split(
            array_at(table[part, DOCS], table[part, POSTINGS], np.uint16),
            array_at(table[part, PACKED], table[part, POSTINGS], np.uint8),
            weights,
            starts[part],
            ends[part],
            factors,
            first_span,
            scales,
            saturation[first : first + videos],
            wanted[low:high] - first,
            split[low:high],
        )
        low = high


@compiled
def note_all_terms(
    table: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first_span: NDArray[np.int64],
    wanted: NDArray[np.int64],
    found: NDArray[np.bool_],
) -> None:
    """Note in `found`, shape (terms, wanted), as `note_terms`."""
    for part in range(len(table)):
        first, videos = table[part, FIRST], table[part, VIDEOS]
        for number in range(len(wanted)):
            if first <= wanted[number] < first + videos:
                note_terms(
                    array_at(table[part, DOCS], table[part, POSTINGS], np.uint16),
                    starts[part],
                    ends[part],
                    first_span,
                    wanted[number : number + 1] - first,
                    found[:, number : number + 1],
                )
