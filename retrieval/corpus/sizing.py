"""How long reading and encoding takes on this machine -> hours, memory, disk and shards for millions of videos.

The figures of this machine are measured on films of our own making, by the code of the stages. Everything else is an
assumption with its reason, which the plan names.
"""

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingest.catalog import Catalog, Stage
from ingest.settings import Settings
from ingest.stages.importer import import_records
from ingest.stages.pipeline import run_stage
from retrieval.corpus.made_media import film
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.speed import texts_per_s
from scraper import sources

FILMS = 5  # for the measurement, of FILM_S seconds: one to load what is needed, one alone, and the rest
FILM_S = 10.0
WORDS = ("salt", "flour", "eggs", "the", "of", "recipe", "cat", "garden", "old", "train", "music", "shelf", "again")
TEXT_WORDS = 35  # of a passage

# What a video of the site is like; change what you know better.
VIDEO_S = 30.0  # the median of what people save
WITH_SPEECH = 0.5  # of the videos: the others have music, captions or silence
PASSAGES = 9.4  # of a video with four comments, in the research data
MEDIA_BYTES = 3_000_000  # of a video and its cover
CATALOG_BYTES = 28_000  # of a video in the catalog: 1,462 videos take 40 MB
VECTOR_BYTES = 2.5  # times the dimension, of a passage: in the generation and in the vector cache, compressed
KEYWORD_BYTES = 13_000  # of the postings and texts of a video in the index
GPU_FACTOR = 40.0  # cores that a graphics card replaces in transcribing and encoding; measure yours
MEMORY_SHARE = 0.7  # of a node's memory that an index may fill


@dataclass(frozen=True)
class Speeds:
    """Seconds of one core of this machine."""

    ocr_s_per_film: float  # with a cover and the frames of the settings
    transcribe_s_per_s: float  # of speech
    encode_s_per_text: float  # by all encoders
    dimensions: int  # of all encoders together


@dataclass(frozen=True)
class Nodes:
    """The cluster to plan for."""

    count: int = 1
    cores: int = 2
    gpus: int = 0
    memory_gb: float = 24.0


@dataclass(frozen=True)
class Estimate:
    """What a number of videos costs."""

    videos: int
    cpu_hours: dict[str, float]
    gpu_hours: dict[str, float]  # instead, where there are graphics cards
    hours: dict[str, float]  # on the nodes, stage after stage
    catalog_gb: float
    media_gb: float
    index_gb: float
    shards: int
    node_memory_gb: float

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON."""
        return asdict(self)


def estimate(videos: int, speeds: Speeds, nodes: Nodes) -> Estimate:
    """Return what videos cost on nodes."""
    hour = 3_600.0
    cpu_hours = {
        "ocr": videos * speeds.ocr_s_per_film / hour,
        "transcribe": videos * WITH_SPEECH * VIDEO_S * speeds.transcribe_s_per_s / hour,
        "encode": videos * PASSAGES * speeds.encode_s_per_text / hour,
    }
    gpu_hours = {stage: cpu_hours[stage] / GPU_FACTOR for stage in ("transcribe", "encode")} if nodes.gpus else {}
    cores, cards = nodes.count * nodes.cores, nodes.count * nodes.gpus
    hours = {
        stage: gpu_hours[stage] / cards if stage in gpu_hours else needed / cores for stage, needed in cpu_hours.items()
    }
    index = videos * (PASSAGES * speeds.dimensions * VECTOR_BYTES + KEYWORD_BYTES)
    return Estimate(
        videos,
        cpu_hours,
        gpu_hours,
        hours,
        videos * CATALOG_BYTES / 1e9,
        videos * MEDIA_BYTES / 1e9,
        index / 1e9,
        max(1, math.ceil(index / 1e9 / (MEMORY_SHARE * nodes.memory_gb))),
        nodes.memory_gb,
    )


def assumptions(settings: Settings, nodes: Nodes) -> list[str]:
    """Return what an estimate takes for granted, as sentences."""
    found = [
        f"A video lasts {VIDEO_S:.0f} s, takes {MEDIA_BYTES / 1e6:.0f} MB and has {PASSAGES} passages;"
        f" {WITH_SPEECH:.0%} have speech for their whole length.",
        f"OCR reads the cover and {settings.frames} frames ({settings.ocr_engine}); speech is read by"
        f" {settings.whisper}; vectors are made by {' and '.join(settings.encoder)}.",
        "All cores are like one of this machine, which was measured with one at a time.",
        "Downloads are not in it: the site answers one polite client.",
        f"A part of the index (a shard) fills at most {MEMORY_SHARE:.0%} of a node's {nodes.memory_gb:g} GB.",
    ]
    if nodes.gpus:
        found.append(f"A graphics card replaces {GPU_FACTOR:.0f} cores in transcribing and encoding; that is a guess.")
    return found


def measure(settings: Settings) -> Speeds:
    """Measure this machine for about a minute, in processor time, so that other work on it counts little.

    Raises:
        UserError: a stage cannot run here.
    """
    with tempfile.TemporaryDirectory() as folder:
        films = Path(folder, "films")
        films.mkdir()
        for number in range(FILMS):
            made = film(films / f"{number}.mp4", FILM_S)
            made.write_bytes(made.read_bytes() + bytes(number))  # equal files would be one video
        with Catalog(Path(folder, "data"), create=True) as catalog:
            import_records(catalog, sources.read(films))
            ocr_s, transcribe_s = _per_film(catalog, "ocr", settings), _per_film(catalog, "transcribe", settings)
    encoders = [SentenceEncoder(name) for name in settings.encoder]
    texts = [" ".join(WORDS[(n * 7 + k * k) % len(WORDS)] for k in range(TEXT_WORDS)) for n in range(64)]
    texts_per_s(encoders, texts, 16)
    encode_s = _processor_s(lambda: texts_per_s(encoders, texts, 64)) / 64
    return Speeds(ocr_s, transcribe_s / FILM_S, encode_s, sum(encoder.dimension for encoder in encoders))


def _per_film(catalog: Catalog, stage: Stage, settings: Settings) -> float:
    """Return the processor time of a stage for one film, without what each run needs to start."""
    first, second, *rest = catalog.ids()

    def timed(ids: list[str]) -> float:
        return _processor_s(lambda: run_stage(catalog, stage, settings, ids=ids, processes=1))

    timed([first])
    alone_s = timed([second])
    return max(0.001, (timed(rest) - alone_s) / (len(rest) - 1))


def _processor_s(work: Callable[[], object]) -> float:
    """Return the processor time of work, in this process and those that it started and waited for."""
    before = os.times()
    started = time.perf_counter()
    work()
    after = os.times()
    used = sum(after[:4]) - sum(before[:4])
    return used if used > 0 else time.perf_counter() - started  # Windows does not count other processes
