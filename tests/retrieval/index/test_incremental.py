"""Builds that write only what has changed: what is found is what an index that is built anew finds."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.embedding.encoder import Encoder, Vectors
from retrieval.index import builder, hubness, segment_writer
from retrieval.index.builder import Corpus, build, build_corpus
from retrieval.index.documents import Document, Passage
from retrieval.index.generation import open_current
from retrieval.index.keys import content_of
from retrieval.index.layout import current_name, generation_names, segment_names
from retrieval.index.merge import MAX_SMALL, merge
from retrieval.index.publish import prune, reweight, rollback
from retrieval.search.searcher import Searcher
from tests.retrieval.segments import segment_folder

QUESTIONS = ("porcelain teapot", "sourdough starter", "tides", "left", "it is a foxglove", "quokka", "回転寿司")


def changed(doc: Document, words: str) -> Document:
    """Return a document with another description."""
    texts = doc.texts | {"description": words}
    passages = dict(doc.passages) | {"description": [Passage(words)], "overview": [Passage(f"{words} {doc.id}")]}
    return dataclasses.replace(doc, texts=texts, passages=passages)


def answers(indexes: Path, encoder: Encoder) -> list[dict[str, Any]]:
    """Return the score of every video for some questions."""
    searcher = Searcher(open_current(indexes), encoder)
    found = []
    for question in QUESTIONS:
        hits = searcher.search(question, k=50).hits
        found.append({hit.id: pytest.approx(hit.score, abs=2e-5) for hit in hits})
    return found


def same_as_new(indexes: Path, documents: Sequence[Document], encoder: Encoder, folder: Path) -> None:
    manifest = build(documents, folder, encoder)
    current = open_current(indexes).manifest
    assert (current.videos, current.passages) == (manifest.videos, manifest.passages)
    assert current.corpus_sha256 == manifest.corpus_sha256
    assert answers(indexes, encoder) == answers(folder, encoder)


def test_what_is_added_changed_and_removed_is_found_as_in_a_new_index(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    indexes = tmp_path / "indexes"
    corpus = list(documents[:3])
    build(corpus, indexes, encoder)
    steps = [
        [*corpus, documents[3]],
        [*corpus[1:], documents[3], changed(documents[0], "a quokka")],
        [*documents[1:]],
        [*documents],
        [documents[5]],
    ]
    for number, step in enumerate(steps):
        manifest = build(step, indexes, encoder)
        assert manifest.videos == len(step)
        same_as_new(indexes, step, encoder, tmp_path / f"new{number}")


def test_only_new_and_changed_videos_are_written_and_an_unchanged_corpus_writes_nothing(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents[:5], tmp_path, encoder)
    [first] = segment_names(tmp_path)
    build([changed(documents[0], "a quokka"), *documents[1:]], tmp_path, encoder)
    [old, new] = segment_names(tmp_path)
    assert old == first and segment_folder(tmp_path).name == new
    assert sorted(open_current(tmp_path).segments[1].ids) == [documents[0].id, documents[5].id]
    build([changed(documents[0], "a quokka"), *documents[1:]], tmp_path, encoder)
    assert segment_names(tmp_path) == [old, new]
    build(documents[:5], tmp_path, encoder)
    assert [one.name for one in open_current(tmp_path).segments] == [first], "what it was is found again"


def test_many_small_builds_are_joined_and_nothing_is_lost(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    indexes, corpus = tmp_path / "indexes", [documents[0]]
    build(corpus, indexes, encoder)
    for number in range(3 * MAX_SMALL):
        one = documents[number % len(documents)]
        corpus.append(changed(dataclasses.replace(one, id=f"8{number:05}"), f"a quokka and {number} teapots"))
        build(corpus, indexes, encoder)
        before, generations = answers(indexes, encoder), generation_names(indexes)
        if merge(indexes):
            assert generation_names(indexes)[:-1] == generations[:-1], "the generation that it replaces is deleted"
            assert answers(indexes, encoder) == before
        assert len(open_current(indexes).segments) <= MAX_SMALL
    same_as_new(indexes, corpus, encoder, tmp_path / "new")
    deleted = corpus[: 2 * MAX_SMALL]
    build(deleted, indexes, encoder)
    merge(indexes)
    same_as_new(indexes, deleted, encoder, tmp_path / "less")


def test_prune_deletes_the_segments_that_no_generation_has(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents[:5], tmp_path, encoder)
    build([*documents[:4], documents[5]], tmp_path, encoder)
    build(documents[:4], tmp_path, encoder)
    old, new = segment_names(tmp_path)
    reweight(tmp_path, open_current(tmp_path).manifest.weights)
    rollback(tmp_path)
    assert segment_names(tmp_path) == [old, new]
    prune(tmp_path, keep=0)
    assert segment_names(tmp_path) == [old] and len(generation_names(tmp_path)) == 1
    assert open_current(tmp_path).alive.tolist() == [True] * 4 + [False]


class Killed(BaseException):
    """Simulates a killed process: it is no Exception, so no cleanup code catches it."""


def test_the_next_build_takes_over_the_segments_that_a_killed_one_has_completed(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "AT_ONCE", 2)
    by_id = {doc.id: doc for doc in documents}
    made: list[str] = []

    def corpus(last: int) -> Corpus:
        def of(ids: Sequence[str]) -> list[Document]:
            made.extend(ids)
            if len(made) > last:
                raise Killed
            return [by_id[one] for one in ids]

        return Corpus({doc.id: content_of(doc) for doc in documents}, of)

    with pytest.raises(Killed):
        build_corpus(corpus(4), tmp_path, encoder)
    assert len(segment_names(tmp_path)) == 2
    made.clear()
    assert build_corpus(corpus(2), tmp_path, encoder).videos == 6
    assert len(made) == 2 and len(segment_names(tmp_path)) == 3
    assert sorted(open_current(tmp_path).ids) == sorted(by_id)


def test_the_videos_of_a_damaged_segment_are_indexed_again(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents[:3], tmp_path, encoder)
    build(documents, tmp_path, encoder)
    damaged = segment_folder(tmp_path)
    for path in damaged.glob("vectors*"):
        path.write_bytes(path.read_bytes()[:-1])
    build(documents, tmp_path, encoder)
    generation = open_current(tmp_path)
    assert len(generation.positions) == 6 and damaged.name not in [one.name for one in generation.segments]


def test_hubness_is_that_of_all_videos_whatever_segment_they_are_in(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    many = [
        changed(dataclasses.replace(documents[number % 6], id=f"8{number:05}"), f"{number} teapots")
        for number in range(40)
    ]
    build(many, tmp_path / "new", encoder)
    for count in (10, 25, 40):
        build(many[:count], tmp_path / "grown", encoder)
    new, grown = open_current(tmp_path / "new"), open_current(tmp_path / "grown")
    assert np.abs(new.hubs).max() > 0.01
    for video in many:
        one, other = new.positions[video.id], grown.positions[video.id]
        np.testing.assert_allclose(new.hubs[:, one], grown.hubs[:, other], atol=1e-5)
    assert current_name(tmp_path / "grown") == grown.name


def test_hubness_is_kept_if_nothing_changes_and_computed_by_a_build_after_a_server(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubness, "NEIGHBOURS", 1)
    monkeypatch.setattr(hubness, "FOLLOWED", 0)
    computed: list[int] = []
    mean = hubness.mean_of_nearest

    def counted(vectors: Vectors, videos: NDArray[np.int64], *others: Any) -> NDArray[np.float32]:
        computed.append(len(videos))
        return mean(vectors, videos, *others)

    monkeypatch.setattr(hubness, "mean_of_nearest", counted)

    def hubs(count: int, most: int | None = None) -> tuple[int, NDArray[np.float32]]:
        computed.clear()
        by_id = {doc.id: doc for doc in documents[:count]}
        wanted = {one: content_of(doc) for one, doc in by_id.items()}
        build_corpus(Corpus(wanted, lambda ids: [by_id[one] for one in ids]), tmp_path, encoder, most=most)
        return sum(computed), open_current(tmp_path).hubs

    every, before = hubs(3)
    again, after = hubs(3)
    assert (every, again) == (3, 0) and np.array_equal(before, after) and before.any()
    assert hubs(4, most=5)[0] == 1  # a server computes it for the new video only
    assert hubs(4)[0] == 4 and hubs(4)[0] == 0


def test_a_generation_is_the_newest_although_the_clock_was_set_back(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Earlier":
            return cls(2001, 2, 3, tzinfo=tz)

    first = build(documents[:2], tmp_path, encoder).name
    monkeypatch.setattr(segment_writer, "datetime", Earlier)
    second = build(documents, tmp_path, encoder).name
    assert generation_names(tmp_path) == [first, second] and second == current_name(tmp_path)
    assert rollback(tmp_path) == first


def test_videos_that_cannot_be_read_are_no_change(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    wanted = {doc.id: content_of(doc) for doc in documents}
    lost, readable = documents[1].id, [doc for doc in documents if doc is not documents[1]]

    def corpus(readable: Sequence[Document]) -> Corpus:
        return Corpus(wanted, lambda ids: (doc for doc in readable if doc.id in ids))

    build_corpus(corpus(readable), tmp_path, encoder)
    assert lost not in open_current(tmp_path).positions
    assert builder.unchanged(corpus(readable), tmp_path, encoder.name)
    assert builder.unchanged(corpus(documents), tmp_path, encoder.name) is None, "it can be read again"
    assert builder.unchanged(corpus(readable[1:]), tmp_path, encoder.name)
