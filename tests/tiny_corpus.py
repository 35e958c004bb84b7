"""A small invented corpus with real media and hostile texts: page and API are tested on it."""

from pathlib import Path

import av
import numpy as np
from PIL import Image

from ingest.catalog import Catalog
from ingest.catalog.entries import Segment, Text
from retrieval.corpus.build import CatalogCorpus
from retrieval.embedding.encoder import Encoder
from retrieval.index.builder import build_corpus
from retrieval.index.manifest import Manifest
from scraper.records import Comment, Encounter, Video

BREAD, HOSTILE, PHOTOS, FALCON, LOST, NAUGHTY, KETTLE = (f"7100000000000000{n}" for n in range(1, 8))
BREAD_SECOND = 12.5  # when the loaf is tapped
VIDEO_S = 20
HOSTILE_TEXTS = {
    "description": "<script>alert('description')</script> haunted **toaster** <b onclick=alert(1)>#spooky</b>",
    "creator_username": "'onmouseover='alert(2)",
    "creator_nickname": '"><img src=x onerror=alert("nickname")>',
    "music_title": "<svg/onload=alert('music')>",
    "permalink": 'https://www.tiktok.com/@x/video/1"onclick="alert(3)" x="',
}
HOSTILE_COMMENTS = [
    "${alert('template')} haunted toaster {{constructor.constructor('alert(4)')()}} `${alert(5)}`",
    "[haunted toaster](javascript:alert(6)) ![x](https://example.invalid/pixel.png)",
    "</mark></blockquote></article><iframe src='https://example.invalid/frame'></iframe> toaster",
    "<!-- toaster --!><style>*{background:url(https://example.invalid/css.png)}</style>",
]
HOSTILE_SPEECH = "</mark><img src='https://example.invalid/pixel.png' onerror=alert('speech')> toaster <u>whispers</u>"

# when and in which lists the person met them
MET = {
    BREAD: [
        Encounter(list="history", at="2024-04-01T19:00:00"),
        Encounter(list="likes", at="2024-04-02T08:00:00"),
    ],
    HOSTILE: [Encounter(list="collection", at="2025-01-31T22:00:00", name="<img src=x onerror=alert(7)> & 'socks'")],
    LOST: [Encounter(list="likes", at="2023-12-24T12:00:00")],
    KETTLE: [Encounter(list="collection", name="Tea time")],
}


def make_data(data: Path, naughty: list[str] | None = None) -> None:
    """Fill a data folder with the videos. `naughty` strings become the comments of one of them."""
    videos = [
        Video(
            id=BREAD,
            permalink=f"https://www.tiktok.com/@crumb.and.crust/video/{BREAD}",
            creator_username="crumb.and.crust",
            creator_nickname="Crumb & Crust",
            description="is it done?? ask the loaf #sourdough #baking",
            music_title="original sound - crumb",
            likes_shown="20.2K",
            comments_shown="311",
            posted_shown="2024-3-28",
            comments=[Comment(text="the drum solo of breads"), Comment(text="hollow = done")],
        ),
        Video(id=HOSTILE, comments=[Comment(text=text) for text in HOSTILE_COMMENTS], **HOSTILE_TEXTS),  # type: ignore[arg-type]
        Video(id=PHOTOS, creator_username="slow.miles", description="three trains, one day #railway"),
        Video(
            id=FALCON,
            creator_username="صقار",
            description="صقر يعود إلى يدي بعد رحلة طويلة",
            comments=[Comment(text="ما شاء الله")],
        ),
        Video(
            id=LOST,
            permalink=f"https://www.tiktok.com/@gone/video/{LOST}",
            creator_username="gone",
            description="the lost sock reunion",
        ),
        Video(id=NAUGHTY, description="naughty strings", comments=[Comment(text=text) for text in naughty or []]),
        Video(id=KETTLE, creator_username="tea.physics", description="why the kettle sings before it boils"),
    ]
    bread = [
        Segment(0.0, 4.0, "Everyone asks me how I know that the bread is done."),
        Segment(BREAD_SECOND, 16.0, "Tap the bottom of the loaf. If it sounds hollow, like a drum, it is done."),
    ]
    with Catalog(data, create=True) as catalog:
        for video in videos:
            catalog.put_video(video)
        for video_id, encounters in MET.items():
            catalog.put_encounters(video_id, encounters)
        folder = catalog.media_folder(BREAD)
        make_video(folder / "video.mp4")
        catalog.put_media(BREAD, "video", folder / "video.mp4", "imported")
        make_picture(folder / "cover.jpg", "peru")
        catalog.put_media(BREAD, "cover", folder / "cover.jpg", "imported")
        folder = catalog.media_folder(PHOTOS)
        for number, colour in enumerate(("seagreen", "teal", "navy")):
            make_picture(folder / f"slide_{number}.jpg", colour)
            catalog.put_media(PHOTOS, "slide", folder / f"slide_{number}.jpg", "imported", position=number)
        folder = catalog.media_folder(FALCON)
        make_picture(folder / "cover.png", "goldenrod")
        catalog.put_media(FALCON, "cover", folder / "cover.png", "imported")

        for video_id, segments in ((BREAD, bread), (HOSTILE, [Segment(1.0, 2.0, HOSTILE_SPEECH)])):
            said = " ".join(segment.text for segment in segments)
            catalog.put_text(video_id, "transcript", Text(said, "whisper", "1", "tiny", "en", segments=segments))
        catalog.put_text(BREAD, "cover", Text("IS IT DONE?", "tesseract", "5", confidence=0.9))


def make_index(data: Path, indexes: Path, encoder: Encoder) -> Manifest:
    """Build a generation of all videos in a data folder."""
    return build_corpus(CatalogCorpus(data).corpus, indexes, encoder)


def make_picture(path: Path, colour: str) -> None:
    Image.new("RGB", (90, 160), colour).save(path)


def make_video(path: Path) -> None:
    """Write VIDEO_S seconds at 5 frames a second that brighten from black to white, with a key frame every second."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=5, options={"g": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 90, 160, "yuv420p"
        for number in range(VIDEO_S * 5):
            shade = np.full((160, 90, 3), number * 255 // (VIDEO_S * 5), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode())
