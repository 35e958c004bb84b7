"""A corpus of a few videos with all that a command can lose: media, texts, judgements, edits, two generations."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.entries import Segment, Text
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.errors import GenerationError
from retrieval.index.builder import build
from retrieval.index.documents import document
from retrieval.index.generation import open_current
from retrieval.index.layout import generation_names
from scraper.records import Comment, Video
from tests.tiny_corpus import make_picture

IDS = [f"720000000000000000{n}" for n in range(3)]
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Corpus:
    """The folders of a corpus, all in one folder."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def indexes(self) -> Path:
        return self.root / "indexes"

    @property
    def source(self) -> Path:
        """A folder of records that are not imported yet: one video is new, one has another cover."""
        return self.root / "source"

    def folders(self) -> list[str | Path]:
        """Return the options that name the folders."""
        return ["--data", self.data, "--indexes", self.indexes]


def make(root: Path) -> Corpus:
    """Make the corpus in an empty folder."""
    corpus = Corpus(root)
    with Catalog(corpus.data, create=True) as catalog:
        for number, video_id in enumerate(IDS):
            comments = [Comment(text=f"comment {n} of {number}") for n in range(3)]
            catalog.put_video(Video(id=video_id, description=f"cat number {number} on a shelf", comments=comments))
            cover = catalog.media_folder(video_id) / "cover.jpg"
            make_picture(cover, "teal")
            catalog.put_media(video_id, "cover", cover, "imported")
            said = f"Look at him go, number {number}."
            catalog.put_text(
                video_id, "transcript", Text(said, "whisper", "1", "tiny", "en", segments=[Segment(0, 3, said)])
            )
            catalog.put_text(video_id, "cover", Text("THE AUDACITY", "tesseract", "5", confidence=0.9))
            catalog.ledger.set(video_id, "ocr", "done")
        catalog.judgements.add("cat on a shelf", IDS[0], 1.0, "")
    _index(corpus)
    with Catalog(corpus.data) as catalog:
        catalog.put_video(Video(id=IDS[2], description="cat number 2 under a table"))
    _index(corpus)
    records = corpus.source / "info"
    records.mkdir(parents=True)
    covers = corpus.source / "coverphotos"
    covers.mkdir()
    for video_id, colour in ((IDS[0], "navy"), ("7200000000000000009", "peru")):
        record = {"id": video_id, "creator-username": "@someone", "description": f"imported {video_id}", "comments": []}
        (records / f"{video_id}.json").write_text(json.dumps([record]), encoding="utf-8")
        make_picture(covers / f"{video_id}.jpg", colour)
    return corpus


def _index(corpus: Corpus) -> None:
    with Catalog(corpus.data) as catalog:
        build([document(one) for one in catalog.entries(catalog.ids())], corpus.indexes, SentenceEncoder(ENCODER))


def kept(corpus: Corpus) -> dict[str, set[str]]:
    """Return what a person or long work has made, by kind: nothing of it may get lost."""
    with closing(sqlite3.connect(f"{(corpus.data / 'catalog.sqlite').as_uri()}?mode=ro", uri=True)) as db:

        def rows(sql: str) -> set[str]:
            return {json.dumps(row) for row in db.execute(sql)}

        return {
            "videos": rows("SELECT id FROM videos"),
            "texts": rows("SELECT video_id, kind FROM texts WHERE text IS NOT NULL"),
            "media": rows("SELECT video_id, kind, position FROM media"),
            "judgements": rows("SELECT query, video_id FROM judgements"),
        }


def faults_of(corpus: Corpus, before: dict[str, set[str]], *, may_lose: frozenset[str] = frozenset()) -> list[str]:
    """Return what is wrong with a corpus after a command that failed.

    Args:
        before: what `kept` returned before the command.
        may_lose: the kinds that the command deletes if it succeeds.
    """
    wrong = []
    with closing(sqlite3.connect(corpus.data / "catalog.sqlite")) as db:
        if (found := db.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            wrong.append(f"the catalog is damaged: {found}")
        if db.execute("PRAGMA foreign_key_check").fetchall():
            wrong.append("rows of the catalog refer to nothing")
        media = db.execute("SELECT path, bytes FROM media").fetchall()
    if "media" not in may_lose:
        wrong += [f"{path} is not there in full" for path, size in media if not _is_whole(corpus.data / path, size)]
    after = kept(corpus)
    wrong += [
        f"lost {kind}: {lost}" for kind in before if kind not in may_lose and (lost := before[kind] - after[kind])
    ]
    try:
        open_current(corpus.indexes)
    except GenerationError as error:
        wrong.append(f"no generation opens: {error} (there are {generation_names(corpus.indexes)})")
    return wrong


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
