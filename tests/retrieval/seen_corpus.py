"""The videos of the sample that the questions about drawn things mean, with hardly any words: what is drawn decides."""

import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.corpus import build as corpus
from retrieval.corpus.seen import with_pictures
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.vision import VisionEncoder
from scraper.records import Video
from tests.command_line import REPOSITORY

SAMPLE = REPOSITORY / "data" / "sample"
TOY = REPOSITORY / "data" / "toy_vision"
ROLLER_COASTER = "9000000000000000085"  # a clip; its cover shows the same
QUESTION = "a roller coaster and a blue ball"
REPOST = "9000000000000000985"  # a copy of the roller coaster
TENT, BED, HOSPITAL, SKYSCRAPERS = (f"9000000000000000{number}" for number in ("018", "173", "036", "113"))


def questions() -> list[dict[str, Any]]:
    """The questions about what is drawn and nowhere written."""
    found: list[dict[str, Any]] = json.loads((SAMPLE / "queries_seen.json").read_text(encoding="utf-8"))
    return found


def make_seen_data(data: Path, ids: Iterable[str] = ()) -> None:
    """Fill a data folder with them, or some of them."""
    with Catalog(data, create=True) as catalog:
        for number, video_id in enumerate(sorted(ids or {question["target"] for question in questions()})):
            of = ROLLER_COASTER if video_id == REPOST else video_id
            add_video(catalog, video_id, f"my video number {number}", of)


def make_seen_index(folder: Path, encoder: Encoder, ids: Iterable[str] = ()) -> None:
    """Fill the folders `data` and `indexes` with them, or some of them, and what they show by the toy model."""
    make_seen_data(folder / "data", ids)
    settings = Settings(data=folder / "data", indexes=folder / "indexes")
    corpus.build(settings, [encoder])
    with_pictures(settings, lambda: VisionEncoder(str(TOY)))


def screenshot(video_id: str, words: str = "") -> bytes:
    """Return a part of the cover of a video, as a phone would save it, with words on it."""
    with Image.open(SAMPLE / "coverphotos" / f"{video_id}.jpg") as cover:
        shot = cover.convert("RGB").crop((20, 60, 340, 600)).resize((640, 1080))
    if words:
        draw = ImageDraw.Draw(shot)
        draw.rectangle((0, 0, 640, 120), fill="white")
        draw.text((30, 30), words, fill="black", font=ImageFont.load_default(56))
    file = io.BytesIO()
    shot.save(file, "PNG")
    return file.getvalue()


def add_video(catalog: Catalog, video_id: str, description: str, of: str = "") -> None:
    """Add a video with the cover of a video of the sample (`of`, else itself), and with its clip if it has one."""
    of = of or video_id
    catalog.put_video(Video(id=video_id, creator_username="me", description=description))
    folder = catalog.media_folder(video_id)
    for kind, source in (
        ("cover", SAMPLE / f"coverphotos/{of}.jpg"),
        ("video", SAMPLE / f"videos/{of}.mp4"),
    ):
        if source.is_file():
            target = folder / f"{kind}{source.suffix}"
            shutil.copyfile(source, target)
            catalog.put_media(video_id, kind, target, "imported")  # type: ignore[arg-type]
