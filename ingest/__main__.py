"""python -m ingest: a scraped batch -> the catalogue -> texts, a stage a command. `run` is all of them in order."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from ingest.catalog import STAGES, Catalog, CatalogError, Stage
from ingest.settings import Settings

app = typer.Typer(
    help="Turn scraped records and media into texts in one catalogue. Every command may be stopped and run again.",
    epilog="\b\nExamples:\n  python -m ingest import scraped/ --data data\n  python -m ingest run --data data\n"
    "  python -m ingest status --data data",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of the catalogue.", metavar="DIR", show_default="data")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON and nothing else on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="Ask this host and all below it too, besides the site's own.", metavar="NAME"),
]
AllowHttp = Annotated[bool, typer.Option("--allow-http", help="Follow links without TLS too.")]
AllowLocal = Annotated[bool, typer.Option("--allow-local", help="Follow links into the own network too.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Processes that read media.", show_default="one a core")]
Languages = Annotated[
    str | None,
    typer.Option("--ocr-languages", help="Tesseract's language packs.", metavar="eng+deu", show_default="eng"),
]
Whisper = Annotated[
    str | None,
    typer.Option(help="Whisper model or folder.", metavar="NAME|FOLDER", show_default="openai/whisper-base"),
]
Batch = Annotated[int | None, typer.Option(min=1, help="Windows of 30 s that Whisper hears at once.", show_default="8")]


def _example(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  python -m ingest {line}" for line in lines)


@app.command(
    "import", epilog=_example("import batch_1.json batch_2.json", "import study/ --data data/study", "import page.html")
)
def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files or folders of scraped records.")],
    data: Data = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take scraped records, with the texts and media beside them, into the catalogue; it is made where missing."""
    from ingest.imports import import_source

    with _errors(), Catalog(_data(data), create=True) as catalog:
        total: dict[str, Any] = {}
        for source in sources:
            report = import_source(catalog, source, progress=not quiet and sys.stderr.isatty())
            for problem in report.problems:
                print(problem, file=sys.stderr)
            for name, value in asdict(report).items():
                total[name] = total[name] + value if name in total else value
        problems = len(total.get("problems", []))
        counts = ", ".join(f"{value} {name}" for name, value in total.items() if isinstance(value, int))
        _answer(as_json, total, lambda: print(counts + (f"; {problems} problems, see above" if problems else "")))


@app.command(
    epilog=_example("download --data data", "download --retry-failed", "download --host example.org --allow-http")
)
def download(
    data: Data = None,
    hosts: Hosts = None,
    allow_http: AllowHttp = False,
    allow_local: AllowLocal = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Take what failed before once more, too.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch covers, videos, slides and captions that are not here yet; dead links afresh from the video's page."""
    if retry_failed:
        with _errors(), Catalog(_data(data)) as catalog:
            catalog.retry("download")
    settings = _settings(
        download_hosts=" ".join(hosts) if hosts else None,
        download_http=allow_http or None,
        download_local=allow_local or None,
    )
    _run_stages(("download",), settings, data, as_json, quiet)


@app.command(epilog=_example("ocr", "ocr --ocr-languages eng+deu --processes 4"))
def ocr(
    data: Data = None,
    languages: Languages = None,
    processes: Processes = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read the text on covers and slides."""
    _run_stages(("ocr",), _settings(ocr_languages=languages), data, as_json, quiet, processes)


@app.command(epilog=_example("transcribe", "transcribe --whisper openai/whisper-tiny.en", "transcribe --batch 16"))
def transcribe(
    data: Data = None,
    whisper: Whisper = None,
    processes: Processes = None,
    batch: Batch = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write down what is said in videos."""
    _run_stages(("transcribe",), _settings(whisper=whisper), data, as_json, quiet, processes, batch)


@app.command(epilog=_example("run --data data", "run --json --quiet"))
def run(
    data: Data = None,
    languages: Languages = None,
    whisper: Whisper = None,
    processes: Processes = None,
    batch: Batch = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do all that is due: download, ocr, transcribe."""
    settings = _settings(ocr_languages=languages, whisper=whisper)
    _run_stages(STAGES, settings, data, as_json, quiet, processes, batch)


@app.command(epilog=_example("status", "status --failures", "status --json"))
def status(
    data: Data = None,
    failures: Annotated[bool, typer.Option("--failures", help="List every failed item with its error.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far each stage is and what failed most."""
    with _errors(), Catalog(_data(data)) as catalog:
        answer = catalog.status()
        failed = catalog.failures() if failures else []
        _answer(as_json, answer | ({"failures": failed} if failures else {}), lambda: _show(answer, failed))


@app.command(epilog=_example("retry", "retry --stage download", "retry --error expired", "retry 7123456789012345678"))
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Only these videos.")] = None,
    stage: Annotated[str | None, typer.Option(help=f"Only this stage: {', '.join(STAGES)}.")] = None,
    error: Annotated[str, typer.Option(help="Only failures whose error contains this.", metavar="TEXT")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make failed items due again."""
    if stage is not None and stage not in get_args(Stage):
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(STAGES)}", param_hint="--stage")
    with _errors(), Catalog(_data(data)) as catalog:
        count = catalog.retry(stage, ids or (), error)  # type: ignore[arg-type]
        _answer(as_json, {"due": count}, lambda: print(f"{count} due again"))


def _run_stages(
    stages: tuple[Stage, ...],
    settings: Settings,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    processes: int | None = None,
    batch: int | None = None,
) -> None:
    from ingest.outcomes import StageReport
    from ingest.pipeline import run_stage

    def show(report: StageReport) -> None:
        counts = [f"{report.done} done", f"{report.failed} failed", f"{report.absent} absent"]
        waiting = [f"{report.waiting} waiting for their download"] if report.waiting else []
        hint = " (`python -m ingest status --failures` says why)" if report.failed else ""
        print(f"{report.stage}: {', '.join(counts + waiting)}{hint}", flush=True)

    with _errors(), Catalog(_data(data)) as catalog:
        reports = []
        for stage in stages:
            report = run_stage(catalog, stage, settings, progress=not quiet, processes=processes, batch=batch)
            reports.append(report)
            if not as_json:
                show(report)
        if as_json:
            print(json.dumps({report.stage: report.as_dict() for report in reports}))


def _show(answer: dict[str, Any], failures: list[dict[str, object]]) -> None:
    print(f"{answer['videos']} videos, {answer['usable']} usable")
    print(f"{'stage':12}{'due':>8}{'done':>8}{'failed':>8}{'absent':>8}")
    for stage, counts in answer["stages"].items():
        print(f"{stage:12}" + "".join(f"{counts[state]:8}" for state in ("due", "done", "failed", "absent")))
    for stage, counts in answer["stages"].items():
        for error, count in counts["errors"].items():
            print(f"{stage}, {count} times: {error}")
    for kind, words in answer["files"].items():
        print(f"{kind} files: " + ", ".join(f"{count} {word}" for word, count in words.items()))
    for line in failures:
        print(f"{line['stage']} {line['video_id']} (tried {line['tries']} times): {line['error']}")


def _data(data: Path | None) -> Path:
    return data or Settings().data


def _settings(**given: str | bool | None) -> Settings:
    return Settings().model_copy(update={name: value for name, value in given.items() if value is not None})


def _answer(as_json: bool, answer: dict[str, Any], show: Callable[[], None]) -> None:
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        show()


@contextmanager
def _errors() -> Iterator[None]:
    """What a user can mend becomes one line on stderr and exit code 1; anything else is a bug and keeps its trace."""
    from ingest.pipeline import StageError
    from scraper.sources import SourceError

    try:
        yield
    except (CatalogError, SourceError, StageError) as error:
        _stop(str(error), 1)
    except (sqlite3.OperationalError, OSError) as error:
        _stop(f"the disk or a file is in the way: {error}", 1)
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its other kinds are mistakes of this program
            raise
        _stop(f"the catalogue is damaged ({error}): put a copy in its place, or import into a new data folder", 1)
    except KeyboardInterrupt:
        _stop("stopped; what is finished stays, and the same command goes on from here", 130)


def _stop(message: str, code: int) -> None:
    print(f"error: {message}" if code == 1 else message, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m ingest")
