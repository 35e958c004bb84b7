"""tiktok-retrieval export: results, a list, a creator or everything -> CSV, JSON or links; or one transcript."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes
from ingest.commands.output import printable
from ingest.settings import Settings, load_settings
from retrieval.corpus.words import count_of

if TYPE_CHECKING:
    from ingest.catalog import Catalog, Entry

EXAMPLES = (
    'export --query "sourdough in:likes" -k 50 --out bread.csv',
    "export --list favorites --format links",
    "export --all --texts --format json --out everything.json",
    "export --transcript 7123456789012345678 --format srt --out video.srt",
)
Format = Literal["csv", "json", "jsonl", "links", "srt", "vtt", "txt"]
SUBTITLES = ("srt", "vtt", "txt")


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID|LINK|@CREATOR", help="Videos by id or link, or all videos of a creator."),
    ] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Export the results.", metavar="TEXT")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1000, help="Number of results.", metavar="N")] = 50,
    list_name: Annotated[
        str | None,
        typer.Option("--list", help="Export a list, such as favorites, or a collection by its name.", metavar="NAME"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Export all videos.")] = False,
    transcript: Annotated[
        str | None, typer.Option("--transcript", help="Export what is said in one video.", metavar="ID")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="csv, json, jsonl or links; of a transcript srt, vtt or txt.",
            show_default="csv, of a transcript srt",
        ),
    ] = None,
    texts: Annotated[bool, typer.Option("--texts", help="Include speech and on-screen text.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.", show_default="stdout")] = None,
    data: Data = None,
    indexes: Indexes = None,
) -> None:
    """Export videos or a transcript.

    CSV is for spreadsheets: a cell that would be computed begins with an apostrophe. JSON has every field, and
    `import` reads it again.
    """
    from ingest.catalog import Catalog

    settings = load_settings(data=data, indexes=indexes)
    if sum((bool(names), query is not None, list_name is not None, everything, transcript is not None)) != 1:
        raise typer.BadParameter("give videos or @creators, or one of --query, --list, --all and --transcript")
    form = form or ("csv" if transcript is None else "srt")
    if (form in SUBTITLES) != (transcript is not None):
        raise typer.BadParameter(
            "srt, vtt and txt are for --transcript; csv, json, jsonl and links for videos", param_hint="--format"
        )
    with Catalog(settings.data, read_only=True) as catalog:
        if transcript is not None:
            _write(out, [_transcript(catalog, transcript, form)])
            return
        ids, problems = _chosen(settings, catalog, names or [], query, k, list_name)
        count = _write_videos(catalog, ids, form, texts, out)
    for problem in problems:
        print(printable(f"error: {problem}"), file=sys.stderr)
    print(f"{count_of(count)} exported{f' to {out}' if out else ''}", file=sys.stderr)
    if problems or not count:
        raise typer.Exit(FAILED)


def _transcript(catalog: "Catalog", video: str, form: Format) -> str:
    from retrieval.corpus import transcripts
    from retrieval.errors import UnknownVideo
    from scraper import links

    entry = catalog.get(links.video_id(video) or video)
    if entry is None:
        raise UnknownVideo(f"no video in the catalog has the id {video[:100]}")
    return transcripts.transcript(entry.texts.get("transcript"), cast(transcripts.Format, form))


def _chosen(
    settings: Settings, catalog: "Catalog", names: Sequence[str], query: str | None, k: int, list_name: str | None
) -> tuple[list[str], list[str]]:
    """Return the ids to export in their order, and what was not found."""
    from retrieval.corpus import selection

    if query is not None:
        from retrieval.search.searcher import Searcher

        found = Searcher.open(settings.indexes).search(query, k, hidden=catalog.removals.hidden())
        return [hit.id for hit in found.hits], []
    if list_name is not None:
        return catalog.removals.of_list(*selection.list_named(catalog, list_name)), []
    if names:
        chosen = selection.named(catalog, names)
        return chosen.videos, chosen.problems
    return catalog.ids(), []


def _write_videos(catalog: "Catalog", ids: Sequence[str], form: Format, texts: bool, out: Path | None) -> int:
    from retrieval.corpus import export

    count = 0

    def counted() -> Iterator["Entry"]:
        nonlocal count
        for entry in catalog.entries(ids):
            count += 1
            yield entry

    lines = export.lines(counted(), cast(export.Format, form), texts=texts)
    _write(out, lines, mark=export.MARK if form == "csv" and out else "")
    return count


def _write(out: Path | None, lines: Iterable[str], mark: str = "") -> None:
    """Write to a file, which takes its place when it is complete, or to stdout."""
    from scraper.files import replace_atomically

    if out is None:
        for line in lines:
            print(line, end="")
        return
    with replace_atomically(out) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        file.writelines(lines)
