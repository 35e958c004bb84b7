"""Threads: with OMP_THREAD_LIMIT below torch's, torch silently computes nonsense; and on which core one computes."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ingest.models import device
from ingest.models.device import has_bf16

PRODUCT = """
import torch
from ingest.models.device import obey_thread_limit
obey_thread_limit()
torch.manual_seed(1)
states, weight = torch.randn(8, 64, 384).to(torch.bfloat16), torch.randn(1536, 384).to(torch.bfloat16)
print(float(torch.nn.functional.linear(states, weight).float().abs().mean()))
"""
SHOW_LIMIT = "import os, ingest.ocr.engine, ingest.stages.pipeline; print(os.environ.get('OMP_THREAD_LIMIT'))"


def run(code: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(not has_bf16() or (os.cpu_count() or 1) < 2, reason="needs two cores that compute in bf16")
def test_a_bf16_product_is_complete_under_a_thread_limit() -> None:
    assert float(run(PRODUCT, OMP_THREAD_LIMIT="1")) == pytest.approx(float(run(PRODUCT)), rel=1e-3)


def test_ocr_sets_no_thread_limit_in_the_main_process() -> None:
    assert run(SHOW_LIMIT) == "None"


@pytest.fixture
def other_thread() -> Iterator[int]:
    """The number of a thread that waits."""
    ended, begun, number = threading.Event(), threading.Event(), list[int]()

    def wait() -> None:
        number.append(threading.get_native_id())
        begun.set()
        ended.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait()
    yield number[0]
    ended.set()
    thread.join()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds a thread to cores")
def test_a_thread_computes_on_any_core_but_that_of_the_caller(
    other_thread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("needs two cores")
    for mine in sorted(cores)[:2]:
        monkeypatch.setattr(device, "_libc", lambda mine=mine: SimpleNamespace(sched_getcpu=lambda: mine))
        device.compute_elsewhere(other_thread)
        assert os.sched_getaffinity(other_thread) == cores - {mine}
    monkeypatch.undo()
    device.compute_elsewhere(other_thread)
    assert len(cores - os.sched_getaffinity(other_thread)) == 1
    device.compute_elsewhere(2**22)  # there is no such thread
    os.sched_setaffinity(0, {min(cores)})
    try:
        device.compute_elsewhere(other_thread)  # there is no other core that the caller may use
        assert os.sched_getaffinity(other_thread) == {min(cores)}
        assert {other_thread, threading.get_native_id()} <= device.threads_on(min(cores))
    finally:
        os.sched_setaffinity(0, cores)
