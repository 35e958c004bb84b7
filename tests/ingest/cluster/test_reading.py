"""A catalog that is read on three nodes: the same texts as on one machine, also if nodes are lost."""

import json
import threading
import time
from pathlib import Path

import pytest

from ingest.catalog import Catalog, Stage
from ingest.cluster.connection import connected
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from ingest.stages.stage_run import StageReport
from tests.ingest import media_samples
from tests.ingest.cluster.conftest import ThreeNodes

STAGES: tuple[Stage, ...] = ("ocr", "transcribe")
Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A film with speech, a cover, and a film that ends too early."""
    folder = tmp_path_factory.mktemp("originals")
    spoken = media_samples.video(folder / "spoken.mp4", media_samples.speech(3), 3)
    cut = folder / "cut.mp4"
    cut.write_bytes(spoken.read_bytes()[: spoken.stat().st_size * 2 // 3])
    return [spoken, media_samples.cover(folder / "cover.png", "Good morning"), cut]


def filled(data: Path, originals: list[Path], count: int = 5) -> Path:
    """Make a catalog: a film without a cover, a cut film, and posts with pictures."""
    spoken, cover, cut = originals
    with Catalog(data, create=True) as catalog:
        media_samples.add(catalog, "10001", video=spoken)
        media_samples.add(catalog, "10002", video=cut)
        for number in range(3, count + 1):
            media_samples.add(catalog, f"{10000 + number}", slides=(cover.read_bytes() + b" " * number,))
    return data


def read(data: Path, whisper: Path, address: str = "", media: str = "") -> dict[Stage, StageReport]:
    settings = Settings(whisper=str(whisper), ocr_engine="tesseract", ocr_languages="eng", frames=1)
    with Catalog(data) as catalog, connected(address, data, media) as cluster:
        return {stage: run_stage(catalog, stage, settings, cluster=cluster) for stage in STAGES}


def rows(data: Path) -> dict[str, Rows]:
    """What a catalog says, without times."""
    found: dict[str, Rows] = {}
    with Catalog(data, read_only=True) as catalog:
        for table in ("texts", "ledger", "media"):
            cursor = catalog.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3")  # noqa: S608
            kept = [n for n, column in enumerate(cursor.description) if not column[0].endswith("_at")]
            found[table] = [tuple(_rounded(row[n]) for n in kept) for row in cursor]
    return found


def _rounded(value: object) -> object:
    """Leave out the last digits of probabilities: how many threads add them up changes those."""
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value, parse_float=lambda digits: round(float(digits), 2))
    return round(value, 2) if isinstance(value, float) else value


def test_a_cluster_reads_what_one_machine_reads(
    three_nodes: ThreeNodes, originals: list[Path], whisper: Path, tmp_path: Path
) -> None:
    alone, together = filled(tmp_path / "alone", originals), filled(tmp_path / "together", originals)
    reports = read(alone, whisper)
    assert read(together, whisper, three_nodes.address) == reports
    assert reports == {
        "ocr": StageReport("ocr", done=5),
        "transcribe": StageReport("transcribe", done=1, failed=1),
    }
    for table, lines in rows(together).items():
        for one, other in zip(lines, rows(alone)[table], strict=True):
            assert one == other


def test_nothing_is_lost_or_read_twice_when_a_node_is_killed(
    three_nodes: ThreeNodes, originals: list[Path], whisper: Path, tmp_path: Path
) -> None:
    data = filled(tmp_path / "data", originals, 14)
    settings = Settings(whisper=str(whisper), ocr_engine="tesseract", ocr_languages="eng", frames=1)
    killed = threading.Event()

    def kill() -> None:
        with Catalog(data, read_only=True) as watched:
            while len(watched.ledger.due("ocr")) > 11:
                time.sleep(0.05)
        three_nodes.kill(three_nodes.nodes[0])
        killed.set()

    with Catalog(data) as catalog, connected(three_nodes.address, data) as cluster:
        killer = threading.Thread(target=kill)
        killer.start()
        report = run_stage(catalog, "ocr", settings, cluster=cluster)
        killer.join()
    three_nodes.replace(three_nodes.nodes[0])
    assert killed.is_set()
    assert (report.done, report.failed) == (14, 0)
    with Catalog(data, read_only=True) as catalog:
        tries = catalog.database.execute("SELECT tries, count(*) FROM ledger WHERE stage = 'ocr' GROUP BY 1")
        assert [tuple(row) for row in tries] == [(1, 14)]
