"""kill -9 during real builds: the old generation stays usable, and the next build resumes."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.updates import change
from ingest.catalog import Catalog
from ingest.stages.importer import import_source
from retrieval.index.generation import open_current
from retrieval.index.layout import current_name
from retrieval.search.searcher import Searcher

KILLS = 10


@pytest.mark.heavy
def test_ten_kills_at_random_times_of_a_build_lose_nothing(sample_corpus: Path, tmp_path: Path) -> None:
    data, indexes = tmp_path / "data", tmp_path / "indexes"
    with Catalog(data, create=True) as catalog:
        import_source(catalog, sample_corpus)
        ids = catalog.ids()
    total = len(ids)
    build = [
        sys.executable,
        "-m",
        "retrieval",
        "build",
        "--all",
        "--quiet",
        "--data",
        str(data),
        "--indexes",
        str(indexes),
    ]
    started = time.monotonic()
    subprocess.run(build, check=True)
    whole_s = time.monotonic() - started
    first = current_name(indexes)
    times = random.Random(20261123)
    killed = 0
    for number in range(KILLS):
        (indexes / "vectors.sqlite").unlink(missing_ok=True)  # so that there is work to do
        change(data, ids, f"pelican{number}")
        before = current_name(indexes)
        process = subprocess.Popen(build)
        time.sleep(times.uniform(0.2, 1.0) * whole_s)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        after = current_name(indexes)
        assert after >= before
        searcher = Searcher.open(indexes)
        assert len(searcher.search("sourdough", total).hits) == total
    assert killed >= KILLS // 2, "most builds ended before they were killed"
    subprocess.run(build, check=True)
    assert current_name(indexes) > first
    assert len(open_current(indexes).positions) == total
    assert not [*indexes.glob("*/.building*")]
