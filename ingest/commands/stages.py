"""What the commands that run stages share: run them, print what they did, choose the exit code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ingest.commands.errors import FAILED
from ingest.commands.output import answer
from ingest.progress import ProgressMode
from ingest.settings import Settings

if TYPE_CHECKING:
    from ingest.catalog.entries import Stage
    from ingest.stages.stage_run import StageReport


def run_stages(
    stages: Sequence["Stage"],
    settings: Settings,
    *,
    as_json: bool,
    progress: ProgressMode,
    report_file: Path | None,
    processes: int | None = None,
    retry_failed: bool = False,
) -> None:
    """Run stages in order. Exit with 1 if any item failed.

    If the site refuses downloads, the other stages still take the files that are there.

    Raises:
        Refused: it does; at the end.
    """
    from ingest.catalog import Catalog
    from ingest.cluster.connection import connected
    from ingest.stages.pipeline import run_stage
    from ingest.stages.refusals import Refused
    from ingest.stages.stage_run import StageReport

    if report_file and not report_file.parent.is_dir():  # now, not after hours of work
        raise typer.BadParameter(f"there is no folder {report_file.parent}", param_hint="--report")
    reports: dict[str, Any] = {}
    failed, refused = 0, None
    with Catalog(settings.data) as catalog, connected(settings.cluster, settings.data, settings.media) as cluster:
        try:
            for stage in stages:
                if retry_failed:
                    catalog.ledger.retry(stage)
                report = StageReport(stage)
                try:
                    run_stage(
                        catalog,
                        stage,
                        settings,
                        progress=progress,
                        processes=processes,
                        batch=settings.batch,
                        report=report,
                        cluster=cluster,
                    )
                except Refused as error:
                    refused = error
                finally:
                    reports[stage] = report.as_dict()
                failed += report.failed
                if not as_json:
                    _show(report)
        finally:  # also of a run that is stopped
            if report_file:
                report_file.write_text(json.dumps(reports, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        answer(True, reports, lambda: None)
    if refused:
        raise refused
    if failed:
        raise typer.Exit(FAILED)


def _show(report: "StageReport") -> None:
    counts = [f"{report.done} done", f"{report.failed} failed", f"{report.absent} absent"]
    waiting = [f"{report.waiting} waiting for their download"] if report.waiting else []
    hint = " (see `tiktok-retrieval status --failures`)" if report.failed else ""
    print(f"{report.stage}: {', '.join(counts + waiting)}{hint}", flush=True)
