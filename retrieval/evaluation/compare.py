"""Several models, a corpus and questions -> one comparison: measures, intervals, tests, breakdowns, costs.

The current generation does not change. Building with one of the models afterwards finds its vectors in the cache.
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
from ingest.settings import model_names
from retrieval.embedding.registry import KEYWORDS_ALONE, full_name
from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import Query, answerable, check_targets
from retrieval.evaluation.results import (
    Card,
    Comparison,
    ComparisonSetup,
    build_comparison,
    from_known_ranks,
    from_trial,
)
from retrieval.evaluation.trial import Trial, TrialJob, run_trial
from retrieval.index.documents import Document, document
from retrieval.index.layout import CACHE_FILE
from scraper.files import make_private

RUNS = "runs"  # the folder of the TREC files in the output folder
NOTHING = "none"  # in the qrels of a question without a relevant document, so that other programs count it
CARD_CHARS = 300
_PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "ir-measures", "numpy", "scipy")


@dataclass(frozen=True)
class Corpus:
    """The documents to search, and `cards`, which returns how the report shows the videos of some ids."""

    name: str
    documents: Sequence[Document]
    cards: Callable[[Iterable[str]], dict[str, Card]]


def catalog_corpus(data: Path, only_read: bool = False) -> Corpus:
    """Return the videos of a catalog, or only those whose OCR and transcript are done.

    Raises:
        EvaluationError: there is none.
    """
    with Catalog(data, read_only=True) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids(usable=only_read))]
    if not documents:
        advice = "`tiktok-retrieval run` processes their media" if only_read else "`tiktok-retrieval add` adds some"
        raise EvaluationError(f"there is no video to index in {data}: {advice}")

    def cards(ids: Iterable[str]) -> dict[str, Card]:
        with Catalog(data, read_only=True) as catalog:
            videos = [entry.video for video_id in ids if (entry := catalog.get(video_id))]
        return {
            video.id: Card(title=(video.description or video.creator_username)[:CARD_CHARS], link=video.permalink)
            for video in videos
        }

    return Corpus(str(data), documents, cards)


def plain_corpus(name: str, documents: Sequence[Document]) -> Corpus:
    """Return a corpus of texts only, such as that of a BEIR folder."""
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
    notes: Sequence[str] = (),
    progress: ProgressMode = "off",
) -> Comparison:
    """Measure every model, and write TREC run files and qrels to `out`/runs.

    Args:
        indexes: the folder whose vector cache is used; nothing else in it changes.
        baseline: a property of every question with the rank of its target in another search.
        fields: also search with each field alone, and with each field left out.
        notes: messages about the questions, to be part of the comparison.

    Raises:
        EvaluationError: a model is named twice, a target is not in the corpus, or the baseline is not a rank.
        ingest.models.weights.WeightsError: a model cannot be loaded; raised before anything is encoded.
    """
    clock = time.perf_counter()
    queries, left_out = answerable(queries, "a comparison")
    searchable = {doc.id for doc in corpus.documents if doc.passages}
    check_targets(queries, dict.fromkeys(searchable), f"the corpus {corpus.name}")
    labels = _labels(models)
    if baseline in labels.values():
        raise EvaluationError(
            f"--baseline {baseline} and a model would have the same name in the report: rename the property"
        )
    rows = [] if baseline is None else [from_known_ranks(baseline, queries)]
    for model in models:
        for name in model_names(model) if model != KEYWORDS_ALONE else ():
            resolve(full_name(name))
    make_private(indexes)
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    for old in (out / RUNS).glob("*.trec"):
        old.unlink()  # of an earlier comparison
    judged = [
        f"{query.id} 0 {video} {grade}\n"
        for query in queries
        for video, grade in (query.relevant or {NOTHING: 0}).items()
    ]
    (out / RUNS / "qrels.txt").write_text("".join(judged), encoding="utf-8")
    for model, label in labels.items():
        run_file = out / RUNS / f"{label}.trec"
        with tempfile.TemporaryDirectory(prefix=".comparing-", dir=out) as folder:
            job = TrialJob(
                model, corpus.documents, queries, indexes / CACHE_FILE, Path(folder), run_file, fields, progress
            )
            rows.append(from_trial(label, _in_a_process(job)))
    shown = {video for query in queries for video in query.relevant} | {
        video for row in rows for top in row.tops for video in top
    }
    setup = ComparisonSetup(
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
    result = build_comparison(setup, rows, queries, baseline)
    result.notes.extend([*notes, *left_out])
    return result


def _in_a_process(job: TrialJob) -> Trial:
    from pebble import ProcessExpired, ProcessPool

    pool = ProcessPool(max_workers=1, context=get_context("spawn"))
    try:
        trial: Trial = pool.schedule(run_trial, args=(job,)).result()
        return trial
    except ProcessExpired as error:
        raise EvaluationError(
            f"the process that measured {job.model} died ({error}), most likely for lack of memory. Its vectors so far"
            " are cached: run the command again, or leave this model out"
        ) from error
    finally:
        pool.stop()  # type: ignore[no-untyped-call]  # also after Ctrl-C; the vectors so far are in the cache
        pool.join()


def _full_names(model: str) -> set[str]:
    return set(map(full_name, model_names(model)))


def _labels(models: Sequence[str]) -> dict[str, str]:
    """Return short unique names of the models, which are file names as well."""
    labels: dict[str, str] = {}
    for model in models:
        if _full_names(model) in map(_full_names, labels):
            raise EvaluationError(f"{model} is named twice")
        names = "+".join(Path(name).name for name in model_names(model))
        short = re.sub(r"[^\w.+-]+", "_", names).strip("._") or "model"
        taken = sum(label == short or label.startswith(f"{short}~") for label in labels.values())
        labels[model] = f"{short}~{taken + 1}" if taken else short
    if not labels:
        raise EvaluationError("name at least one model; `tiktok-retrieval compare --list` shows some")
    return labels


def _machine() -> dict[str, str]:
    """Return what matters of this machine for the costs, without its name."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
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
