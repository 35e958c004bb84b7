import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrieval.embedding.query_encoder import QueryEncoder
from retrieval.search import parallel as module
from retrieval.search.encoders import begin_to_encode
from retrieval.search.parallel import at_once, core_idle, halves, in_helper, searching


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


@pytest.mark.usefixtures("computing")
def test_the_halves_are_computed_in_the_calling_thread_and_in_another_if_a_core_is_idle() -> None:
    both = threading.Barrier(2, timeout=10)
    with searching():
        found = halves(lambda number: (both.wait(), number, threading.get_ident())[1:], [1, 2])
        assert [number for number, _ in found] == [1, 2]
        assert found[0][1] == threading.get_ident() != found[1][1]
        with searching():
            assert halves(lambda number: (number, threading.get_ident()), [1, 2]) == [
                (1, threading.get_ident()),
                (2, threading.get_ident()),
            ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds a thread to cores")
def test_the_helper_of_a_search_computes_on_another_core() -> None:
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("needs two cores")
    assert len(cores - in_helper(lambda: os.sched_getaffinity(0))()) == 1


def test_while_the_helper_is_busy_the_caller_computes() -> None:
    ended, mine = threading.Event(), threading.get_ident()
    busy = in_helper(lambda: (ended.wait(), threading.get_ident())[1])
    assert in_helper(threading.get_ident)() == mine
    ended.set()
    assert busy() != mine
    with pytest.raises(ZeroDivisionError):
        in_helper(lambda: 1 / 0)()
    assert in_helper(lambda: in_helper(threading.get_ident)() == threading.get_ident())()


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """A machine with two cores, and what says how many threads compute on it: one at first."""
    load = tmp_path / "loadavg"
    monkeypatch.setattr(module, "_LOAD", load)
    monkeypatch.setattr(module, "_cores", lambda: 2)

    def tell(threads: int) -> None:
        load.write_text(f"0.20 0.18 0.12 {threads}/80 11206\n")

    tell(1)
    return tell


def test_a_core_is_idle_if_nothing_computes_but_one_search(computing: Callable[[int], None]) -> None:
    assert not core_idle()  # nobody searches
    with searching():
        assert core_idle()
        with searching():
            assert not core_idle()
        assert core_idle()
        computing(2)  # such as a build in another process
        assert not core_idle()
        computing(1)
    with pytest.raises(ZeroDivisionError), searching():
        raise ZeroDivisionError
    assert not core_idle()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can bind a process to a core")
def test_a_process_that_is_bound_to_one_core_has_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_computing", lambda: 1)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with searching():
            assert not core_idle()
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says how many threads compute")
def test_the_threads_that_compute_are_counted() -> None:
    if module._computing() == 0:
        pytest.skip("this system does not count threads, not even the one that asks")
    ended = threading.Event()

    def compute() -> None:
        while not ended.is_set():
            hashlib.sha256(bytes(1 << 20))  # without Python's lock

    other = threading.Thread(target=compute)
    other.start()
    try:
        assert max(module._computing() for _ in range(200)) >= 2
    finally:
        ended.set()
        other.join()


@pytest.mark.parametrize("content", ["", "0.2 0.1", "0.20 0.18 0.12 many/80 1"])
def test_a_system_that_does_not_say_what_computes_counts_as_idle(
    content: str, computing: Callable[[int], None], tmp_path: Path
) -> None:
    (tmp_path / "loadavg").write_text(content)
    with searching():
        assert core_idle()


class Noting(QueryEncoder):
    """Notes how it encodes."""

    def __init__(self) -> None:
        self.noted: list[bool] = []

    def query(self, text: str, *, in_two_threads: bool = False) -> Any:
        self.noted.append(in_two_threads)
        return np.array([len(text)])


def test_a_single_encoder_has_both_cores_once_the_words_are_scored(computing: Callable[[int], None]) -> None:
    one, other = Noting(), Noting()
    with searching():
        found = begin_to_encode([one, other], "four", [0.0, 2.0])
        assert not other.noted  # the words come first
        assert list(found) == [None, np.array([4])]
        assert not one.noted and other.noted == [True]
        computing(2)
        assert list(begin_to_encode([one, other], "four", [0.0, 2.0])) == [None, 4]
        computing(1)
        assert list(begin_to_encode([one, other], "four", [1.0, 1.0])) == [4, 4]  # each has a core
        with searching():
            assert list(begin_to_encode([one, other], "four", [2.0, 0.0])) == [4, None]  # another search has one
    assert (one.noted, other.noted) == ([False, False], [True, False, False])
