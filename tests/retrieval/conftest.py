"""A tiny corpus, the real default encoder, and a generation of the two, made once."""

from pathlib import Path

import pytest

from ingest.catalog.entries import Entry, Segment, Text
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.index.builder import build
from retrieval.index.documents import Document, document
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from scraper.records import Comment, Video


def entry(
    video_id: str,
    description: str = "",
    creator: str = "",
    said: list[tuple[float, float, str]] | None = None,
    written: str = "",
    comments: list[str] | None = None,
    music: str = "",
    posted: str | None = None,
    language: str = "",
) -> Entry:
    segments = [Segment(*segment) for segment in said or []]
    return Entry(
        Video(
            id=video_id,
            description=description,
            creator_username=creator,
            music_title=music,
            posted=posted,
            comments=[Comment(text=text) for text in comments or []],
        ),
        {
            "cover": Text(written, "tesseract"),
            "transcript": Text(" ".join(s.text for s in segments), "whisper", language=language, segments=segments),
        },
    )


ENTRIES = [
    entry(
        "70001",
        "my cat #knockingthingsover",
        "whiskers.daily",
        [(0.0, 3.0, "Look at him go."), (12.5, 15.0, "He pushed the porcelain teapot off the shelf!")],
        "THE AUDACITY",
        ["he did it on purpose", "justice for the teapot"],
        "sneaky piano",
        "2021-06-30",
        "en",
    ),
    entry(
        "70002",
        "sourdough for beginners",
        "bread.bench",
        [(1.0, 4.0, "Feed the starter twice a day.")],
        "DAY 1",
        posted="2022-01-01",
        language="en-US",
    ),
    entry("70003", "", "gardengnome", None, "", ["what plant is that", "it's a foxglove"], "birdsong", "2022-03-15"),
    entry("70004", "how tides work", "harbour.physics", [(0.0, 6.0, "The moon pulls the ocean into two bulges.")]),
    entry("70005", "回転寿司に行ってきた 🍣 été", "sushi.train", None, "ほしい", posted="2023-01-01", language="ja"),
    entry(
        "70006", "parking a caravan, part 2", "slowlane", [(2.0, 5.0, "Left. No, your other left.")], "HELP", ["LEFT"]
    ),
]


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    return [document(one) for one in ENTRIES]


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def indexes(documents: list[Document], encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes")
    build(documents, folder, encoder)
    return folder


@pytest.fixture(scope="session")
def searcher(indexes: Path, encoder: Encoder) -> Searcher:
    return Searcher(open_current(indexes), encoder)
