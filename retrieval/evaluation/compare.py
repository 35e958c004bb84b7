"""Several models over the same texts and questions -> one comparison: measures, intervals, tests, breakdowns, costs.

The current generation is not touched. Making the winner current is an ordinary build, which finds its vectors in the
cache.
"""

import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

from ingest.catalog import Catalog
from ingest.models.weights import resolve
from ingest.progress import ProgressMode
from retrieval.embedding.registry import KEYWORDS_ALONE, full_name
from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import Query, check_targets
from retrieval.evaluation.results import About, Card, Comparison, compared, from_trial, known_places
from retrieval.evaluation.trial import Job, Trial, run_trial
from retrieval.index.documents import Document, document
from retrieval.index.generation import CACHE_FILE

RUNS = "runs"  # the folder of the TREC files in the output folder
CARD_CHARS = 300
_PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "ir-measures", "numpy", "scipy")


@dataclass(frozen=True)
class Corpus:
    """The texts that are searched, and how their videos are shown: `cards` gives those of the ids asked for."""

    name: str
    documents: Sequence[Document]
    cards: Callable[[Iterable[str]], dict[str, Card]]


def catalogue_corpus(data: Path, everything: bool = False) -> Corpus:
    """The usable videos of a catalogue (or all).

    Raises:
        EvaluationError: none is usable.
    """
    with Catalog(data) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids(usable=not everything))]
    if not documents:
        raise EvaluationError(f"no video in {data} is usable: read their media with `python -m ingest run`")

    def cards(ids: Iterable[str]) -> dict[str, Card]:
        with Catalog(data) as catalog:
            videos = [entry.video for video_id in ids if (entry := catalog.get(video_id))]
        return {
            video.id: Card(title=(video.description or video.creator_username)[:CARD_CHARS], link=video.permalink)
            for video in videos
        }

    return Corpus(str(data), documents, cards)


def plain_corpus(name: str, documents: Sequence[Document]) -> Corpus:
    """A corpus that is its texts alone, as of a BEIR folder."""
    titles = {doc.id: next(iter(doc.texts.values()), "")[:CARD_CHARS] for doc in documents}
    return Corpus(name, documents, lambda ids: {video: Card(title=titles[video]) for video in ids if video in titles})


def compare(
    models: Sequence[str],
    corpus: Corpus,
    queries: Sequence[Query],
    indexes: Path,
    out: Path,
    *,
    query_file: str = "",
    baseline: str | None = None,
    fields: bool = True,
    command: str = "",
    progress: ProgressMode = "off",
) -> Comparison:
    """Measure every model; TREC run files and qrels are written to `out`/runs on the way.

    Args:
        indexes: whose vector cache is shared; nothing else in it is touched.
        baseline: a property of every question that holds the place of its right video under another search.
        fields: also ask with each field alone and each left out.

    Raises:
        EvaluationError: a model is named twice, a target is not in the corpus, or the baseline is no place.
        ingest.weights.WeightsError: a model cannot be had; said before anything is encoded.
    """
    clock = time.perf_counter()
    searchable = {doc.id for doc in corpus.documents if doc.passages}
    check_targets(queries, dict.fromkeys(searchable), f"the corpus {corpus.name}")
    labels = _labels(models)
    if baseline in labels.values():
        raise EvaluationError(
            f"--baseline {baseline} and a model would have the same name in the report: rename the property"
        )
    rows = [] if baseline is None else [known_places(baseline, queries)]
    for model in models:
        if model != KEYWORDS_ALONE:
            resolve(full_name(model))
    indexes.mkdir(parents=True, exist_ok=True)
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    for old in (out / RUNS).glob("*.trec"):
        old.unlink()  # of an earlier comparison, perhaps of other questions
    judged = [f"{query.id} 0 {video} {grade}\n" for query in queries for video, grade in query.relevant.items()]
    (out / RUNS / "qrels.txt").write_text("".join(judged), encoding="utf-8")
    for model, label in labels.items():
        run_file = out / RUNS / f"{label}.trec"
        with tempfile.TemporaryDirectory(prefix=".comparing-", dir=out) as aside:
            job = Job(model, corpus.documents, queries, indexes / CACHE_FILE, Path(aside), run_file, fields, progress)
            rows.append(from_trial(label, _in_a_process(job)))
    shown = {video for query in queries for video in query.relevant} | {
        video for row in rows for top in row.tops for video in top
    }
    about = About(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        took_s=time.perf_counter() - clock,
        command=command,
        machine=_machine(),
        corpus=corpus.name,
        videos=len(searchable),
        passages=sum(len(of) for doc in corpus.documents for of in doc.passages.values()),
        query_file=query_file,
        cards=corpus.cards(sorted(shown)),
    )
    return compared(about, rows, queries, baseline)


def _in_a_process(job: Job) -> Trial:
    from pebble import ProcessExpired, ProcessPool

    pool = ProcessPool(max_workers=1, context=get_context("spawn"))
    try:
        trial: Trial = pool.schedule(run_trial, args=(job,)).result()
        return trial
    except ProcessExpired as error:
        raise EvaluationError(
            f"the process that measured {job.model} died ({error}): most often too little memory. What it encoded"
            " is kept; run the same again, or leave this model out"
        ) from error
    finally:
        pool.stop()  # type: ignore[no-untyped-call]  # after Ctrl-C too: what is encoded so far is in the cache
        pool.join()


def _labels(models: Sequence[str]) -> dict[str, str]:
    """Models with short unique names that serve as file names."""
    labels: dict[str, str] = {}
    for model in models:
        if full_name(model) in map(full_name, labels):
            raise EvaluationError(f"{model} is named twice")
        short = re.sub(r"[^\w.-]+", "_", Path(model).name).strip("._") or "model"
        taken = sum(label == short or label.startswith(f"{short}~") for label in labels.values())
        labels[model] = f"{short}~{taken + 1}" if taken else short
    if not labels:
        raise EvaluationError("name at least one model; `python -m retrieval compare --list` shows some")
    return labels


def _machine() -> dict[str, str]:
    """What a reader needs to know of the machine; not its name."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        model = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    except OSError:
        model = None
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    machine = {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": str(cores),
        "threads allowed": os.environ.get("OMP_NUM_THREADS", "all"),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            machine[package] = version(package)
        except PackageNotFoundError:
            continue
    return machine
