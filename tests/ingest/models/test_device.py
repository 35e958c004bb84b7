"""With OMP_THREAD_LIMIT below torch's threads, torch silently computes nonsense: the program must avoid that."""

import os
import subprocess
import sys

import pytest

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
