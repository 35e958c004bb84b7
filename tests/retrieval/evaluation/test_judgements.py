"""Qrels as trec_eval takes them: graded, twice, negative, with decimals. Checked by ranx and ir-measures."""

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ranx import Qrels, Run, evaluate

from benchmarks.ranx_check import SAME
from retrieval.errors import EvaluationError
from retrieval.evaluation.judgements import beir_judgements, trec_judgements
from retrieval.evaluation.measures import MEASURES, NAMES, rank_outcome, values_by_measure
from retrieval.evaluation.queries import Query, read_beir, read_queries
from tests.scraper.test_sources import write


def test_decimals_are_cut_off_and_grades_of_0_or_less_are_not_relevant() -> None:
    notes: list[str] = []
    rows = [("a", "1.0"), ("b", "2.7"), ("c", "0.9"), ("d", "0"), ("e", "-1"), ("f", "-0.5"), ("g", "+3"), ("h", "1e0")]
    text = "".join(f"q\t{document}\t{grade}\n" for document, grade in rows)
    assert beir_judgements(text, notes) == {"q": {"a": 1, "b": 2, "g": 3, "h": 1}}
    assert notes[0].startswith("Grades with decimals: 3.") and notes[1].startswith("Negative grades: 2.")


def test_the_last_of_two_judgements_counts_also_if_it_is_0() -> None:
    notes: list[str] = []
    text = "q 0 a 1\nq 0 b 2\nq 0 a 0\nq 0 b 2\nr 0 a 1\n"
    assert trec_judgements(text, notes) == {"q": {"b": 2}, "r": {"a": 1}}
    assert notes[0].startswith(
        "Judgements that repeat an earlier one: 2, of these with another grade: 1. The last counts."
    )


def test_whole_positive_grades_give_no_message() -> None:
    notes: list[str] = []
    assert beir_judgements("query-id\tcorpus-id\tscore\nq\ta\t1\nr\ta\t0\n", notes) == {"q": {"a": 1}, "r": {}}
    assert beir_judgements("any\thead\tline\r\nq\ta\t1\r\n", notes) == {"q": {"a": 1}} and notes == []


@pytest.mark.parametrize(
    ("line", "why"),
    [("q\tb\thigh", "line 2: the grade 'high'"), ("q\tb", "line 2 of the qrels"), ("q\tb\tnan", "'nan'")],
)
def test_a_line_that_is_no_judgement_is_named(tmp_path: Path, line: str, why: str) -> None:
    folder = beir(tmp_path, f"q\ta\t1\n{line}\n")
    with pytest.raises(EvaluationError, match=why):
        read_beir(folder)
    trec = "\n".join("\t".join([cells[0], "0", *cells[1:]]) for cells in (["q", "a", "1"], line.split("\t")))
    with pytest.raises(EvaluationError, match=r"line 2|nan"):
        read_queries(write(tmp_path / "t.txt", "q\ttides\n"), write(tmp_path / "r.txt", trec))


def test_graded_tied_and_repeated_judgements_give_the_figures_of_ranx_and_ir_measures(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    documents = [f"d{number}" for number in range(60)]
    lines, rankings = [], {}
    for query in range(30):
        for document in random.choice(documents, 12):  # with repetitions
            lines.append(f"q{query} 0 {document} {random.integers(-1, 4)}")
        lines.append(f"q{query} 0 d{random.integers(60)} 2")
        rankings[f"q{query}"] = [documents[row] for row in random.permutation(60)]
    qrels = write(tmp_path / "qrels.txt", "\n".join(lines) + "\n")
    topics = write(tmp_path / "topics.txt", "".join(f"{query}\tx\n" for query in rankings))
    queries = read_queries(topics, qrels)
    assert len(queries) == 30
    values = values_by_measure([rank_outcome(query, rankings[query.id], 60) for query in queries])
    run = {query: {document: 60.0 - rank for rank, document in enumerate(of)} for query, of in rankings.items()}
    read = list(ir_measures.read_trec_qrels(str(qrels)))  # type: ignore[no-untyped-call]
    theirs = ir_measures.calc_aggregate(MEASURES, read, run)
    by_ranx = evaluate(
        Qrels({query.id: query.relevant for query in queries}), Run(run), list(SAME.values()), make_comparable=True
    )
    assert set(NAMES) == {str(measure) for measure in theirs}
    for measure, value in theirs.items():
        assert values[str(measure)].mean() == pytest.approx(value, abs=1e-9)
        assert by_ranx[SAME[str(measure)]] == pytest.approx(value, abs=1e-6)


def beir(folder: Path, qrels: str) -> Path:
    write(folder / "beir" / "corpus.jsonl", '{"_id": "a", "title": "", "text": "tides"}\n')
    write(folder / "beir" / "queries.jsonl", '{"_id": "q", "text": "the moon"}\n')
    write(folder / "beir" / "qrels.tsv", qrels)
    return folder / "beir"


def test_ties_are_in_the_order_that_users_see() -> None:
    query = Query("q", "x", {"b": 1})
    assert values_by_measure([rank_outcome(query, ["c", "b", "a"], 3)])["RR"].tolist() == [0.5]
