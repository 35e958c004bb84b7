"""Run scraper.js in a page of a simulated site, and import its file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from typer.testing import CliRunner

from ingest.__main__ import app
from ingest.catalog import Catalog
from scraper.records import Video
from tests.conftest import REPOSITORY
from tests.scraper.pages import Clip, Remark

SCRIPT = (REPOSITORY / "scraper" / "scraper.js").read_text(encoding="utf-8")
OLD_KEYS = {
    *("video-src", "coverphoto-src", "permalink", "web-id", "id", "like-count", "comment-count", "creator-username"),
    *("creator-nickname", "time-posted", "music-title", "music-src", "description", "comments", "scrape-timestamp"),
}
NEW_KEYS = {
    *("video-srcs", "coverphoto-srcs", "slides-src", "hashtags", "captions", "time-posted-iso", "like-count-exact"),
    *("comment-count-exact", "play-count", "share-count", "missing"),
}
QUICK = {"delay": 5000, "pause": 0, "save": False}  # ms; far longer than anything takes that does come
IN_VAIN = 1000  # ms; the delay where something never comes
Record = dict[str, Any]
Open = Callable[..., Page]


def scrape(page: Page, count: int, **options: object) -> list[Record]:
    records: list[Record] = page.evaluate("([n, o]) => scrape_tiktoks(n, o)", [count, QUICK | options])
    return records


def extract(page: Page, **options: object) -> Record:
    wanted = {name: value for name, value in (QUICK | options).items() if name != "save"}
    record: Record = page.evaluate("(o) => extract_tiktok_information(o)", wanted)
    return record


def texts(record: Record) -> list[str]:
    return [comment["comment-text"] for comment in record["comments"]]


def imported(batch: Path, data: Path) -> dict[str, Video]:
    """Import a batch into a new catalog and return its videos. No record may be refused."""
    result = CliRunner().invoke(app, ["import", str(batch), "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["problems"] == []
    with Catalog(data) as catalog:
        return {entry.video.id: entry.video for entry in catalog.entries(catalog.ids())}


def numbered(count: int, **same: Any) -> list[Clip]:
    return [
        Clip(n, text=f"clip {n}", remarks=(Remark(f"about {n}"), Remark(f"more of {n}")), **same) for n in range(count)
    ]
