"""tiktok-retrieval check: what is damaged or missing, and how to repair it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings

if TYPE_CHECKING:
    from ingest.catalog.inspection import Finding
    from retrieval.corpus.check import Report

MAX_NAMED = 3  # files with one cure; --json has all
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


def lines(findings: "list[Finding]", *, advise: bool) -> list[str]:
    """Return one line for each finding. Many files with the same cure, as after a restore without media, share one."""
    alike: dict[str, list[Finding]] = {}
    for one in findings:
        key = one.advice if one.part == "file" else f"{len(alike)}: not a file"
        alike.setdefault(key, []).append(one)
    found = []
    for some in alike.values():
        named = "; ".join(f"{one.name}: {one.problem}" for one in some[:MAX_NAMED])
        text = named if len(some) == 1 else f"{len(some):,} files are missing or damaged ({named}"
        text += "" if len(some) == 1 else "; ...)" if len(some) > MAX_NAMED else ")"
        found.append(text + (f". To do: {some[0].advice}" if advise else ""))
    return found


def _show(report: "Report", repaired: bool) -> None:
    from ingest.catalog.inspection import RESTORE

    for line in lines(report.found, advise=not repaired):
        print(printable(line))
    if report.copy:
        print(printable(f"Copied the catalog to {report.copy}"))
    for line in report.done:
        print(printable(f"repaired: {line}"))
    if repaired:
        for line in lines(report.left, advise=True):
            print(printable(f"left: {line}"))
    counts = ", ".join(f"{count:,} {name}" for name, count in report.checked.items())
    print(f"checked: {counts}")
    if not report.found:
        print("Nothing is damaged or missing.")
    elif not repaired:
        can_repair = any(one.advice != RESTORE for one in report.found)
        advice = " `tiktok-retrieval check --repair` repairs what can be repaired." if can_repair else ""
        print(f"{len(report.found)} findings.{advice}")
    else:
        print(f"{len(report.found)} findings, {len(report.left)} left.")
