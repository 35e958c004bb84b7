"""One model (or several together), a corpus and questions -> ranks, a TREC run file and costs.

Each model runs in its own process, so that its peak memory can be measured and the next one starts clean. The
generation is built in a temporary folder. The vectors go to the shared cache, so that a second run encodes nothing.
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
from ingest.settings import model_names
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.embedding.registry import KEYWORDS_ALONE, alias, label
from retrieval.embedding.speed import texts_per_s
from retrieval.embedding.vector_cache import VectorCache
from retrieval.evaluation.measures import QueryOutcome, rank_outcome
from retrieval.evaluation.queries import Query, text_of
from retrieval.index.builder import build
from retrieval.index.documents import FIELDS, TEXT_FIELDS, Document
from retrieval.index.generation import open_current, size_on_disk
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

TIMED_QUERIES = 200  # enough for a median and a 95th percentile
RUN_DEPTH = 1_000  # ranks in a TREC run file, as is usual
TOP = 5  # videos of each ranking that the report shows

ALONE, WITHOUT, MODE = "alone:", "without:", "mode:"  # how the names of settings begin


@dataclass(frozen=True)
class TrialJob:
    """The arguments of a trial, to send to another process. The generation is built in `folder`, which is empty.

    `model` may be several: "A+B".
    """

    model: str
    documents: Sequence[Document]
    queries: Sequence[Query]
    cache: Path
    folder: Path
    run_file: Path
    fields: bool
    progress: ProgressMode


class Costs(BaseModel):
    """The costs of a model, measured in this run. `index_bytes` is the generation, `peak_bytes` the process's memory.

    `encoded` of the `texts` were not in the cache and took `encode_s`. If some were in the cache, `texts_per_s` is
    measured on a sample. With several models, a text counts once, and its time is that of all models.
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
        """Seconds to encode all texts at that speed; 0 without a model."""
        return self.texts / self.texts_per_s if self.texts_per_s else 0.0


@dataclass(frozen=True)
class Trial:
    """A model's outcomes by settings ("mode:dense", "alone:cover", "without:cover"), in the order of the questions.

    `mode` is the best one that the model can do, and `tops` the first videos of it with their scores.
    """

    model: str
    encoder: str
    sha256: str
    dimension: int
    precision: str
    prompts: dict[str, str]
    mode: Mode
    outcomes: dict[str, list[QueryOutcome]]
    tops: list[list[tuple[str, float]]]
    costs: Costs

    @property
    def main_outcomes(self) -> list[QueryOutcome]:
        return self.outcomes[f"{MODE}{self.mode}"]


def run_trial(job: TrialJob) -> Trial:
    """Build a generation in the job's folder, rank all questions, and measure the costs.

    Raises:
        ingest.models.weights.WeightsError: the model cannot be loaded.
        GenerationError: there is nothing to index.
    """
    clock = time.perf_counter()
    keyword_only = job.model == KEYWORDS_ALONE
    encoders = [] if keyword_only else [SentenceEncoder(name) for name in model_names(job.model)]
    load_s = time.perf_counter() - clock
    texts = list({passage.text: None for doc in job.documents for of in doc.passages.values() for passage in of})
    cache = job.folder / "none.sqlite" if keyword_only else job.cache
    clock = time.perf_counter()
    encoded = [VectorCache(cache).encode(encoder, texts, progress=job.progress)[1] for encoder in encoders]
    encode_s = time.perf_counter() - clock
    build(job.documents, job.folder, *encoders, cache=cache)
    generation = open_current(job.folder)
    index_bytes = size_on_disk(generation.folder)
    outcomes, tops, times = _ask(Searcher(generation, *encoders), job, "keyword" if keyword_only else "hybrid")
    all_new = encoders and min(encoded) == len(texts)
    speed = None if keyword_only else len(texts) / encode_s if all_new else texts_per_s(encoders, texts)
    return Trial(
        model=job.model,
        encoder=label([encoder.name for encoder in encoders]),
        sha256=" + ".join(encoder.sha256 for encoder in encoders),
        dimension=sum(encoder.dimension for encoder in encoders),
        precision=" + ".join(encoder.precision for encoder in encoders) or "none",
        prompts=_prompts(encoders),
        mode="keyword" if keyword_only else "hybrid",
        outcomes=outcomes,
        tops=tops,
        costs=Costs(
            texts=0 if keyword_only else len(texts),
            encoded=max(encoded, default=0),
            encode_s=0.0 if keyword_only else encode_s,
            texts_per_s=speed,
            load_s=load_s,
            query_ms=float(np.median(times)),
            query_p95_ms=float(np.percentile(times, 95)),
            index_bytes=index_bytes,
            peak_bytes=peak_memory(),
        ),
    )


def _ask(
    searcher: Searcher, job: TrialJob, main: Mode
) -> tuple[dict[str, list[QueryOutcome]], list[list[tuple[str, float]]], list[float]]:
    """Rank all questions in all settings, and write the main mode's rankings as a run file.

    Return the outcomes by settings, the first videos of each question in the main mode, and its milliseconds.
    """
    ids = searcher.generation.ids
    settings = _settings(main, job.fields)
    outcomes: dict[str, list[QueryOutcome]] = {f"{MODE}{main}": [], **{name: [] for name in settings}}
    tops: list[list[tuple[str, float]]] = []
    times: list[float] = []
    for query in job.queries[:3]:
        searcher.order(query.asked, mode=main)  # warm-up, not timed
    with job.run_file.open("w", encoding="utf-8") as run:
        tracked = Progress(f"ask {job.model}", len(job.queries), job.progress, unit="questions").track(job.queries)
        for query in tracked:
            clock = time.perf_counter()
            order, scores = searcher.order(query.asked, mode=main)
            if len(times) < TIMED_QUERIES:
                times.append((time.perf_counter() - clock) * 1000)
            if query.left_out:  # as a run file of BEIR, without the question itself
                others = np.array([ids[video] != query.left_out for video in order], dtype=bool)
                order, scores = order[others], scores[others]
            ranking = [ids[video] for video in order]
            outcomes[f"{MODE}{main}"].append(rank_outcome(query, ranking, len(ids)))
            tops.append([(video, float(score)) for video, score in zip(ranking[:TOP], scores, strict=False)])
            scored = zip(ranking[:RUN_DEPTH], _strictly_falling(scores[:RUN_DEPTH]), strict=True)
            for rank, (video, score) in enumerate(scored, start=1):
                run.write(f"{query.id} Q0 {video} {rank} {score:.9g} {_tag(job.model)}\n")
            vectors = searcher.vectors([text_of(query.asked)])[0] if main == "hybrid" else None
            for name, (mode, weights) in settings.items():
                order, _ = searcher.order(query.asked, mode=mode, weights=weights, vectors=vectors)
                outcomes[name].append(rank_outcome(query, [ids[video] for video in order], len(ids)))
    return outcomes, tops, times


def _settings(main: Mode, fields: bool) -> dict[str, tuple[Mode, dict[str, float]]]:
    """Return the settings to try besides the main mode: its retrievers, and with `fields` each field alone and each
    left out, as modes and weights by name."""
    settings: dict[str, tuple[Mode, dict[str, float]]] = {}
    if main == "hybrid":
        settings |= {f"{MODE}{mode}": (mode, {}) for mode in MODES if mode != main}
    if fields:
        for field in FIELDS if main == "hybrid" else TEXT_FIELDS:
            settings[f"{ALONE}{field}"] = main, dict.fromkeys(FIELDS, 0.0) | {field: 1.0}
            settings[f"{WITHOUT}{field}"] = main, dict.fromkeys(FIELDS, 1.0) | {field: 0.0}
    return settings


def _strictly_falling(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return scores, best first, that all differ in single precision.

    Evaluation tools sort by single-precision scores and break ties by their own rules, which would change the figures.
    """
    falling = scores.astype(np.float32)
    for row in range(1, len(falling)):
        if falling[row] >= falling[row - 1]:
            falling[row] = np.nextafter(falling[row - 1], np.float32(-np.inf))
    return falling


def _tag(model: str) -> str:
    return "_".join(model.split()) or "model"


def _prompts(encoders: Sequence[Encoder]) -> dict[str, str]:
    """Return the prompts by kind; with several models, the kind has the model's name."""
    return {
        kind if len(encoders) == 1 else f"{kind} of {alias(encoder.name)}": prompt
        for encoder in encoders
        for kind, prompt in encoder.prompts.items()
        if prompt
    }


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes; None if the system does not report it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass  # not Linux
    if os.name == "nt":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
