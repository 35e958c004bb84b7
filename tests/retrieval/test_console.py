"""What the commands print for people."""

from pathlib import Path

import pytest

from retrieval.console import print_answer
from retrieval.search.searcher import Searcher


def test_reasons_have_the_names_of_fields_that_the_page_shows(
    searcher: Searcher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_answer(searcher.search("porcelain teapot", 1), tmp_path)
    printed = capsys.readouterr().out
    assert "Whole video (dense): " in printed and "Speech (keyword) at 0:12: " in printed
