"""tiktok-retrieval status: what the catalog holds and how far each stage is."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer, printable
from ingest.language_names import name_of
from ingest.settings import load_settings
from scraper.files import open_to_others

if TYPE_CHECKING:
    from ingest.catalog import Catalog

EXAMPLES = ("status", "status --failures", "status --json")


Failures = Annotated[bool, typer.Option("--failures", help="List every failed item with its error.")]


def status(data: Data = None, indexes: Indexes = None, failures: Failures = False, as_json: Json = False) -> None:
    """Show the folders, the progress of each stage, and errors."""
    report(data, indexes, failures, as_json, lambda _: ({}, ""))


def report(
    data: Path | None,
    indexes: Path | None,
    failures: bool,
    as_json: bool,
    index_in: Callable[[Path], tuple[dict[str, Any], str]],
) -> None:
    """Print the status. `index_in` returns what the index in a folder is, for JSON and as a line."""
    from ingest import ocr_packs
    from ingest.catalog import Catalog
    from ingest.catalog.picture_store import PictureStore

    settings = load_settings(data=data, indexes=indexes)
    folders = {"data": str(settings.data.resolve()), "indexes": str(settings.indexes.resolve())}
    with Catalog(settings.data, read_only=True) as catalog, PictureStore(settings.data) as pictures:
        counts: dict[str, Any] = catalog.status()
        if pictures.exists:
            counts["stages"] |= {"pictures": pictures.stage_counts(catalog.media())}
        lines = [*catalog.ledger.failures(), *pictures.failures()] if failures else []
        failed = [_with_link(catalog, line) for line in lines]
        files = [line for line in catalog.ledger.files() if line["state"] == "failed"] if failures else []
        problems = catalog.import_notes.problems() if failures else []
        languages = catalog.browser.languages()
    counts |= {"languages": languages, "ocr_packs": ocr_packs.advice(languages, settings.ocr_languages)}
    if note := open_to_others(settings.data, settings.indexes):
        print(printable(note), file=sys.stderr)
    index, line = index_in(settings.indexes)
    counts |= {"index": index} if index else {}
    listed = {"failures": failed, "failed_files": files, "problems": problems} if failures else {}
    answer(as_json, counts | folders | listed, lambda: _show(folders, line, counts, failed, files, problems))


def _with_link(catalog: "Catalog", line: dict[str, object]) -> dict[str, object]:
    entry = next(catalog.entries([str(line["video_id"])]), None)  # a damaged one has no link
    return line | {"link": entry.video.permalink if entry else ""}


def _show(
    folders: dict[str, str],
    index: str,
    counts: dict[str, Any],
    failures: list[dict[str, object]],
    files: list[dict[str, object]],
    problems: list[dict[str, object]],
) -> None:
    print(f"data:    {printable(folders['data'])}\nindexes: {printable(folders['indexes'])}")
    if index:
        print(f"index:   {printable(index)}")
    print(f"{counts['videos']} videos, {counts['usable']} completely read")
    if languages := counts["languages"]:
        print("languages: " + ", ".join(f"{name_of(code)} {count}" for code, count in languages.items()))
    print(f"{'stage':12}{'due':>8}{'done':>8}{'failed':>8}{'absent':>8}")
    for stage, states in counts["stages"].items():
        print(f"{stage:12}" + "".join(f"{states[state]:8}" for state in ("due", "done", "failed", "absent")))
    for stage, states in counts["stages"].items():
        for error, count in states["errors"].items():
            print(f"{stage}, {count} times: {printable(error)}")
    for stage, states in counts["stages"].items():
        for note, count in states["notes"].items():
            print(f"{stage}, note on {count}: {printable(note)}")
    for kind, codes in counts["files"].items():
        print(f"{kind} files: " + ", ".join(f"{count} {code}" for code, count in codes.items()))
    if counts["ocr_packs"]:
        print(counts["ocr_packs"])
    from ingest.catalog.entries import NO_MEDIA

    for line in failures:
        if str(line["error"]).startswith(NO_MEDIA):  # the line of the download says why
            continue
        link = f", {printable(str(line['link']))}" if line["link"] else ""
        print(
            f"{line['stage']} {line['video_id']}{link} (tried {line['tries']} times): {printable(str(line['error']))}"
        )
    for line in files:
        which = f"{line['kind']} {line['position']}"
        error = printable(f"{line['word']}: {line['error']}")
        print(f"file {line['video_id']} {which} (tried {line['tries']} times): {error}")
    for problem in problems:
        place = "" if problem["index"] is None else f", record {problem['index']}"
        print(printable(f"not imported: {problem['file']}{place}: {problem['reason']}"))
