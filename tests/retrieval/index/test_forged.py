"""Files that somebody has made to harm, with checksums that fit, and damaged files that are mapped: nothing is read or
written outside of an array, and what cannot be used is refused."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.errors import GenerationError
from retrieval.index.arrays import read_arrays, save_arrays
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.builder import build
from retrieval.index.documents import TEXT_FIELDS, plain_document
from retrieval.index.generation import open_current
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.keyword_part import file_of as keyword_file
from retrieval.index.layout import current_name, generations_folder
from retrieval.index.manifest import Manifest
from retrieval.index.posting import FREQUENCY_BITS
from retrieval.index.verified import VerifiedFiles
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder
from tests.retrieval.segments import forge

Change = Callable[[Manifest], dict[str, Any]]


def file_of(header: Any, content: bytes = b"", *, aligned: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % aligned)
    return np.frombuffer(struct.pack("<Q", len(text)) + text + content, np.uint8)


@pytest.mark.parametrize(
    "raw",
    [
        file_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, b"x", aligned=1),
        file_of({"a": {"dtype": "U16", "shape": [1], "data_offsets": [1, 3]}}, b"abc"),
        file_of({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}, b"x"),
        file_of({"a": {"dtype": "U8", "shape": [1 << 62, 4], "data_offsets": [0, 0]}}),
        file_of({"a": {"dtype": "U8", "shape": [1e400], "data_offsets": [0, 1]}}, b"x"),
        file_of({"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, b"12345678"),
        file_of({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}, b"xxx"),
        file_of(b"[" * 100_000),
        file_of([]),
        np.zeros(0, np.uint8),
    ],
)
def test_a_forged_file_of_arrays_is_refused(raw: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="no file of arrays"):
        read_arrays(raw)


def test_damaged_postings_of_a_mapped_file_reach_no_other_video() -> None:
    part = KeywordPart.build("stems", [{"description": "teapot"}, {"description": "kettle"}], TEXT_FIELDS)
    other = KeywordPart.build("stems", [{"description": "spoon"}] * 2, TEXT_FIELDS)
    numbers = [2, 60_000]  # of videos; this segment has two
    damaged = replace(
        part,
        indptr=np.array([0, 3, 1 << 30], np.uint32),
        docs=np.array([*numbers, *part.docs], np.uint16),
        packed=np.array([1, 1, *part.packed[:-1], 7 << FREQUENCY_BITS | 1], np.uint8),
    )
    index = KeywordIndex([damaged, other], np.ones(4, bool))
    weights = np.ones(len(TEXT_FIELDS))
    found = index.totals("teapot kettle", weights)
    assert not found.scores[2:].any() and np.isfinite(found.scores).all()
    assert not index.split(found, np.arange(4))[:, 2:].any()
    assert not index.contain("teapot kettle", np.array([2, 3])).any()


@pytest.mark.parametrize("name", ["indptr", "docs", "packed", "terms.hashes", "terms.starts"])
def test_mapped_postings_of_which_an_array_is_too_short_are_refused(name: str, tmp_path: Path) -> None:
    part = KeywordPart.build("stems", [{"description": "teapot"}, {"description": "kettle"}], TEXT_FIELDS)
    part.save(tmp_path)
    path = tmp_path / keyword_file("stems")
    KeywordPart.load(VerifiedFiles(tmp_path, {path.name: ""}, mapped=True), "stems")
    arrays = read_arrays(np.fromfile(path, np.uint8)).arrays
    save_arrays(path, arrays | {name: arrays[name][:-1]})
    with pytest.raises(ValueError, match="contradict"):
        KeywordPart.load(VerifiedFiles(tmp_path, {path.name: ""}, mapped=True), "stems")


@pytest.mark.parametrize(
    "change",
    [
        lambda made: {"encoders": tuple(one.model_copy(update={"dimension": 128}) for one in made.encoders)},
        lambda made: {"segments": ()},
        lambda made: {"segments": tuple(one.model_copy(update={"videos": 1 << 40}) for one in made.segments)},
        lambda made: {"files": made.files | {"../../secret": "0" * 64}},
        lambda made: {"name": "20200101T000000000000-000000"},
    ],
    ids=["encoders", "no segment", "videos", "path", "name"],
)
def test_a_forged_manifest_is_refused(change: Change, tmp_path: Path) -> None:
    made = build([plain_document("1", "teapot", "it whistles")], tmp_path, FakeEncoder())
    forge(tmp_path, **change(made))
    with pytest.raises(GenerationError, match="tiktok-retrieval build"):
        open_current(tmp_path)


def test_a_manifest_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    build([plain_document("1", "teapot", "it whistles")], tmp_path, FakeEncoder())
    path = generations_folder(tmp_path) / current_name(tmp_path) / "manifest.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(GenerationError, match="no readable manifest"):
        open_current(tmp_path)


def test_an_encoder_that_gives_longer_vectors_than_the_index_has_is_refused(tmp_path: Path) -> None:
    build([plain_document("1", "teapot", "it whistles")], tmp_path, FakeEncoder(dimension=32))
    with pytest.raises(GenerationError, match="built with other"):
        Searcher(open_current(tmp_path), FakeEncoder(dimension=64))
