"""Small corpora and questions that stand for faults of languages and scripts that people reported."""

import csv
from pathlib import Path

import pytest

from retrieval.search.searcher import Searcher
from tests.command_line import run

pytestmark = pytest.mark.research_data("the cases are not shipped; tests next to each part have inputs of our own")


@pytest.mark.timeout(600)
def test_each_question_of_the_cases_gets_the_answer_that_it_expects(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data.parent / "cases" / "search"
    if not folder.is_dir():
        pytest.skip(f"there are no cases in {folder}")
    folders = ["--data", str(tmp_path / "data"), "--indexes", str(tmp_path / "indexes")]
    for command in (["import", str(folder / "records.jsonl"), *folders[:2]], ["build", *folders]):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    searcher = Searcher.open(tmp_path / "indexes")
    wrong = []
    with (folder / "expected.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            answer = searcher.search(row["question"], 5, lane="hybrid" if row["lane"] == "hybrid" else "keyword")
            first = (
                next((hit.id for hit in answer.hits), "") if answer.good or row["first"].isdigit() else "no good match"
            )
            if first != row["first"]:
                wrong.append((row["question"], first, row["first"]))
    assert wrong == []
