"""A corpus to back up, as fixtures, and what to compare after it is restored."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import HAND, Encounter, Text
from retrieval.corpus.backup import back_up
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder
from tests.tiny_corpus import BREAD, KETTLE, make_data, make_index

QUESTIONS = ["hollow loaf", "haunted toaster", "three trains", "lost sock", "why does the kettle sing", "is it done"]
Folders = tuple[Path, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folder = tmp_path_factory.mktemp("corpus")
    data, indexes = folder / "data", folder / "indexes"
    make_data(data)
    with Catalog(data) as catalog:
        catalog.judgements.add("hollow loaf", BREAD, 12.5)
        catalog.put_encounters(BREAD, [Encounter(list="likes", at="2024-03-04T11:22:33")])
        catalog.put_text(KETTLE, "transcript", Text("it whistles", HAND))
    (data / "examples.json").write_text('[{"text": "hollow loaf"}]', encoding="utf-8")
    make_index(data, indexes, FakeEncoder())
    return data, indexes


@pytest.fixture
def corpus(made: Folders, tmp_path: Path) -> Folders:
    data, indexes = (shutil.copytree(folder, tmp_path / folder.name) for folder in made)
    return data, indexes


@pytest.fixture
def backed_up(corpus: Folders, tmp_path: Path) -> Path:
    return back_up(*corpus, tmp_path / "backup.zip", media=True).file


def answers(indexes: Path) -> list[Any]:
    searcher = Searcher(open_current(indexes), FakeEncoder())
    found = [searcher.search(question, 7).hits for question in QUESTIONS]
    return [[(hit.id, hit.score) for hit in hits] for hits in found]


def entries(data: Path) -> list[Any]:
    with Catalog(data) as catalog:
        return [
            (entry.video, entry.texts, entry.encounters, entry.states, [(m.kind, m.sha256) for m in entry.media])
            for entry in catalog.entries(catalog.ids())
        ]
