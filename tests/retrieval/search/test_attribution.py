"""What the whole video adds to a score is divided among its passages, and adds up."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding.cache_file import text_key
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.vector_cache import VectorCache
from retrieval.index.builder import build
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS, Document, document
from retrieval.index.whole_text import stretches
from retrieval.index.whole_video import PartsOfVideos
from retrieval.search.attribution import whole_video_shares
from retrieval.search.searcher import Searcher
from tests.retrieval.conftest import entry

QUESTIONS = ("the cat knocks a teapot off", "moon and ocean", "left not right", "zzzz")


def test_every_character_of_the_whole_text_belongs_to_the_passage_that_has_it() -> None:
    said = [(float(n), n + 1.0, f"segment {n} " + "and so on " * 12) for n in range(9)]
    doc = document(entry("70001", "a  description", "creator", said, "written\non it", ["one", "two  words"]))
    whole = doc.passages[OVERVIEW][0].text
    found = stretches(doc)
    assert found[0].at == 0 and len(doc.passages["transcript"]) > 2
    for one, end in zip(found, [*(other.at for other in found[1:]), len(whole)], strict=True):
        assert "".join(whole[one.at : end].split()) in "".join(doc.passages[one.field][one.passage].text.split())


@pytest.mark.parametrize("method", ["zscore", "dbsf", "rrf"])
def test_the_shares_of_the_passages_add_up_to_what_the_whole_video_adds(searcher: Searcher, method: str) -> None:
    generation = searcher.generation
    for question in QUESTIONS:
        ranking = searcher.rank(question, method=method)  # type: ignore[arg-type]
        every = range(len(generation.ids))
        for video, (shares, exact) in zip(every, whole_video_shares(generation, ranking, every, 0), strict=True):
            whole = ranking.dense[0, FIELDS.index(OVERVIEW), video]
            assert exact and sum(share.contribution for share in shares) == pytest.approx(whole, abs=1e-6)


def test_a_share_is_the_part_of_the_cosine_above_the_average(searcher: Searcher) -> None:
    generation = searcher.generation
    ranking = searcher.rank("he pushed the porcelain teapot off the shelf")
    videos = np.random.default_rng(0).permutation(len(generation.ids)).tolist()
    place, vector = FIELDS.index(OVERVIEW), ranking.vectors[0]
    assert vector is not None
    for video, (shares, _) in zip(videos, whole_video_shares(generation, ranking, videos, 0), strict=True):
        parts, total = generation.parts[0].of([video]), ranking.dense[0, place, video]
        cosine, average = ranking.best[0][OVERVIEW].cosines[video], ranking.averages[0, video]
        tokens = parts.tokens / parts.tokens.sum()
        expected = total / (cosine - average) * (parts.sums @ vector - tokens * average)
        # What is left is the error of rounded vectors.
        np.testing.assert_allclose([share.contribution for share in shares], expected, atol=0.02 * abs(total) + 1e-6)
        assert [share.passage for share in shares] == parts.passages.tolist()


def test_without_parts_a_field_gets_a_share_by_its_best_passage(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = searcher.generation
    ranking = searcher.rank("he pushed the porcelain teapot off the shelf")
    videos = [video for video in reversed(range(len(generation.ids))) if ranking.dense[0, -1, video]]
    none, size = np.zeros(0, np.uint8), generation.parts[0].of(videos).sums.shape[1]

    def unknown(some: Sequence[int]) -> PartsOfVideos:
        return PartsOfVideos([0] * (len(some) + 1), none, none, none, np.zeros((0, size), np.float32))

    monkeypatch.setattr(generation.parts[0], "of", unknown)
    vector, spread = ranking.vectors[0], generation.spreads[0]
    assert vector is not None
    for video, (shares, exact) in zip(videos, whole_video_shares(generation, ranking, videos, 0), strict=True):
        assert not exact and sum(share.contribution for share in shares) == pytest.approx(ranking.dense[0, -1, video])
        near = {}
        for field in TEXT_FIELDS:
            if generation.rows[field].present[video]:
                vectors = generation.dense[0][field].vectors(generation.rows[field].of(video))
                of_passages = spread.deviations(spread.directions(vectors), spread.directions(vector[None]))[:, 0]
                near[field] = int(of_passages.argmax()), max(0.0, float(of_passages.max()))
        assert {share.field: share.passage for share in shares} == {
            field: passage for field, (passage, _) in near.items()
        }
        total = sum(value for _, value in near.values())
        if total:
            expected = [value / total * ranking.dense[0, -1, video] for _, value in near.values()]
            np.testing.assert_allclose([share.contribution for share in shares], expected, rtol=1e-3, atol=1e-6)


def test_the_parts_of_a_whole_video_are_its_vector(searcher: Searcher) -> None:
    generation = searcher.generation
    parts = generation.parts[0].of(range(len(generation.ids)))
    for video in range(len(generation.ids)):
        together = parts.sums[parts.owners == video].sum(axis=0)
        vector = generation.dense[0][OVERVIEW].vector(generation.rows[OVERVIEW].of(video).start)
        assert together @ vector == pytest.approx(1.0, abs=2e-3)


def test_the_passage_that_is_meant_has_the_largest_share(searcher: Searcher) -> None:
    hit = searcher.search("he pushed the porcelain teapot off the shelf").hits[0]
    [whole] = [reason for reason in hit.explanation if reason.field == OVERVIEW]
    assert whole.exact_parts and whole.parts[0].field == "transcript" and "teapot" in whole.parts[0].passage
    assert sum(part.contribution for part in whole.parts) == pytest.approx(whole.contribution, abs=1e-6)
    assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)


def test_what_is_erased_from_the_cache_leaves_no_parts(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents, tmp_path, encoder)
    text, cuts = documents[0].passages[OVERVIEW][0].text, tuple(one.at for one in stretches(documents[0]))
    cache = VectorCache(tmp_path / "vectors.sqlite")
    assert cache.encode_parts(encoder, [text], [cuts])[1] == 0
    cache.forget([text_key(text)])
    assert cache.encode_parts(encoder, [text], [cuts])[1] == 1
    assert cache.encode_parts(encoder, [text], [(0,)])[1] == 1, "other cuts have other parts"
