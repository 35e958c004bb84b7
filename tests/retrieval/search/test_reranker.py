"""Rescoring by a tiny cross-encoder with random weights. Its scores are meaningless, but they are real ones."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ingest.models.weights import WeightsError
from retrieval.__main__ import app
from retrieval.evaluation.evaluate import evaluate
from retrieval.evaluation.queries import Query
from retrieval.search import reranker as module
from retrieval.search.fusion import METHODS, MODES, Method, Mode
from retrieval.search.reranker import Reranker
from retrieval.search.searcher import Searcher

QUESTION = "cat pushes the teapot off the shelf"
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a cat teapot the shelf bread starter tides moon ocean pushed off what plant left"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cross_encoder(tmp_path_factory.mktemp("reranker") / "tiny", labels=1)


def cross_encoder(folder: Path, *, labels: int) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder.mkdir()
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS.split()), encoding="utf-8")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS.split()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,  # far enough from 0 that passages get different scores
    )
    config.num_labels = labels
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(str(vocabulary)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reranker(folder: Path) -> Reranker:
    return Reranker(str(folder))


@pytest.fixture(scope="module")
def rescoring(searcher: Searcher, reranker: Reranker) -> Searcher:
    return Searcher(searcher.generation, *searcher.encoders, reranker=reranker)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", MODES)
def test_contributions_including_the_rerankers_add_up_to_the_score(
    rescoring: Searcher, mode: Mode, method: Method
) -> None:
    hits = rescoring.search(QUESTION, mode=mode, method=method).hits
    for hit in hits:
        assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
        assert sum(reason.retriever == "reranker" for reason in hit.explanation) == 1
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_videos_best_passage_counts(rescoring: Searcher, reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASSAGES", 100)
    ranking = rescoring.rank(QUESTION)
    generation = rescoring.generation
    best = []
    for video, read in ranking.rescored.items():
        texts = [
            passage.text
            for field in ranking.best[0]
            for passage in generation.passages(field, generation.rows[field].of(video))
        ]
        scores = reranker.scores(ranking.query, texts)
        liked = generation.passages(read.field, range(read.row, read.row + 1))[0].text
        assert reranker.scores(ranking.query, [liked])[0] == pytest.approx(scores.max(), abs=1e-4)
        best.append(scores.max())
    added = [read.contribution for read in ranking.rescored.values()]
    assert np.argsort(added).tolist() == np.argsort(best).tolist() and min(added) == 0 < max(added)


def test_only_the_first_videos_are_rescored_and_stay_ahead_of_the_others(
    searcher: Searcher, rescoring: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESCORED", 3)
    before, after = searcher.search(QUESTION), rescoring.search(QUESTION)
    ids = [[hit.id for hit in answer.hits] for answer in (before, after)]
    assert sorted(ids[0][:3]) == sorted(ids[1][:3]) and ids[0][3:] == ids[1][3:]
    assert not any(reason.retriever == "reranker" for hit in after.hits[3:] for reason in hit.explanation)


def test_only_videos_that_meet_the_conditions_are_rescored(
    rescoring: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESCORED", 1)
    hit = rescoring.search(QUESTION + " by:@bread.bench").hits[0]
    assert hit.id == "70002" and any(reason.retriever == "reranker" for reason in hit.explanation)


def test_an_evaluation_uses_the_reranker(searcher: Searcher, rescoring: Searcher) -> None:
    questions = [Query("1", QUESTION, {"70001": 1}), Query("2", "the moon pulls the ocean", {"70004": 1})]
    order = [rescoring.generation.ids[video] for video in rescoring.rank(QUESTION).order()]
    assert evaluate(rescoring, questions).queries[0].rank == order.index("70001") + 1
    assert evaluate(searcher, questions).queries[0].rank == 1


def test_the_command_line_searches_with_a_reranker(indexes: Path, folder: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(
        app,
        ["search", QUESTION, "--reranker", str(folder), "--indexes", str(indexes), "--data", str(tmp_path), "--json"],
    )
    assert found.exit_code == 0 and '"lane":"reranker"' in found.stdout


def test_an_embedding_model_is_refused_as_a_reranker() -> None:
    with pytest.raises(WeightsError, match="not a cross-encoder"):
        Reranker("sentence-transformers/all-MiniLM-L6-v2")


def test_a_model_with_two_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="one score"):
        Reranker(str(cross_encoder(tmp_path / "two", labels=2)))
