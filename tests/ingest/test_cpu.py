"""OMP_THREAD_LIMIT below torch's threads makes torch compute nonsense in silence: nobody may cause that."""

import os
import subprocess
import sys

import pytest

SHOW = """
import numpy as np
from retrieval.encoder import Encoder
encoder = Encoder("sentence-transformers/all-MiniLM-L6-v2")
print(" ".join(f"{x:.4f}" for x in encoder.passages(["my cat knocked the teapot over " * 8] * 16).mean(axis=0)))
"""


def vector(**environment: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return [float(number) for number in done.stdout.split()]


def test_vectors_are_the_same_under_a_thread_limit() -> None:
    free = vector(OMP_NUM_THREADS="2", OMP_THREAD_LIMIT="")
    assert vector(OMP_NUM_THREADS="2", OMP_THREAD_LIMIT="1") == pytest.approx(free, abs=0.002)


def test_reading_covers_sets_no_thread_limit_for_the_process_that_transcribes() -> None:
    code = "import os, ingest.ocr, ingest.pipeline; print(os.environ.get('OMP_THREAD_LIMIT'))"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "None"
