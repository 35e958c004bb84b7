import threading

import pytest
import torch

from retrieval.search.parallel import at_once


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
