"""The videos of the sample that the questions about drawn things mean, with hardly any words: what is drawn decides."""

import json
import shutil
from pathlib import Path
from typing import Any

from ingest.catalog import Catalog
from scraper.records import Video
from tests.command_line import REPOSITORY

SAMPLE = REPOSITORY / "data" / "sample"
TOY = REPOSITORY / "data" / "toy_vision"
ROLLER_COASTER = "9000000000000000085"  # a clip; its cover shows the same
QUESTION = "a roller coaster and a blue ball"


def questions() -> list[dict[str, Any]]:
    """The questions about what is drawn and nowhere written."""
    found: list[dict[str, Any]] = json.loads((SAMPLE / "queries_seen.json").read_text(encoding="utf-8"))
    return found


def make_seen_data(data: Path) -> None:
    """Fill a data folder with them."""
    with Catalog(data, create=True) as catalog:
        for number, video_id in enumerate(sorted({question["target"] for question in questions()})):
            add_video(catalog, video_id, f"my video number {number}")


def add_video(catalog: Catalog, video_id: str, description: str) -> None:
    """Add a video with the cover of a video of the sample, and with its clip if it has one."""
    catalog.put_video(Video(id=video_id, creator_username="me", description=description))
    folder = catalog.media_folder(video_id)
    for kind, source in (
        ("cover", SAMPLE / f"coverphotos/{video_id}.jpg"),
        ("video", SAMPLE / f"videos/{video_id}.mp4"),
    ):
        if source.is_file():
            target = folder / f"{kind}{source.suffix}"
            shutil.copyfile(source, target)
            catalog.put_media(video_id, kind, target, "imported")  # type: ignore[arg-type]
