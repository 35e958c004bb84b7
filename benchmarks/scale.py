"""Build, size, memory and speed of corpora of 1,000 to a million videos with real words, by a static encoder.

    python -m benchmarks.scale --videos 1000 --videos 10000 --videos 53757 --work FOLDER
    python -m benchmarks.scale --videos 1000000 --work FOLDER --plot docs/images/growth.svg

The videos are mixed from the research data (benchmarks/mixed_corpus.py), go into one catalog and are built by the
command's own code. Building and searching are measured in a new process each. The work folder keeps the catalog, and
`scale.json` the figures: an interrupted run resumes, and finished sizes are not measured again. With
`--keep`, it also keeps each index; `questions-N.json` has the questions with targets, for other benchmarks.

Of every two questions, one is made from words of a target, so that its reciprocal rank counts. Each answer is compared
with the order of all videos by the same scores (`Searcher.order`).
"""

import json
import math
import multiprocessing
import os
import platform
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.growth_plot import growth_svg
from benchmarks.mixed_corpus import Asked, MixedCorpus, NoResearchData

ENCODER = "wordllama-l2-supercat-256"  # a table of vectors of 256 dimensions: a passage takes 0.04 ms
COMMENTS = 4.0  # a catalog and index of a million videos then take about 11 GB in the compact formats (estimated)
WEIGHTS: dict[str, dict[str, float] | None] = {
    "balanced": None,
    **{field: {field: 2.0} for field in ("transcript", "cover", "comments", "creator")},  # "I remember" of the page
}
OF_PRESET = 4  # one of so many questions is asked with each preset
WARM_UP = 20
K = 10
SAMPLED_S = 0.1
Figures = dict[str, Any]


def memory_mb() -> dict[str, float]:
    """Return this process's memory: its own, and what it has mapped of files and reads from the page cache."""
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE))
    own, resident = int(fields["Anonymous"]), int(fields["Rss"])
    return {"private_mb": round(own / 1024), "mapped_mb": round((resident - own) / 1024)}


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Sample the memory that is the process's own, and give the highest in MB as `peak_private_mb` at the end."""
    found: dict[str, float] = {"peak_private_mb": 0.0}
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLED_S):
            own = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
            found["peak_private_mb"] = max(found["peak_private_mb"], round(int(own[1]) / 1024) if own else 0)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def fill(shared: Path, data: Path, comments: float, videos: int) -> Figures:
    """Import the videos that the catalog does not have yet, up to `videos`."""
    from ingest.catalog import Catalog
    from ingest.progress import Progress
    from ingest.stages.importer import import_records

    corpus = MixedCorpus(shared, comments=comments)
    began = time.perf_counter()
    with Catalog(data, create=True) as catalog:
        there = len(catalog.ids())  # whole batches, in order of the numbers
        with Progress("import", max(0, videos - there), "auto", unit="videos") as shown:
            report = import_records(catalog, shown.track(corpus.videos(there, videos)))
    if report.problems:
        raise SystemExit(f"{len(report.problems)} videos could not be imported: {report.problems[0].reason}")
    return {"imported": report.new, "import_s": round(time.perf_counter() - began, 1)}


def build(data: Path, indexes: Path) -> Figures:
    """Build an index of the catalog, and measure it."""
    from ingest.settings import Settings
    from retrieval.corpus.build import build as build_index
    from retrieval.embedding.encoder import SentenceEncoder

    encoder = SentenceEncoder(ENCODER)
    began, computed = time.perf_counter(), time.process_time()
    with peak_memory() as peak:
        built = build_index(Settings(data=data, indexes=indexes), [encoder]).manifest
    return {
        "build_s": round(time.perf_counter() - began, 1),
        "build_cpu_s": round(time.process_time() - computed, 1),
        **peak,
        "videos": built.videos,
        "passages": sum(built.passages.values()),
    }


def sizes(folder: Path) -> Figures:
    """Return the MB on disk of a folder, by kind of file: names without numbers."""
    by_kind: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            by_kind[re.sub(r"[._]\d+(?=\.)", "", path.name)] += path.stat().st_size
    return {kind: round(size / 1e6, 1) for kind, size in by_kind.most_common() if size >= 50_000}


def search(indexes: Path, asked: list[Asked], compared: int) -> Figures:
    """Open an index, ask all questions, and then compare the first answers with the order of all videos."""
    import numpy as np

    from retrieval.index.generation import open_current
    from retrieval.search.encoders import load_all
    from retrieval.search.searcher import Searcher
    from retrieval.server.memory import settle

    began = time.perf_counter()
    generation = open_current(indexes)
    opened = time.perf_counter()
    searcher = Searcher(generation, *load_all(generation.manifest.encoders, complete=True))
    loaded = time.perf_counter()
    figures: Figures = {"opening_s": round(opened - began, 2), "encoder_s": round(loaded - opened, 2), "speed": {}}
    for question in asked[:WARM_UP]:
        searcher.search(question.text, K)
    settle()  # as a server does
    answers: dict[str, list[tuple[Asked, list[str]]]] = {}
    for name, weights in WEIGHTS.items():
        taken, computed, steps = [], [], Counter[str]()
        for question in asked if weights is None else asked[: len(asked) // OF_PRESET]:
            at, before = time.perf_counter(), time.process_time()
            answer = searcher.search(question.text, K, weights=weights)
            taken.append((time.perf_counter() - at) * 1000)
            computed.append((time.process_time() - before) * 1000)
            steps.update(answer.timings_ms)
            answers.setdefault(name, []).append((question, [hit.id for hit in answer.hits]))
        figures["speed"][name] = {
            "questions": len(taken),
            "p50_ms": round(float(np.percentile(taken, 50)), 1),
            "p95_ms": round(float(np.percentile(taken, 95)), 1),
            "cpu_ms": round(float(np.median(computed)), 1),
            "steps_ms": {step: round(ms / len(taken), 1) for step, ms in steps.most_common()},
        }
    figures |= memory_mb()
    for name, answered in answers.items() if compared else ():
        overlaps, ranks, exact = [], [], []
        for question, found in answered[:compared]:
            order, _ = searcher.order(question.text, weights=WEIGHTS[name])
            best = [searcher.generation.ids[video] for video in order[:K]]
            overlaps.append(len({*best} & {*found}) / max(1, len(best)))
            if question.target:
                ranks.append(reciprocal_rank(found, question.target))
                exact.append(reciprocal_rank(best, question.target))
        of = {"compared": len(overlaps), "overlap": overlaps, "rr": ranks, "rr_exhaustive": exact}
        means = {name: round(float(np.mean(values)), 4) for name, values in of.items() if isinstance(values, list)}
        figures["speed"][name] |= {"compared": len(overlaps), **means}
    return figures


def reciprocal_rank(found: list[str], target: str) -> float:
    """Return 1 / rank of the target among the first K, or 0."""
    return 1 / (found.index(target) + 1) if target in found else 0.0


def apart(work: Callable[..., Figures], *arguments: Any) -> Figures:
    """Do work in a new process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure(shared: Path, work: Path, videos: int, comments: float, questions: int, compared: int) -> Figures:
    """Return all figures of one size. The index stays."""
    corpus = MixedCorpus(shared, comments=comments)
    asked = corpus.questions(videos, questions)
    targeted = [{"text": question.text, "target": question.target} for question in asked if question.target]
    (work / f"questions-{videos}.json").write_text(json.dumps(targeted), encoding="utf-8")
    data, indexes = work / "data", work / f"indexes-{videos}"
    figures: Figures = {"date": date.today().isoformat(), "comments": comments, "asked_for": videos}
    figures |= fill(shared, data, comments, videos)
    done = work / f"built-{videos}.json"
    if not done.is_file():
        built = apart(build, data, indexes)
        done.write_text(json.dumps(built), encoding="utf-8")
    figures |= json.loads(done.read_text(encoding="utf-8"))
    kinds = sizes(indexes)
    figures |= {"catalog_mb": round(sum(sizes(data).values()), 1), "index_mb": round(sum(kinds.values()), 1)}
    figures |= {"mb_by_kind": kinds}
    return figures | apart(search, indexes, asked, compared)


def table(of_sizes: dict[str, Figures]) -> str:
    """Return the figures as a table, a row for each size."""
    rows = [
        "  videos passages build s peak MB index MB open s private mapped   p50   p95  worst preset  overlap    RR all"
    ]
    for of in of_sizes.values():
        balanced = of["speed"]["balanced"]
        presets = [speed for name, speed in of["speed"].items() if name != "balanced"]
        overlap = min(speed.get("overlap", math.nan) for speed in of["speed"].values())  # nothing may be compared
        rows.append(
            f"{of['videos']:8}{of['passages']:9}{of['build_s']:8}{of['peak_private_mb']:8}{of['index_mb']:9}"
            f"{of['opening_s']:7}{of['private_mb']:8}{of['mapped_mb']:7}{balanced['p50_ms']:6}{balanced['p95_ms']:6}"
            f"{max(speed['p50_ms'] for speed in presets):7}{max(speed['p95_ms'] for speed in presets):7}"
            f"{overlap:9}{balanced.get('rr', math.nan):6}{balanced.get('rr_exhaustive', math.nan):7}"
        )
    return "\n".join(rows)


def main(
    work: Annotated[Path, typer.Option(help="Folder of the catalog, the index and the figures.")],
    videos: Annotated[list[int], typer.Option(help="Size of the corpus; several may be given.")],
    shared: Annotated[Path, typer.Option(help="Folder of the research data.", envvar="TIKTOK_RETRIEVAL_SHARED_DATA")],
    comments: Annotated[float, typer.Option(help="Comments of a video, on average.")] = COMMENTS,
    questions: Annotated[int, typer.Option(help="Questions; a quarter of them with each preset.")] = 200,
    compared: Annotated[int, typer.Option(help="Answers to compare with exhaustive scoring.")] = 100,
    again: Annotated[bool, typer.Option(help="Measure finished sizes again.")] = False,
    keep: Annotated[bool, typer.Option(help="Keep the indexes, for benchmarks/peers.py.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the growth to this SVG file.")] = None,
) -> None:
    """Print a table, and write all figures to scale.json in the work folder."""
    out = work / "scale.json"
    work.mkdir(parents=True, exist_ok=True)
    found: dict[str, Figures] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    try:
        for size in sorted(videos):
            if again or str(size) not in found:
                found[str(size)] = measure(shared, work, size, comments, questions, compared)
                found[str(size)]["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
                out.write_text(json.dumps(found, indent=1), encoding="utf-8")
                if not keep:
                    shutil.rmtree(work / f"indexes-{size}")
                    (work / f"built-{size}.json").unlink()
    except NoResearchData as error:
        typer.echo(error)
        return
    found = dict(sorted(found.items(), key=lambda item: int(item[0])))
    typer.echo(table(found))
    if plot:
        points = {int(size): of["speed"]["balanced"] for size, of in found.items()}
        plot.write_text(growth_svg(points), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
