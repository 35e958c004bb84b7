"""The sample and 2,000 made videos, read, encoded and searched: the same on three nodes as on one machine."""

import json
import random
import shutil
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.cluster.connection import connected
from ingest.settings import Settings
from ingest.stages.importer import import_records
from ingest.stages.pipeline import run_stage
from retrieval.corpus import build
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.on_nodes import EncodingOnNodes
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from scraper import sources
from scraper.records import Video
from tests.ingest import media_samples
from tests.ingest.cluster.conftest import ThreeNodes
from tests.ingest.cluster.test_reading import STAGES, rows

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]
MADE, WITH_PICTURE, WITH_FILM = 2_000, 40, 10
FIRST = 7_000_000_000_000_000_000  # id of a made video
EVERY = 4  # video of the sample is read: its pictures take a second each
ROUNDED = 1e-3  # of a score: batches of another size give vectors that differ by 1e-7, and an index keeps 16 bits
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def add_made(catalog: Catalog, folder: Path) -> None:
    """Add videos that mix the descriptions of those in the catalog. Some have a picture, some a film with speech."""
    chosen = random.Random(7)
    words = [word for entry in catalog.entries(catalog.ids()) for word in (entry.video.description or "").split()]
    film = media_samples.video(folder / "film.mp4", media_samples.speech(3), 3)
    with catalog.transaction():
        for number in range(MADE):
            said = " ".join(chosen.sample(words, 12))
            record = Video(id=f"{FIRST + number}", description=said)
            cover = media_samples.cover(folder / "cover.png", said[:20]) if number < WITH_PICTURE else None
            video = film if number < WITH_FILM else None
            media_samples.add(catalog, record.id, cover=cover, video=video, record=record)


def read_and_built(folder: Path, whisper: Path, address: str = "") -> Searcher:
    """Read and encode a catalog, on a cluster if there is an address."""
    data, indexes = folder / "data", folder / "indexes"
    settings = Settings(
        data=data, indexes=indexes, whisper=str(whisper), ocr_engine="tesseract", ocr_languages="eng", frames=1
    )
    encoder = SentenceEncoder(MODEL, precision="fp32")
    with connected(address, data) as cluster, EncodingOnNodes(cluster) as on_nodes:
        with Catalog(data) as catalog:
            due = {stage: catalog.ledger.due(stage) for stage in STAGES}
            for stage in STAGES:
                made = [video_id for video_id in due[stage] if FIRST <= int(video_id) < FIRST + MADE]
                ids = [*made, *[video_id for video_id in due[stage] if video_id not in made][::EVERY]]
                report = run_stage(catalog, stage, settings, ids=ids, cluster=cluster)
                assert report.done > EVERY
                assert not report.failed
        built = build.build(settings, on_nodes.encoders([encoder]))
        assert built.manifest.videos > MADE
    return Searcher(open_current(indexes), encoder)


def test_the_sample_and_2000_made_videos_give_equal_catalogs_and_answers(
    three_nodes: ThreeNodes, sample_corpus: Path, whisper: Path, tmp_path: Path
) -> None:
    with Catalog(tmp_path / "alone" / "data", create=True) as catalog:
        import_records(catalog, sources.read(sample_corpus))
        add_made(catalog, tmp_path)
    shutil.copytree(tmp_path / "alone", tmp_path / "together")
    alone = read_and_built(tmp_path / "alone", whisper)
    together = read_and_built(tmp_path / "together", whisper, three_nodes.address)
    expected = rows(tmp_path / "alone" / "data")
    for table, lines in rows(tmp_path / "together" / "data").items():
        assert len(lines) == len(expected[table])
        for one, other in zip(lines, expected[table], strict=True):
            assert one == other
    questions = [line["text"] for line in json.loads((sample_corpus / "queries.json").read_text())]
    for question in questions:
        hits, same = alone.search(question).hits, together.search(question).hits
        assert [hit.id for hit in hits] == [hit.id for hit in same], question
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in same], abs=ROUNDED), question
