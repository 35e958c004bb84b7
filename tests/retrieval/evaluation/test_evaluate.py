import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from retrieval.__main__ import app
from retrieval.embedding.encoder import Encoder
from retrieval.errors import EvaluationError
from retrieval.evaluation.evaluate import evaluate, evaluate_beir
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.search.searcher import Searcher
from tests.scraper.test_sources import write

QUERIES = [
    {"text": "teapot falls", "target": "70001"},
    {"text": "the moon and the sea", "target": "70004"},
    {"text": "teapot", "target": "70006"},
]


def test_measures_are_computed_from_the_ranks_of_the_targets(searcher: Searcher, tmp_path: Path) -> None:
    result = evaluate(searcher, read_queries(write(tmp_path / "q.json", QUERIES)))
    for mode, measures in result.modes.items():
        ranks = [query.ranks[mode] for query in result.queries]
        assert measures["RR"] == pytest.approx(sum(1 / rank for rank in ranks) / 3)
        assert measures["Success@1"] == pytest.approx(sum(rank == 1 for rank in ranks) / 3)
        assert measures["mean_rank"] == pytest.approx(sum(ranks) / 3)
    assert result.measures == result.modes["hybrid"]
    assert set(result.modes) == {"dense", "keyword", "hybrid"}
    assert set(result.measures) == {"RR", "Success@1", "Success@5", "Success@10", "nDCG@10", "R@100", "mean_rank"}
    assert [query.rank for query in result.queries[:2]] == [1, 1] and result.queries[2].rank > 1


def test_a_targets_rank_is_the_rank_in_search(searcher: Searcher, tmp_path: Path) -> None:
    result = evaluate(searcher, read_queries(write(tmp_path / "q.json", QUERIES)))
    for query in result.queries:
        assert searcher.search(query.text, 10).hits[query.rank - 1].id == query.target


def test_a_target_that_is_not_indexed_is_named(searcher: Searcher, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="79999"):
        evaluate(searcher, read_queries(write(tmp_path / "q.json", [*QUERIES, {"text": "x", "target": "79999"}])))


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1]", '[{"text": "", "target": "1"}]', '[{"text": "a"}]'])
def test_a_broken_query_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(EvaluationError, match=r"q\.json"):
        read_queries(write(tmp_path / "q.json", content))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    corpus = [
        {"_id": "d-one", "title": "Tides", "text": "The moon pulls the ocean into bulges."},
        {"_id": "d/two", "title": "", "text": "Sourdough needs a starter."},
        {"_id": "d3", "title": "Nothing here", "text": ""},
    ]
    queries = [
        {"_id": "a", "text": "why is there high tide"},
        {"_id": "b", "text": "bread"},
        {"_id": "c", "text": "unjudged"},
    ]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        write(tmp_path / "beir" / f"{name}.jsonl", "\n".join(json.dumps(row) for row in rows))
    write(tmp_path / "beir" / "qrels.tsv", "query-id\tcorpus-id\tscore\na\td-one\t1\nb\td/two\t2\nb\td3\t0\n")
    return tmp_path / "beir"


def test_the_conditions_of_a_question_count(searcher: Searcher) -> None:
    whole = [hit.id for hit in searcher.search("teapot", 10).hits]
    first, second = whole[:2]
    asked = [
        Query("a", f"teapot -{_word_of(searcher, first)}", {second: 1}),
        Query("b", "teapot before:1999", {first: 1}),  # nothing is as old
    ]
    left, none = evaluate(searcher, asked).queries
    shown = [hit.id for hit in searcher.search(asked[0].text, 10).hits]
    assert first not in shown and left.rank == shown.index(second) + 1
    assert none.rank == len(searcher.generation.ids) + 1


def _word_of(searcher: Searcher, video: str) -> str:
    """A word that is in no other video."""
    (reason, *_) = next(hit for hit in searcher.search("teapot", 10).hits if hit.id == video).explanation
    words = [word for word in reason.passage.split() if word.isalpha() and word.lower() != "teapot"]
    return next(word for word in words if [h.id for h in searcher.search(f'"{word}"', 10).hits] == [video])


def test_a_beir_folder_is_evaluated_on_its_corpus_without_changing_the_index(
    beir: Path, indexes: Path, encoder: Encoder, searcher: Searcher
) -> None:
    current = (indexes / "CURRENT").read_text()
    result = evaluate_beir(beir, indexes, encoder)
    assert result.videos == 3 and [query.id for query in result.queries] == ["a", "b"]
    assert result.modes["dense"]["Success@1"] == 1.0
    assert (indexes / "CURRENT").read_text() == current
    assert not list(indexes.glob("beir-*"))


def test_a_beir_folder_with_a_missing_or_broken_file_is_a_clear_error(beir: Path) -> None:
    (beir / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\td-one\n")
    with pytest.raises(EvaluationError, match="BEIR"):
        read_beir(beir)
    (beir / "corpus.jsonl").unlink()
    with pytest.raises(EvaluationError, match="BEIR"):
        read_beir(beir)


LABELLED = [
    Query("a", "teapot falls", {"70001": 1}, {"language": "en"}),
    Query("b", "回転寿司", {"70005": 1}, {"language": "ja"}),
    Query("c", "sea and moon", {"70004": 1}, {"language": "en"}),
    Query("d", "quarterly tax return of a dentist", {}, {"language": "en"}),
    Query("e", "自転車の修理", {}, {"language": "ja"}),
]


def test_measures_by_label_are_those_of_the_questions_with_each_value(searcher: Searcher) -> None:
    result = evaluate(searcher, LABELLED)
    english, japanese = result.by_label["language"]
    assert (english.value, english.questions, japanese.value, japanese.questions) == ("en", 3, "ja", 2)
    ranks = {query.id: query.rank for query in result.queries}
    assert english.measures["RR"] == pytest.approx((1 / ranks["a"] + 1 / ranks["c"]) / 2)
    assert japanese.measures["RR"] == pytest.approx(1 / ranks["b"])
    assert result.measures == evaluate(searcher, [query for query in LABELLED if query.relevant]).measures


def test_unanswerable_questions_count_as_recognised_if_their_answer_is_not_good(searcher: Searcher) -> None:
    result = evaluate(searcher, LABELLED)
    good = {query.id: searcher.search(query.text).good for query in LABELLED}
    assert {query.id: query.good for query in result.queries} == good
    assert not good["d"] and good["a"]
    of, (english, _) = result.confidence, result.by_label["language"]
    assert of and (of.unanswerable, of.answerable) == (2, 3)
    assert (of.recognised, of.lost) == (2 - good["d"] - good["e"], 3 - good["a"] - good["b"] - good["c"])
    assert english.confidence and (english.confidence.unanswerable, english.confidence.recognised) == (1, 1)
    assert [query.rank for query in result.queries[3:]] == [0, 0]


def test_a_table_by_language_is_printed_if_the_questions_have_one(indexes: Path, tmp_path: Path) -> None:
    rows = [{"text": q.text, "language": q.properties["language"], **_answer_of(q)} for q in LABELLED]
    file = write(tmp_path / "q.json", rows)
    arguments = ["evaluate", "--queries", str(file), "--indexes", str(indexes), "--data", str(tmp_path), "--quiet"]
    table = CliRunner().invoke(app, arguments).output.split("language", 1)[1].splitlines()
    assert table[0].split() == ["questions", "RR", "Success@10", "no", "answer", "recognised", "lost"]
    assert [line.split()[:2] for line in table[1:3]] == [["en", "3"], ["ja", "2"]]
    refused = CliRunner().invoke(app, [*arguments, "--by", "mood"])
    assert refused.exit_code == 1 and "the labels are language" in refused.output


def _answer_of(query: Query) -> dict[str, object]:
    return {"target": next(iter(query.relevant))} if query.relevant else {"unanswerable": True}
