"""A removal that is undone: the video must be in answers again, whatever the eraser did before."""

from pathlib import Path

import pytest

from ingest.catalog import Catalog
from retrieval.corpus.erasure import finish
from retrieval.index.generation import open_current
from tests.retrieval.fake_encoder import FakeEncoder
from tests.tiny_corpus import BREAD, FALCON, make_data, make_index


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", FakeEncoder())
    return tmp_path


def test_the_index_keeps_a_removed_video_while_it_can_come_back(corpus: Path) -> None:
    with Catalog(corpus) as catalog:
        catalog.removals.hide([BREAD])
    assert not finish(corpus, corpus / "indexes").anything
    assert BREAD in open_current(corpus / "indexes").ids


def test_erasing_one_video_keeps_another_that_can_come_back(corpus: Path) -> None:
    with Catalog(corpus) as catalog:
        catalog.removals.hide([FALCON])
        catalog.database.execute("UPDATE removals SET removed_at = removed_at - 60")
        catalog.removals.hide([BREAD])
    assert finish(corpus, corpus / "indexes").videos == [FALCON]
    ids = open_current(corpus / "indexes").ids
    assert BREAD in ids and FALCON not in ids
