"""tiktok-retrieval check: what is damaged or missing, and how to repair it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings

if TYPE_CHECKING:
    from retrieval.corpus.check import Report

EXAMPLES = ("check", "check --repair", "check --json --quiet")


def check(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair what can be repaired, after copying the catalog. What you wrote or judged is kept.",
        ),
    ] = False,
    data: Data = None,
    indexes: Indexes = None,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check catalog, media and indexes for damage.

    Every text, record, judgement and file is compared with its checksum. The exit code is 1 if something is damaged.
    """
    from retrieval.corpus.check import check as run

    settings = load_settings(data=data, indexes=indexes)
    report = run(settings.data, settings.indexes, mend=repair, progress=progress_mode(progress, quiet))
    answer(as_json, _as_json(report), lambda: _show(report, repair))
    if report.left:
        raise typer.Exit(FAILED)


def _as_json(report: "Report") -> dict[str, Any]:
    return {
        "checked": report.checked,
        "found": [vars(one) | {"name": one.name} for one in report.found],
        "done": report.done,
        "left": [vars(one) | {"name": one.name} for one in report.left],
        "copy": str(report.copy) if report.copy else None,
    }


def _show(report: "Report", repaired: bool) -> None:
    for one in report.found:
        print(printable(f"{one.name}: {one.problem}{'' if repaired else f'. To do: {one.advice}'}"))
    if report.copy:
        print(printable(f"Copied the catalog to {report.copy}"))
    for line in report.done:
        print(printable(f"repaired: {line}"))
    if repaired:
        for one in report.left:
            print(printable(f"left: {one.name}: {one.problem}. To do: {one.advice}"))
    counts = ", ".join(f"{count:,} {name}" for name, count in report.checked.items())
    print(f"checked: {counts}")
    if not report.found:
        print("Nothing is damaged or missing.")
    elif not repaired:
        print(f"{len(report.found)} findings. `tiktok-retrieval check --repair` repairs what can be repaired.")
    else:
        print(f"{len(report.found)} findings, {len(report.left)} left.")
