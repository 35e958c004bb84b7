"""Nodes that are killed at random while a catalog is read, a full object store, and a head that starts again."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.catalog import Catalog
from ingest.cluster.connection import connected
from ingest.cluster.leases import Leases
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from tests.ingest import media_samples
from tests.ingest.cluster.conftest import STORE_BYTES, ThreeNodes

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]
OCR = Settings(ocr_engine="tesseract", ocr_languages="eng", frames=1)
ITEMS, KILLS = 120, 10


def filled(data: Path, picture: Path, count: int) -> Path:
    with Catalog(data, create=True) as catalog:
        for number in range(count):
            media_samples.add(catalog, f"{10000 + number}", slides=(picture.read_bytes() + b" " * number,))
    return data


def tries(data: Path) -> dict[int, int]:
    with Catalog(data, read_only=True) as catalog:
        rows = catalog.database.execute("SELECT tries, count(*) FROM ledger WHERE stage = 'ocr' GROUP BY 1")
        return {row[0]: row[1] for row in rows}


def test_ten_killed_nodes_lose_nothing_and_store_nothing_twice(three_nodes: ThreeNodes, tmp_path: Path) -> None:
    data = filled(tmp_path / "data", media_samples.cover(tmp_path / "cover.png", "Good morning"), ITEMS)
    running = started(data, three_nodes.address)
    chosen, killed = random.Random(1), 0
    while killed < KILLS and running.poll() is None:
        time.sleep(chosen.uniform(3, 9))
        if tries(data).get(1, 0) < ITEMS:
            node = chosen.choice(three_nodes.nodes)
            three_nodes.kill(node)
            three_nodes.replace(node)
            killed += 1
    _, printed = running.communicate(timeout=1_200)
    print(f"{killed} nodes killed", printed)
    assert killed >= 3
    assert running.returncode == 0
    assert tries(data) == {1: ITEMS}


def started(data: Path, address: str) -> subprocess.Popen[str]:
    """Start `run` on a cluster."""
    command = [sys.executable, "-c", "import app; app.main()", "run", "--data", str(data), "--cluster", address]
    options = ["--ocr-engine", "tesseract", "--ocr-languages", "eng", "--frames", "1"]
    return subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)


class Everything(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


def test_a_full_object_store_loses_nothing(
    three_nodes: ThreeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All contents travel with the leases, as to nodes without the data folder; each fills a third of a store."""
    made = Leases.__init__

    def apart(self: Leases[str], *given: Any) -> None:
        made(self, *given)
        self._apart = Everything()

    monkeypatch.setattr(Leases, "__init__", apart)
    picture = media_samples.cover(tmp_path / "cover.png", "Good morning").read_bytes()
    data = tmp_path / "data"
    with Catalog(data, create=True) as catalog:
        for number in range(8):
            media_samples.add(catalog, f"{10000 + number}", slides=(picture + bytes(STORE_BYTES // 3 + number),))
    with Catalog(data) as catalog, connected(three_nodes.address, data) as cluster:
        report = run_stage(catalog, "ocr", OCR, cluster=cluster)
    assert (report.done, report.failed) == (8, 0)
    assert tries(data) == {1: 8}


def test_a_run_whose_head_is_lost_ends_and_the_next_one_finishes(tmp_path: Path, picture_of_words: Path) -> None:
    data = filled(tmp_path / "data", picture_of_words, 12)
    nodes = ThreeNodes()
    running = started(data, nodes.address)
    with Catalog(data, read_only=True) as watched:
        while len(watched.ledger.due("ocr")) > 9 and running.poll() is None:
            time.sleep(0.1)
    nodes.kill_head()
    _, printed = running.communicate(timeout=300)
    assert running.returncode != 0, printed
    nodes.stop()
    assert tries(data)[1] >= 3
    again = ThreeNodes()
    finishing = started(data, again.address)
    _, printed = finishing.communicate(timeout=300)
    assert finishing.returncode == 0, printed
    again.stop()
    assert tries(data) == {1: 12}


@pytest.fixture
def picture_of_words(tmp_path: Path) -> Path:
    return media_samples.cover(tmp_path / "words.png", "Good morning")
