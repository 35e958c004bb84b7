"""Before the work, `add` says how much there is to do."""

from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.stages.workers import cores
from retrieval.corpus import add_plan
from retrieval.corpus.add_plan import plan
from retrieval.corpus.words import duration
from scraper.errors import UserError
from scraper.records import Video
from tests.ingest import media_samples


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "data", create=True)
    for number in range(4):
        made.put_video(Video(id=f"7000{number}", permalink=f"https://www.tiktok.com/@a/video/7000{number}"))
    media_samples.add(made, "80001", cover=media_samples.cover(tmp_path / "c.png", "mine"))
    return made


def test_the_plan_counts_what_is_to_fetch_and_what_is_left(catalog: Catalog) -> None:
    ids = ["80001", *(f"7000{number}" for number in range(4))]
    whole = plan(catalog, ids, fetch_limit=None)
    assert (whole.work, whole.fetch, whole.left) == (ids, ids[1:], frozenset())
    assert whole.sentence().startswith("4 videos to fetch (12 MB) and 1 video to read: about ")
    two = plan(catalog, ids, fetch_limit=2)
    assert (two.work, two.left) == (ids[:3], frozenset({"70002", "70003"}))
    none = plan(catalog, ids, fetch_limit=0)
    assert (none.work, none.sentence()) == (ids[:1], "1 video to read: about a minute on this machine.")


def test_a_catalog_with_a_history_is_planned_by_its_own_pace(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_700_000_000.0]
    monkeypatch.setattr("ingest.catalog.ledger.time.time", lambda: now[0])
    for number in range(60):
        now[0] += 30.0 if number != 30 else 90_000.0  # a day between two runs does not count
        catalog.put_video(Video(id=f"9000{number:02}"))
        catalog.ledger.set(f"9000{number:02}", "download", "done")
    made = plan(catalog, ["70000", "70001"], fetch_limit=None)
    assert made.seconds == pytest.approx(
        2 * 30
        + made.due["ocr"] * add_plan.OCR_CORE_S / cores()
        + made.due["transcribe"] * add_plan.SPEECH_CORE_S / cores()
    )


def test_a_full_disk_stops_before_the_work(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(add_plan, "SPARE_BYTES", 10**18)
    with pytest.raises(UserError, match="fetch fewer with --fetch-limit"):
        plan(catalog, ["70000"], fetch_limit=None).check_disk(catalog.data)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "a minute"),
        (80, "a minute"),
        (600, "10 minutes"),
        (7_300, "2 hours"),
        (5_400, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_lengths_of_time_are_rounded_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
