"""BEIR folders by BEIR's own rules, so that figures can be compared with published ones."""

import json
from pathlib import Path

import ir_measures
import pytest

from benchmarks.ranx_check import differences
from retrieval.embedding.encoder import Encoder
from retrieval.errors import EvaluationError
from retrieval.evaluation.compare import compare, plain_corpus
from retrieval.evaluation.evaluate import Evaluation, evaluate_beir
from retrieval.evaluation.measures import MEASURES, rank_outcome
from retrieval.evaluation.queries import Query, read_beir
from retrieval.index.builder import build
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.scraper.test_sources import write

TEXTS = {
    "tides": "The moon pulls the ocean into two bulges.",
    "moon": "Why does the moon pull the ocean?",
    "bread": "Feed the sourdough starter twice a day.",
    "loaf": 'A "sourdough starter" -oven needs #flour and @water, tag:yeast',
    "teapot": "He pushed the porcelain teapot off the shelf.",
}
QUERIES = {
    "moon": TEXTS["moon"],  # the question is a document
    "loaf": TEXTS["loaf"],  # so is this one, with every operator
    "feeding": 'sourdough -starter "feed the bread" lang:xx before:1999',
    "nothing": "a question without a relevant document",
    "gone": "a teapot on a shelf",
    "unjudged": "nobody judged this",
}
QRELS = [
    ("moon", "tides", "1.0"),
    ("moon", "moon", "1"),
    ("loaf", "bread", "2"),
    ("feeding", "bread", "2"),
    ("feeding", "loaf", "1"),
    ("nothing", "teapot", "0"),
    ("gone", "not-in-the-corpus", "1"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, texts in (("corpus", TEXTS), ("queries", QUERIES)):
        rows = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        write(tmp_path / "beir" / f"{name}.jsonl", "\n".join(rows))
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(row) for row in QRELS)]
    write(tmp_path / "beir" / "qrels" / "test.tsv", "\n".join(lines))
    return tmp_path / "beir"


@pytest.fixture
def evaluation(folder: Path, encoder: Encoder, tmp_path: Path) -> Evaluation:
    return evaluate_beir(folder, tmp_path / "indexes", encoder)


def test_a_question_that_is_itself_a_document_is_left_out_of_its_own_ranking(evaluation: Evaluation) -> None:
    ranks = {query.id: query.rank for query in evaluation.queries}
    assert ranks["moon"] == ranks["loaf"] == 1
    assert any(note.startswith("Questions that are themselves documents: 2.") for note in evaluation.notes)


def test_the_only_relevant_document_is_found_though_it_has_the_id_of_its_question() -> None:
    title = Query("tides", "pull of the moon", {"tides": 1}, beir=True)
    assert rank_outcome(title, ["moon", "tides", "bread"], 3).rank == 2


def test_questions_of_a_beir_folder_have_no_operators(evaluation: Evaluation) -> None:
    assert {query.id: query.ranks["keyword"] for query in evaluation.queries}["feeding"] == 1
    assert all(query.rank <= len(TEXTS) for query in evaluation.queries if query.id not in ("nothing", "gone"))


def test_questions_without_a_relevant_document_count_as_0(evaluation: Evaluation) -> None:
    assert [query.id for query in evaluation.queries] == ["moon", "loaf", "feeding", "nothing", "gone"]
    assert evaluation.measures["RR"] == pytest.approx(3 / 5)
    assert any(note.startswith("Questions without a relevant document: 1.") for note in evaluation.notes)
    missing = "Questions whose relevant documents are not in the corpus: 1."
    assert any(note.startswith(missing) for note in evaluation.notes)


def test_the_figures_are_those_of_beirs_own_evaluation(
    evaluation: Evaluation, folder: Path, encoder: Encoder, tmp_path: Path
) -> None:
    documents, queries = read_beir(folder)
    build(documents, tmp_path / "again", encoder)
    searcher = Searcher(open_current(tmp_path / "again"), encoder)
    run: dict[str, dict[str, float]] = {}
    for query in queries:
        order, scores = searcher.order(query.asked)
        ids = [searcher.generation.ids[video] for video in order]
        # as `EvaluateRetrieval.evaluate` of beir: identical ids are removed, then pytrec_eval
        run[query.id] = {video: float(score) for video, score in zip(ids, scores, strict=True) if video != query.id}
    qrels: dict[str, dict[str, int]] = {}
    for name, document, grade in QRELS:
        qrels.setdefault(name, {})[document] = int(float(grade))
    theirs = ir_measures.calc_aggregate(MEASURES, qrels, run)
    for measure, value in theirs.items():
        assert evaluation.measures[str(measure)] == pytest.approx(value, abs=1e-9)


def test_a_comparison_on_a_beir_folder_follows_the_same_rules(
    evaluation: Evaluation, folder: Path, tmp_path: Path
) -> None:
    notes: list[str] = []
    documents, queries = read_beir(folder, notes)
    out = tmp_path / "out"
    result = compare(
        ["bm25"], plain_corpus("beir", documents), queries, tmp_path / "indexes", out, fields=False, notes=notes
    )
    for name, figure in result.contenders[0].measures.items():
        assert figure.value == pytest.approx(evaluation.modes["keyword"][name], abs=1e-9)
    assert set(notes) <= set(result.notes)
    (out / "comparison.json").write_text(result.model_dump_json(), encoding="utf-8")
    assert [row for row in differences(out) if abs(row[2] - row[3]) >= 0.5e-4] == []
    for line in (out / "runs" / "bm25.trec").read_text(encoding="utf-8").splitlines():
        assert line.split()[0] != line.split()[2]


def test_a_folder_whose_judgements_are_all_about_other_documents_is_an_error(folder: Path) -> None:
    write(folder / "qrels" / "test.tsv", "moon\tnot-in-the-corpus\t1\n")
    with pytest.raises(EvaluationError, match="judges no document of the corpus"):
        read_beir(folder)


def test_a_long_question_is_not_cut(encoder: Encoder) -> None:
    text = "word " * 900 + "teapot"
    asked = Query("q", text, {"teapot": 1}, beir=True).asked
    assert not isinstance(asked, str) and asked.text == text
