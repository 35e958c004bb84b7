"""tiktok-retrieval remove: videos -> hidden at once, and erased when the time to undo is over."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer, printable
from ingest.settings import Settings, load_settings
from retrieval.corpus.words import count_of

if TYPE_CHECKING:
    from retrieval.corpus.selection import Selection

EXAMPLES = (
    "remove 7123456789012345678",
    "remove @creator --yes",
    "remove --source old_export.zip",
    "remove --list history",
    "remove --undo",
)


def remove(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID|LINK|@CREATOR", help="Videos by id or link, or all videos of a creator."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Remove the videos that were imported from this file or folder alone.", metavar="FILE"),
    ] = None,
    list_name: Annotated[
        str | None,
        typer.Option(
            "--list",
            help="End this list: favorites, likes, history, shares, reposts, posts, or the name of a collection. Videos"
            " that nothing else has are removed.",
            metavar="NAME",
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what was removed in the last 30 seconds.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Erase at once, without the time to undo.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Remove videos: hide them at once, and erase them after 30 seconds.

    Press Ctrl-C in these 30 seconds to undo. Erasing covers the catalog, media, judgements, reports, vectors and every
    index. Your own files, from which the videos were imported, stay. A later import does not bring a removed video
    back; `add --again` does.
    """
    settings = load_settings(data=data, indexes=indexes)
    kinds = sum((bool(names) and not undo, source is not None, list_name is not None, undo))
    if kinds != 1:
        raise typer.BadParameter("give ids and @creators, or --source FILE, or --list NAME, or --undo")
    if undo:
        _undo(settings, names, as_json)
        return
    selection = _select(settings, names or [], source, list_name)
    for problem in selection.problems:
        print(printable(f"error: {problem}"), file=sys.stderr)
    if selection.empty:
        raise typer.Exit(FAILED)
    if not yes:
        _confirm(settings, selection)
    _remove(settings, selection, now, as_json)
    if selection.problems:
        raise typer.Exit(FAILED)


def _select(settings: Settings, names: Sequence[str], source: Path | None, list_name: str | None) -> "Selection":
    from ingest.catalog import Catalog
    from retrieval.corpus import selection

    with Catalog(settings.data, read_only=True) as catalog:
        if source is not None:
            return selection.of_source(catalog, source)
        if list_name is not None:
            return selection.of_list(catalog, list_name)
        return selection.named(catalog, names)


def _confirm(settings: Settings, selection: "Selection") -> None:
    """Say what will be removed, and ask."""
    from ingest.catalog import Catalog
    from retrieval.corpus.selection import titles

    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on: give --yes")
    with Catalog(settings.data, read_only=True) as catalog:
        shown = titles(catalog, selection.videos)
    print(f"{count_of(len(selection.videos))} will be removed:", file=sys.stderr)
    for title in shown:
        print(f"  {printable(title)}", file=sys.stderr)
    if len(selection.videos) > len(shown):
        print(f"  and {len(selection.videos) - len(shown):,} more", file=sys.stderr)
    for note in selection.notes:
        print(note, file=sys.stderr)
    if not typer.confirm("Remove?", err=True):
        raise typer.Exit(FAILED)


def _remove(settings: Settings, selection: "Selection", now: bool, as_json: bool) -> None:
    from ingest.catalog import Catalog
    from ingest.catalog.removals import UNDO_S
    from retrieval.corpus.erasure import erase

    with Catalog(settings.data) as catalog, catalog.transaction():
        catalog.removals.hide(selection.videos)
        ended = catalog.removals.end(*selection.membership) if selection.membership else []
    changed = [*selection.videos, *ended]
    report: dict[str, Any] = {"removed": selection.videos, "memberships_ended": len(ended), "undone": False}
    if not now:
        try:
            _wait(f"{count_of(len(selection.videos))} removed. Press Ctrl-C to undo", UNDO_S)
        except KeyboardInterrupt:
            print(file=sys.stderr)
            with Catalog(settings.data) as catalog:
                back = catalog.removals.undo(changed)
            report = {"removed": [], "memberships_ended": 0, "undone": True}
            answer(as_json, report, lambda: print(f"Undone: {count_of(len(back))} back."))
            return
    erased = erase(settings.data, settings.indexes, changed if now else ())
    with Catalog(settings.data, read_only=True) as catalog:
        left = catalog.removals.unfinished(changed)
    report |= {
        "erased": not left,
        "generation": erased.new_generation,
        "generations_deleted": erased.generations,
        "reports_deleted": erased.reports,
        "copies_deleted": erased.copies,
    }
    answer(as_json, report, lambda: _print(report, erased.left_out))
    if left:
        raise typer.Exit(FAILED)


def _wait(message: str, seconds: float) -> None:
    """Wait, with a countdown on a terminal."""
    end, terminal = time.monotonic() + seconds, sys.stderr.isatty()
    if not terminal:
        print(f"{message}: {seconds:.0f} s.", file=sys.stderr, flush=True)
    while (left := end - time.monotonic()) > 0:
        if terminal:
            print(f"\r{message}: {left:2.0f} s ", end="", file=sys.stderr, flush=True)
        time.sleep(min(1.0, left))
    if terminal:
        print(file=sys.stderr)


def _undo(settings: Settings, names: Sequence[str] | None, as_json: bool) -> None:
    from ingest.catalog import Catalog

    with Catalog(settings.data) as catalog:
        back = catalog.removals.undo(names or None)
    answer(
        as_json,
        {"back": back},
        lambda: print(f"{count_of(len(back))} back." if back else "Nothing can be undone: the time is over."),
    )
    if not back:
        raise typer.Exit(FAILED)


def _print(report: dict[str, Any], left_out: int) -> None:
    print(f"{count_of(len(report['removed']))} {'erased' if report['erased'] else 'hidden, not erased yet'}")
    if report["memberships_ended"]:
        print(f"{count_of(report['memberships_ended'])} no longer in the list")
    for name, what in (
        ("generations_deleted", "Indexes deleted because they had them"),
        ("reports_deleted", "Reports deleted because they named them"),
        ("copies_deleted", "Copies of the catalog deleted, made before an update"),
    ):
        if report[name]:
            print(f"{what}: {len(report[name])}")
    if report["generation"]:
        print(f"The index is now {report['generation']}.")
    if left_out:
        print(f"{count_of(left_out)} with new texts are not in it: run `tiktok-retrieval build`.")
