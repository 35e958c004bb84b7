"""Reading query files of all formats, and their errors."""

from pathlib import Path

import pytest

from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import Query, check_targets, read_beir, read_queries
from tests.scraper.test_sources import write

TREC = """<top>
<num> Number: 301
<title> cat and teapot
<desc> Description:
longer words
</top>
<top><num>302</num><title>tides</title></top>
"""


def test_json_keeps_ids_several_targets_and_properties(tmp_path: Path) -> None:
    rows = [
        {"id": "first one", "text": "a  cat", "target": ["1", "2"], "purely-visual": True, "author": "a1", "rank": 3},
        {"text": "b", "target": "3"},
    ]
    assert read_queries(write(tmp_path / "q.json", rows)) == [
        Query("first_one", "a  cat", {"1": 1, "2": 1}, {"purely-visual": True, "author": "a1", "rank": 3}),
        Query("q2", "b", {"3": 1}),
    ]


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    rows = '\ufeff[{"text": "a", "target": "1"}]'
    assert read_queries(write(tmp_path / "q.json", rows)) == [Query("q1", "a", {"1": 1})]
    topics, qrels = write(tmp_path / "t.txt", "\ufeff301\ttides\n"), write(tmp_path / "r.txt", "301 0 70001 1\n")
    assert read_queries(topics, qrels) == [Query("301", "tides", {"70001": 1})]
    (tmp_path / "beir").mkdir()
    write(tmp_path / "beir" / "corpus.jsonl", '\ufeff{"_id": "d", "title": "t", "text": "x"}\n')
    write(tmp_path / "beir" / "queries.jsonl", '\ufeff{"_id": "1", "text": "tides"}\n')
    write(tmp_path / "beir" / "qrels.tsv", "\ufeffquery-id\tcorpus-id\tscore\n1\td\t2\n")
    documents, queries = read_beir(tmp_path / "beir")
    assert [document.id for document in documents] == ["d"] and queries == [Query("1", "tides", {"d": 2}, beir=True)]


def test_common_variants_of_query_files_are_read(tmp_path: Path) -> None:
    rows = [{"text": "a", "target": 70001}, {"id": "q1", "text": "b", "target": "1"}]
    assert [(query.id, query.relevant) for query in read_queries(write(tmp_path / "q.json", rows))] == [
        ("q1_", {"70001": 1}),
        ("q1", {"1": 1}),
    ]
    topics = write(tmp_path / "t.txt", "<top><num>1</num><title>I <3 this cat</title></top>")
    qrels = write(tmp_path / "r.txt", "\ufeff1 0 70001 1\n")
    assert read_queries(topics, qrels) == [Query("1", "I <3 this cat", {"70001": 1})]
    with pytest.raises(EvaluationError, match="line 4"):  # the first text has two lines
        read_queries(write(tmp_path / "q.csv", 'text,target\n"a\nb",1\n,2\n'))
    (tmp_path / "beir").mkdir()
    write(tmp_path / "beir" / "corpus.jsonl", '{"_id": "d", "title": "t", "text": "x"}\n')
    write(tmp_path / "beir" / "queries.jsonl", '{"_id": "1", "text": "tides"}\n')
    write(tmp_path / "beir" / "qrels.tsv", "1\td\t2\n\n")
    assert read_beir(tmp_path / "beir")[1] == [Query("1", "tides", {"d": 2}, beir=True)]
    write(tmp_path / "beir" / "corpus.jsonl", '{"_id": "d e", "title": "t", "text": "x"}\n')
    with pytest.raises(EvaluationError, match="or have spaces"):
        read_beir(tmp_path / "beir")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_rows_with_the_same_id_are_one_question(tmp_path: Path, delimiter: str) -> None:
    lines = ["id,text,target,kind", 'a,"one",1,said', "a,one,2,said", "b,two,3,"]
    path = write(tmp_path / "q.csv", "\ufeff" + "\n".join(lines).replace(",", delimiter))
    assert read_queries(path) == [Query("a", "one", {"1": 1, "2": 1}, {"kind": "said"}), Query("b", "two", {"3": 1})]


@pytest.mark.parametrize("topics", [TREC, "301\tcat and teapot\n302\ttides\n303\tnobody judged this\n"])
def test_trec_topics_in_both_forms_are_read_if_something_is_relevant(tmp_path: Path, topics: str) -> None:
    qrels = write(tmp_path / "qrels.txt", "301 0 70001 2\n301 0 70002 0\n302 0 70004 1\n999 0 1 1\n")
    assert read_queries(write(tmp_path / "topics.txt", topics), qrels) == [
        Query("301", "cat and teapot", {"70001": 2}),
        Query("302", "tides", {"70004": 1}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.json", '[{"text": " ", "target": "1"}]', "question 1"),
        ("q.json", '[{"text": "a", "target": []}]', "question 1"),
        ("q.json", '[{"text": "a", "target": ["1", "1"]}]', "named twice"),
        ("q.json", '[{"text": "a", "target": "1"}, {"text": "A ", "target": "2"}]', "the same question as question 1"),
        ("q.json", '[{"id": "x", "text": "a", "target": "1"}, {"id": "x", "text": "b", "target": "2"}]', "id x"),
        ("q.csv", "question,answer\na,1\n", "first line"),
        ("q.csv", "text,target\n", "no question"),
        ("q.csv", "text,target\na,1\n,2\n", "line 3"),
        ("q.csv", "text,target\na,1,2\n", "more cells"),
        ("q.csv", 'text,target\n"a,1\n', "q.csv"),
        ("q.csv", "id,text,target\nx,a,1\nx,b,2\n", "different texts"),
    ],
)
def test_errors_of_query_files_name_the_line_or_question(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        read_queries(write(tmp_path / name, content))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("topics", "qrels", "message"),
    [
        ("no tab here", "1 0 a 1", "line 1"),
        ("1\t ", "1 0 a 1", "topic 1 is empty"),
        ("1\ta\n1\tb", "1 0 a 1", "is there twice"),
        ("<top><title>x</top>", "1 0 a 1", "no <num>"),
        ("1\ta", "2 0 a 1", "judges nothing"),
        ("1\ta", "1 a b c d e", "qrels"),
    ],
)
def test_errors_of_topics_and_qrels_are_described(tmp_path: Path, topics: str, qrels: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_queries(write(tmp_path / "t.txt", topics), write(tmp_path / "r.txt", qrels))


def test_targets_outside_the_corpus_are_named() -> None:
    with pytest.raises(EvaluationError, match=r"1 of 2 questions .* b \(9\)"):
        check_targets([Query("a", "x", {"1": 1, "9": 1}), Query("b", "y", {"9": 1})], {"1": None}, "the corpus")


def test_a_question_marked_as_unanswerable_needs_no_target(tmp_path: Path) -> None:
    rows = [{"text": "a", "target": "1", "unanswerable": False}, {"text": "b", "unanswerable": True, "language": "de"}]
    expected = [Query("q1", "a", {"1": 1}), Query("q2", "b", {}, {"language": "de"})]
    assert read_queries(write(tmp_path / "q.json", rows)) == expected
    table = "text,target,unanswerable,language\na,1,,\nb,,yes,de\n"
    assert read_queries(write(tmp_path / "q.csv", table)) == expected


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": "b"}, "a text and a target are required"),
        ({"text": "b", "target": "2", "unanswerable": True}, "has no target"),
        ({"text": "b", "unanswerable": "perhaps"}, "must be true or false"),
        ({"text": "b", "target": [], "unanswerable": False}, "a text and a target are required"),
    ],
)
def test_a_question_without_a_target_must_say_that_it_has_no_answer(
    tmp_path: Path, row: dict[str, object], why: str
) -> None:
    with pytest.raises(EvaluationError, match=why):
        read_queries(write(tmp_path / "q.json", [{"text": "a", "target": "1"}, row]))


def test_questions_that_are_all_unanswerable_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="nothing to measure"):
        read_queries(write(tmp_path / "q.json", [{"text": "a", "unanswerable": True}]))
