"""tiktok-retrieval add: files and links -> videos that can be found."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import (
    Batch,
    ClusterAddress,
    ComputeDevice,
    Data,
    Frames,
    Indexes,
    Json,
    Languages,
    Media,
    OcrEngine,
    Processes,
    Progress,
    Quiet,
    SpeechLanguages,
    Whisper,
    progress_mode,
)
from ingest.commands.output import answer, printable
from ingest.settings import default, load_settings
from retrieval.commands.options import Encoder, Vision, chosen_encoders, chosen_vision, load_encoders

if TYPE_CHECKING:
    from retrieval.corpus.add_report import AddReport

EXAMPLES = (
    "add TikTok_Data.zip",
    "add ~/Videos clip.mp4 links.txt",
    "add https://vm.tiktok.com/ZMabcdefg/",
    "add history.json --fetch-limit 500",
    "add ~/Downloads --watch",
)


def add(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH|LINK", help="Files, folders, exports, lists of links, and links.")
    ],
    again: Annotated[bool, typer.Option("--again", help="Also add videos that were removed.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on adding what appears in the folders, until Ctrl-C.")
    ] = False,
    data: Data = None,
    indexes: Indexes = None,
    encoder: Encoder = None,
    vision: Vision = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    whisper: Whisper = None,
    speech_languages: SpeechLanguages = None,
    device: ComputeDevice = None,
    processes: Processes = None,
    batch: Batch = None,
    cluster: ClusterAddress = None,
    media: Media = None,
    no_fetch: Annotated[
        bool, typer.Option("--no-fetch", help="Fetch nothing; only import, and read your own files.")
    ] = False,
    fetch_limit: Annotated[
        int | None,
        typer.Option(
            min=0, help="Ask before more videos are fetched.", metavar="N", show_default=default("fetch_limit")
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Fetch all without asking.")] = False,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Add videos: import, fetch, read and index them.

    What is known of a video can be searched at once; then its media are fetched and read. Can be stopped at any time;
    the same command resumes. Running it again changes nothing.
    """
    import functools
    from pathlib import Path

    from ingest.catalog import Catalog
    from ingest.cluster.connection import connected
    from ingest.progress import Progress as Shown
    from retrieval.corpus.add import Adding, Encoding, Given, Options, only_add
    from retrieval.corpus.erasure import finish
    from retrieval.corpus.seen import vision_loader
    from retrieval.embedding.on_nodes import EncodingOnNodes
    from scraper.sources import check

    settings = load_settings(
        data=data,
        indexes=indexes,
        encoder=encoder,
        vision=vision,
        ocr_engine=engine,
        ocr_languages=languages,
        frames=frames,
        whisper=whisper,
        speech_languages=speech_languages,
        device=device,
        batch=batch,
        fetch_limit=fetch_limit,
        cluster=cluster,
        media=media,
    )
    finish(settings.data, settings.indexes)  # what a killed `remove` has left
    if not all(source.strip() for source in sources):
        raise typer.BadParameter("is empty", param_hint="PATH|LINK")
    paths = [Path(source).absolute() for source in sources if not _is_link(source)]
    links = [source for source in sources if _is_link(source)]
    folders = [path for path in paths if path.is_dir()]
    if watch and not folders:
        raise typer.BadParameter("name at least one folder", param_hint="--watch")
    for path in paths:
        if not (watch and path in folders):  # which may still be empty
            check(path)
    model = chosen_vision(settings)
    see = vision_loader(model, given=bool(settings.vision)) if model else None

    def add_all(given: Given) -> "AddReport":
        with (
            only_add(settings.data),
            Catalog(settings.data, create=True) as catalog,
            Shown("import", None, progress_mode(progress, quiet)) as shown,
            connected(settings.cluster, settings.data, settings.media) as nodes,
            EncodingOnNodes(nodes, shown.say) as on_nodes,
        ):
            load = functools.cache(lambda: on_nodes.encoders(load_encoders(settings)))
            encoding = Encoding(chosen_encoders(settings), load, see, on_nodes.free)

            def ask(question: str) -> bool:
                shown.clear()
                return typer.confirm(question, err=True)

            options = Options(
                fetch=not no_fetch,
                fetch_all=yes,
                processes=processes,
                again=again,
                ask=ask if sys.stdin.isatty() and sys.stderr.isatty() else None,
            )
            report = Adding(catalog, settings, encoding, options, shown, nodes).run(given)
        _show(report, as_json)
        return report

    if watch:
        from retrieval.corpus.watch import watch as watch_folders

        watch_folders(paths, links, folders, add_all)
    elif not add_all(Given(paths, links)).complete:
        raise typer.Exit(FAILED)


def _show(report: "AddReport", as_json: bool) -> None:
    """Print what became of the videos."""
    from scraper.parse import in_words

    if report.new_problems:
        for problem in report.problems:
            print(printable(str(problem)), file=sys.stderr)
    if report.stopped:
        print(f"error: {printable(report.stopped)}", file=sys.stderr)
    if not as_json and (skipped := in_words(report.skipped)):
        print(printable(skipped), file=sys.stderr)
    if not as_json and report.removed:
        print(f"removed earlier and left out: {report.removed}; --again brings them back", file=sys.stderr)
    answer(as_json, report.as_dict(), lambda: print(printable(report.summary()), flush=True))


def _is_link(source: str) -> bool:
    """Whether an argument is a link. A file of that name comes first."""
    from pathlib import Path

    from scraper.links import LINK

    web = source.lower().startswith(("https://", "http://"))
    return (web or bool(LINK.match(source))) and not Path(source).exists()
