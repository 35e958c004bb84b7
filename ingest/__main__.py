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
from pydantic import ValidationError

from ingest.catalog import STAGES, Catalog, CatalogError, Stage
from ingest.catalog.entries import TextKind
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
OcrEngine = Annotated[
    str | None,
    typer.Option(
        "--ocr-engine", help="Who reads pictures.", metavar="tesseract|rapidocr|auto", show_default="tesseract"
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(min=0, max=100, help="Frames of a video that are read for words on the screen.", show_default="8"),
]
SpeechLanguages = Annotated[
    str | None,
    typer.Option("--speech-languages", help="Languages that are spoken.", metavar="en,de", show_default="any"),
]
Device = Annotated[
    str | None,
    typer.Option(help="What Whisper computes on.", metavar="auto|cpu|cuda|mps", show_default="auto"),
]
Report = Annotated[
    Path | None, typer.Option("--report", help="Write what the run did to this file, as JSON.", metavar="FILE")
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
    from ingest.stages.importer import import_source
    from scraper.sources import check

    with _errors():
        for source in sources:  # before anything is taken, or a catalogue made
            check(source)
    with _errors(), Catalog(_data(data), create=True) as catalog:
        total: dict[str, Any] = {}
        for source in sources:
            report = import_source(catalog, source, progress="auto" if not quiet and sys.stderr.isatty() else "off")
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
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch covers, videos, slides and captions that are not here yet; dead links afresh from the video's page."""
    if retry_failed:
        with _errors(), Catalog(_data(data)) as catalog:
            catalog.ledger.retry("download")
    settings = _settings(
        download_hosts=" ".join(hosts) if hosts else None,
        download_http=allow_http or None,
        download_local=allow_local or None,
    )
    _run_stages(("download",), settings, data, as_json, quiet, report)


@app.command(epilog=_example("ocr", "ocr --ocr-languages eng+deu --processes 4", "ocr --ocr-engine auto --frames 0"))
def ocr(
    data: Data = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    processes: Processes = None,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read the text on covers and slides, and what videos show."""
    settings = _settings(ocr_engine=engine, ocr_languages=languages, frames=frames)
    _run_stages(("ocr",), settings, data, as_json, quiet, report, processes)


@app.command(epilog=_example("transcribe", "transcribe --whisper openai/whisper-tiny.en", "transcribe --batch 16"))
def transcribe(
    data: Data = None,
    whisper: Whisper = None,
    speech_languages: SpeechLanguages = None,
    device: Device = None,
    processes: Processes = None,
    batch: Batch = None,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write down what is said in videos."""
    settings = _settings(whisper=whisper, speech_languages=speech_languages, device=device)
    _run_stages(("transcribe",), settings, data, as_json, quiet, report, processes, batch)


@app.command(epilog=_example("run --data data", "run --ocr-engine auto --report run.json", "run --json --quiet"))
def run(
    data: Data = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    whisper: Whisper = None,
    speech_languages: SpeechLanguages = None,
    device: Device = None,
    processes: Processes = None,
    batch: Batch = None,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do all that is due: download, ocr, transcribe."""
    settings = _settings(
        ocr_engine=engine,
        ocr_languages=languages,
        frames=frames,
        whisper=whisper,
        speech_languages=speech_languages,
        device=device,
    )
    _run_stages(STAGES, settings, data, as_json, quiet, report, processes, batch)


@app.command(epilog=_example("status", "status --failures", "status --json"))
def status(
    data: Data = None,
    failures: Annotated[bool, typer.Option("--failures", help="List every failed item with its error.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far each stage is and what failed most."""
    with _errors(), Catalog(_data(data)) as catalog:
        answer = catalog.status()
        failed = catalog.ledger.failures() if failures else []
        files = [line for line in catalog.ledger.files() if line["state"] == "failed"] if failures else []
        listed = {"failures": failed, "failed_files": files} if failures else {}
        _answer(as_json, answer | listed, lambda: _show(answer, failed, files))


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
        count = catalog.ledger.retry(stage, ids or (), error)  # type: ignore[arg-type]
        _answer(as_json, {"due": count}, lambda: print(f"{count} due again"))


@app.command(
    epilog=_example(
        "edit 7123456789012345678 transcript",
        "edit 7123456789012345678 cover --text 'POV: my cat'",
        "edit 7123456789012345678 cover --undo",
    )
)
def edit(
    video_id: Annotated[str, typer.Argument(metavar="ID")],
    field: Annotated[str, typer.Argument(metavar="cover|transcript")],
    text: Annotated[str | None, typer.Option(help="The text; without it, an editor opens.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Drop the text by hand: it is to be made anew.")] = False,
    data: Data = None,
) -> None:
    """Correct what is written on a video or said in it, by hand; no later run overwrites it."""
    import click

    from ingest.catalog.editing import EditError, from_lines, to_lines

    if field not in get_args(TextKind):
        raise typer.BadParameter(f"{field!r} is neither cover nor transcript", param_hint="FIELD")
    kind: TextKind = "cover" if field == "cover" else "transcript"
    with _errors(), Catalog(_data(data)) as catalog:
        entry = catalog.get(video_id)
        if not entry:
            raise CatalogError(f"no video {video_id} in {catalog.data}")
        if undo:
            print("due again" if catalog.forget_text(video_id, kind) else "there was no text")
            return
        lines = text if text is not None else click.edit(to_lines(entry.texts.get(kind)))
        if lines is None:
            print("nothing changed")
            return
        try:
            catalog.put_text(video_id, kind, from_lines(lines, kind))
        except EditError as error:
            raise CatalogError(f"{error}; nothing is changed") from error
        print(f"the {field} of {video_id} is as you wrote it; `python -m retrieval build` takes it into the index")


def _run_stages(
    stages: tuple[Stage, ...],
    settings: Settings,
    data: Path | None,
    as_json: bool,
    quiet: bool,
    report_file: Path | None,
    processes: int | None = None,
    batch: int | None = None,
) -> None:
    from ingest.stages.pipeline import run_stage
    from ingest.stages.stage_run import StageReport

    if report_file and not report_file.parent.is_dir():  # better told now than after hours
        raise typer.BadParameter(f"there is no folder {report_file.parent}", param_hint="--report")

    def show(report: StageReport) -> None:
        counts = [f"{report.done} done", f"{report.failed} failed", f"{report.absent} absent"]
        waiting = [f"{report.waiting} waiting for their download"] if report.waiting else []
        hint = " (`python -m ingest status --failures` says why)" if report.failed else ""
        print(f"{report.stage}: {', '.join(counts + waiting)}{hint}", flush=True)

    with _errors(), Catalog(_data(data)) as catalog:
        made: dict[str, Any] = {}
        try:
            for stage in stages:
                report = StageReport(stage)
                try:
                    run_stage(
                        catalog,
                        stage,
                        settings,
                        progress="off" if quiet else "auto",
                        processes=processes,
                        batch=batch,
                        report=report,
                    )
                finally:
                    made[stage] = report.as_dict()
                if not as_json:
                    show(report)
        finally:  # a run that is stopped tells what it has done too
            if report_file:
                report_file.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if as_json:
            print(json.dumps(made, ensure_ascii=False))


def _show(answer: dict[str, Any], failures: list[dict[str, object]], files: list[dict[str, object]]) -> None:
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
    for line in files:
        which = f"{line['kind']} {line['position']}"
        print(f"file {line['video_id']} {which} (tried {line['tries']} times): {line['word']}: {line['error']}")


def _data(data: Path | None) -> Path:
    return data or Settings().data


def _settings(**given: str | bool | int | None) -> Settings:
    """The environment's settings with what was given on the command line in their place."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from error


def _answer(as_json: bool, answer: dict[str, Any], show: Callable[[], None]) -> None:
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        show()


@contextmanager
def _errors() -> Iterator[None]:
    """What a user can mend becomes one line on stderr and exit code 1; anything else is a bug and keeps its trace."""
    from ingest.stages.pipeline import StageError
    from scraper.sources import SourceError

    try:
        yield
    except (CatalogError, SourceError, StageError) as error:
        _stop(str(error), 1)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        _stop(f"TIKTOK_RETRIEVAL_{str(first['loc'][0]).upper()} in the environment: {first['msg']}", 1)
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
