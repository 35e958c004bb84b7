import threading
from typing import Any

import numpy as np
import pytest
import torch

from retrieval.embedding.query_encoder import QueryEncoder
from retrieval.search.encoders import begin_to_encode
from retrieval.search.parallel import at_once, core_idle, halves, searching


def test_two_encoders_compute_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert at_once(lambda number: (both.wait(), number)[1], [1, 2]) == [1, 2]


def test_a_thread_of_a_search_computes_alone_and_limits_no_other_thread() -> None:
    before = torch.get_num_threads()
    assert at_once(lambda _: torch.get_num_threads(), [1, 2]) == [1, 1]
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert found == [before] == [torch.get_num_threads()]


def test_an_error_in_a_thread_reaches_the_search() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(lambda number: 1 / number, [1, 0])


def test_the_halves_are_computed_in_the_calling_thread_and_beside_it() -> None:
    both = threading.Barrier(2, timeout=10)
    found = halves(lambda number: (both.wait(), number, threading.get_ident())[1:], [1, 2])
    assert [number for number, _ in found] == [1, 2]
    assert found[0][1] == threading.get_ident() != found[1][1]


def test_a_core_is_idle_if_one_search_is_answered_and_there_are_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert not core_idle()
    with searching():
        assert core_idle()
        with searching():
            assert not core_idle()
        assert core_idle()
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        assert not core_idle()
    with pytest.raises(ZeroDivisionError), searching():
        raise ZeroDivisionError
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert not core_idle()


class Noting(QueryEncoder):
    """Notes how it encodes."""

    def __init__(self) -> None:
        self.noted: list[bool] = []

    def query(self, text: str, *, in_two_threads: bool = False) -> Any:
        self.noted.append(in_two_threads)
        return np.array([len(text)])


def test_a_single_encoder_has_both_cores_once_the_words_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    one, other = Noting(), Noting()
    with searching():
        found = begin_to_encode([one, other], "four", [0.0, 2.0])
        assert not other.noted  # the words come first
        assert list(found) == [None, np.array([4])]
        assert not one.noted and other.noted == [True]
        assert list(begin_to_encode([one, other], "four", [1.0, 1.0])) == [4, 4]  # each has a core
        with searching():
            assert list(begin_to_encode([one, other], "four", [2.0, 0.0])) == [4, None]  # another search has one
    assert (one.noted, other.noted) == ([False, False], [True, False])
