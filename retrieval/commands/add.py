"""tiktok-retrieval add: files and links -> videos that can be found."""

import sys
from typing import Annotated

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import (
    Batch,
    ComputeDevice,
    Data,
    Frames,
    Indexes,
    Json,
    Languages,
    OcrEngine,
    Processes,
    Progress,
    Quiet,
    SpeechLanguages,
    Whisper,
    progress_mode,
)
from ingest.commands.output import answer, printable
from ingest.settings import load_settings
from retrieval.commands.options import Encoder, chosen_encoder, load_encoder

EXAMPLES = ("add TikTok_Data.zip", "add ~/Videos clip.mp4 links.txt")


def add(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH|LINK", help="Files, folders, exports, lists of links, and links.")
    ],
    again: Annotated[bool, typer.Option("--again", help="Also add videos that were removed.")] = False,
    data: Data = None,
    indexes: Indexes = None,
    encoder: Encoder = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    whisper: Whisper = None,
    speech_languages: SpeechLanguages = None,
    device: ComputeDevice = None,
    processes: Processes = None,
    batch: Batch = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Add videos: import, fetch, read and index them.

    What is known of a video can be searched at once; then its media are fetched and read. Can be stopped at any time;
    the same command resumes. Running it again changes nothing.
    """
    from pathlib import Path

    from ingest.catalog import Catalog
    from ingest.progress import Progress as Shown
    from retrieval.corpus.add import Adding, Encoding, Options, only_add
    from retrieval.corpus.erasure import finish
    from scraper.parse import in_words
    from scraper.sources import check

    settings = load_settings(
        data=data,
        indexes=indexes,
        encoder=encoder,
        ocr_engine=engine,
        ocr_languages=languages,
        frames=frames,
        whisper=whisper,
        speech_languages=speech_languages,
        device=device,
        batch=batch,
    )
    finish(settings.data, settings.indexes)  # what a killed `remove` has left
    paths = [Path(source).absolute() for source in sources]
    for path in paths:
        check(path)
    encoding = Encoding(chosen_encoder(settings), lambda: load_encoder(settings))
    shown_as = progress_mode(progress, quiet)
    with (
        only_add(settings.data),
        Catalog(settings.data, create=True) as catalog,
        Shown("import", None, shown_as) as shown,
    ):
        report = Adding(catalog, settings, encoding, Options(processes=processes, again=again), shown).run(paths)

    for problem in report.problems:
        print(printable(str(problem)), file=sys.stderr)
    if report.stopped:
        print(f"error: {printable(report.stopped)}", file=sys.stderr)
    if not as_json and (skipped := in_words(report.skipped)):
        print(printable(skipped), file=sys.stderr)
    if not as_json and report.removed:
        print(f"{report.removed} videos were removed earlier and stay away; --again brings them back", file=sys.stderr)
    answer(as_json, report.as_dict(), lambda: print(printable(report.summary())))
    if not report.complete:
        raise typer.Exit(FAILED)
