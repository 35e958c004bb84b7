"""tiktok-retrieval pictures: covers, slides and videos -> small pictures of what they show."""

from typing import Annotated

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Processes, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings

EXAMPLES = ("pictures", "pictures --processes 2", "pictures --retry-failed")


def pictures(
    data: Data = None,
    indexes: Indexes = None,
    processes: Processes = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try videos that failed again.")] = False,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Choose pictures of what videos show, by their scenes.

    `build --vision MODEL` does this as well. Only videos that are new or changed are looked at. Can be stopped at any
    time; the next run resumes. Exits with 1 if any video failed.
    """
    from ingest.catalog import Catalog
    from ingest.stages.pictures import run_pictures, sentence

    settings = load_settings(data=data, indexes=indexes)
    with Catalog(settings.data) as catalog:
        report = run_pictures(
            catalog, progress=progress_mode(progress, quiet), processes=processes, retry_failed=retry_failed
        )

    def show() -> None:
        for failure in report.failures:
            print(printable(f"{failure['video_id']}: {failure['error']}"))
        print(sentence(report))

    answer(as_json, report.as_dict(), show)
    if report.failed:
        raise typer.Exit(FAILED)
