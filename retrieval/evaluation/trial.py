"""One model over the same texts and questions, in a process of its own -> places, run file and costs.

A process a model: its peak memory is its own, and the next one starts with nothing in the way. The generation is built
in a folder aside; the vectors go to the shared cache, so that a second run encodes nothing.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, computed_field

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Encoder, KeywordOnly, SentenceEncoder
from retrieval.embedding.registry import KEYWORDS_ALONE
from retrieval.embedding.vector_cache import VectorCache
from retrieval.evaluation.measures import QueryOutcome, rank_outcome
from retrieval.evaluation.queries import Query
from retrieval.index.builder import build
from retrieval.index.documents import FIELDS, TEXT_FIELDS, Document
from retrieval.index.generation import open_current
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

SAMPLE_TEXTS, SAMPLE_RUNS = 256, 16  # timed when vectors come from the cache: seconds even for a large model
TIMED_QUERIES = 200  # enough for a median and a 95th percentile
RUN_DEPTH = 1_000  # places in a TREC run file, as is usual there
TOP = 5  # of each ranking, for the details of a question

ALONE, WITHOUT, LANE = "alone:", "without:", "lane:"  # how a ranking's settings are named


@dataclass(frozen=True)
class Job:
    """What a trial needs; it goes to another process. The generation is built in `aside`, an empty folder."""

    model: str
    documents: Sequence[Document]
    queries: Sequence[Query]
    cache: Path
    aside: Path
    run_file: Path
    fields: bool
    progress: ProgressMode


class Costs(BaseModel):
    """What a model costs, measured in this run. Bytes are of the generation; `peak_bytes` of the whole process.

    `encoded` of `texts` had to be encoded, in `encode_s`; where that is not all, `texts_per_s` is timed on a sample.
    """

    texts: int
    encoded: int
    encode_s: float
    texts_per_s: float | None
    load_s: float
    query_ms: float
    query_p95_ms: float
    index_bytes: int
    peak_bytes: int | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def whole_s(self) -> float:
        """Seconds to encode all the texts at that speed; 0 where there is nothing to encode."""
        return self.texts / self.texts_per_s if self.texts_per_s else 0.0


@dataclass(frozen=True)
class Trial:
    """A model's outcomes by settings ("lane:dense", "alone:cover", "without:cover"), in the order of the questions."""

    model: str
    encoder: str
    sha256: str
    dimension: int
    precision: str
    prompts: dict[str, str]
    lane: Mode
    outcomes: dict[str, list[QueryOutcome]]
    tops: list[list[tuple[str, float]]]
    costs: Costs

    @property
    def main(self) -> list[QueryOutcome]:
        return self.outcomes[f"{LANE}{self.lane}"]


def run_trial(job: Job) -> Trial:
    """Build aside, ask everything, time it.

    Raises:
        ingest.weights.WeightsError: the model cannot be had.
        GenerationError: nothing to index.
    """
    clock = time.perf_counter()
    alone = job.model == KEYWORDS_ALONE
    encoder: Encoder = KeywordOnly() if alone else SentenceEncoder(job.model)
    load_s = time.perf_counter() - clock
    texts = list({passage.text: None for doc in job.documents for of in doc.passages.values() for passage in of})
    cache = job.aside / "none.sqlite" if alone else job.cache
    clock = time.perf_counter()
    encoded = VectorCache(cache).encode(encoder, texts, progress="off" if alone else job.progress)[1]
    encode_s = time.perf_counter() - clock
    build(job.documents, job.aside, encoder, cache=cache)
    generation = open_current(job.aside)
    index_bytes = sum(path.stat().st_size for path in generation.folder.iterdir())
    outcomes, tops, times = _ask(Searcher(generation, encoder), job, "keyword" if alone else "hybrid")
    generation.close()
    speed = None if alone else len(texts) / encode_s if encoded == len(texts) else _speed(encoder, texts)
    return Trial(
        model=job.model,
        encoder=encoder.name,
        sha256=encoder.sha256,
        dimension=encoder.dimension,
        precision=encoder.precision,
        prompts=dict(encoder.prompts),
        lane="keyword" if alone else "hybrid",
        outcomes=outcomes,
        tops=tops,
        costs=Costs(
            texts=0 if alone else len(texts),
            encoded=0 if alone else encoded,
            encode_s=0.0 if alone else encode_s,
            texts_per_s=speed,
            load_s=load_s,
            query_ms=float(np.median(times)),
            query_p95_ms=float(np.percentile(times, 95)),
            index_bytes=index_bytes,
            peak_bytes=peak_memory(),
        ),
    )


def _ask(
    searcher: Searcher, job: Job, main: Mode
) -> tuple[dict[str, list[QueryOutcome]], list[list[tuple[str, float]]], list[float]]:
    """All rankings of all questions; the best of the main one, written as a run file too, and its milliseconds."""
    ids = searcher.generation.ids
    lanes: tuple[Mode, ...] = MODES if main == "hybrid" else (main,)
    fields = (FIELDS if main == "hybrid" else TEXT_FIELDS) if job.fields else ()
    outcomes: dict[str, list[QueryOutcome]] = {}
    tops: list[list[tuple[str, float]]] = []
    times: list[float] = []
    for query in job.queries[:3]:
        searcher.order(query.text, mode=main)  # the first questions warm everything up and are not timed
    with job.run_file.open("w", encoding="utf-8") as run:
        for query in Progress(f"ask {job.model}", len(job.queries), job.progress, unit="questions").track(job.queries):
            clock = time.perf_counter()
            order, scores = searcher.order(query.text, mode=main)
            if len(times) < TIMED_QUERIES:
                times.append((time.perf_counter() - clock) * 1000)
            named = [ids[video] for video in order]
            outcomes.setdefault(f"{LANE}{main}", []).append(rank_outcome(query, named, len(ids)))
            tops.append([(ids[video], float(score)) for video, score in zip(order[:TOP], scores, strict=False)])
            for place, (video, score) in enumerate(
                zip(named[:RUN_DEPTH], _falling(scores[:RUN_DEPTH]), strict=True), start=1
            ):
                run.write(f"{query.id} Q0 {video} {place} {score:.9g} {_tag(job.model)}\n")
            vector = searcher.encoder.query(query.text) if main == "hybrid" else None
            for lane in lanes:
                if lane != main:
                    order, _ = searcher.order(query.text, mode=lane, vector=vector)
                    outcomes.setdefault(f"{LANE}{lane}", []).append(
                        rank_outcome(query, [ids[v] for v in order], len(ids))
                    )
            for field in fields:
                for how, rest, own in ((ALONE, 0.0, 1.0), (WITHOUT, 1.0, 0.0)):
                    weights = dict.fromkeys(FIELDS, rest) | {field: own}
                    order, _ = searcher.order(query.text, mode=main, weights=weights, vector=vector)
                    outcomes.setdefault(f"{how}{field}", []).append(
                        rank_outcome(query, [ids[v] for v in order], len(ids))
                    )
    return outcomes, tops, times


def _falling(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scores, best first, such that no two are equal in single precision, which evaluation tools sort by: a tie broken
    by another rule than ours would give other figures."""
    falling = scores.astype(np.float32)
    for row in range(1, len(falling)):
        if falling[row] >= falling[row - 1]:
            falling[row] = np.nextafter(falling[row - 1], np.float32(-np.inf))
    return falling


def _tag(model: str) -> str:
    return "_".join(model.split()) or "model"


def _speed(encoder: Encoder, texts: Sequence[str]) -> float:
    """Texts a second over an even sample of all lengths, in runs of like length: a batch is padded to its longest."""
    by_length = sorted(texts, key=len)
    starts = (np.arange(SAMPLE_RUNS) + 0.5) / SAMPLE_RUNS * len(by_length) - SAMPLE_TEXTS / SAMPLE_RUNS / 2
    size = SAMPLE_TEXTS // SAMPLE_RUNS
    samples = [by_length[start : start + size] for start in np.maximum(starts, 0).astype(int)]
    clock = time.perf_counter()
    for sample in samples:
        encoder.passages(sample)
    return sum(map(len, samples)) / (time.perf_counter() - clock)


def peak_memory() -> int | None:
    """The most memory that this process has held, in bytes; None where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass  # not Linux
    if os.name == "nt":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
