"""A server opens a generation at each change: the one before must not stay in memory."""

import gc
import weakref
from pathlib import Path

from retrieval.index.builder import build
from retrieval.index.documents import plain_document
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder


def test_nothing_of_a_generation_stays_in_memory_after_its_last_use(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    build([plain_document(str(n), f"teapot {n}", "it whistles") for n in range(20)], tmp_path, encoder)
    gc.collect()
    gc.disable()
    try:
        generation = open_current(tmp_path)
        Searcher(generation, encoder).search("teapot whistles", k=3)
        indexes = [generation.passages, generation.phrases, generation.metadata, *generation.keyword.values()]
        dense = [index for of_encoder in generation.dense for index in of_encoder.values()]
        parts = [weakref.ref(one) for one in (*indexes, *dense, *generation.segments, generation.segments[0].passages)]
        del generation, indexes, dense
        assert not [part() for part in parts if part() is not None]
    finally:
        gc.enable()
