"""tiktok-retrieval import: scraped records -> the catalog."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings

EXAMPLES = ("import batch_1.json batch_2.json", "import study/ --data data/study", "import page.html")


def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE", help="Files or folders of scraped records.")],
    again: Annotated[bool, typer.Option("--again", help="Also import videos that were removed.")] = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Import scraped records with their texts and media.

    Creates the catalog if needed. Running it again changes nothing.
    """
    from ingest.catalog import Catalog
    from ingest.catalog.database import FILE_NAME
    from ingest.stages.importer import ImportReport, import_source
    from scraper.parse import in_words
    from scraper.sources import Problem, Skipped, check, read

    settings = load_settings(data=data, indexes=indexes)
    for source in sources:  # before anything is imported, or a catalog created
        check(source)
    total = ImportReport().as_dict()
    skipped: list[Skipped] = []

    def count(report: ImportReport) -> None:
        for problem in report.problems:
            print(printable(str(problem)), file=sys.stderr)
        skipped.extend(report.skipped)
        for name, value in report.as_dict().items():
            total[name] += value

    if (settings.data / FILE_NAME).is_file() or any(_has_records(source) for source in sources):
        with Catalog(settings.data, create=True) as catalog:
            for source in sources:
                count(import_source(catalog, source, again=again, progress=progress_mode(progress, quiet)))
    else:  # an import of nothing creates no catalog
        found = [found for source in sources for found in read(source)]
        problems_found = [one for one in found if isinstance(one, Problem)]
        count(ImportReport(problems=problems_found, skipped=[one for one in found if isinstance(one, Skipped)]))
    problems = len(total["problems"])

    def show() -> None:
        counts = ", ".join(f"{value} {name}" for name, value in total.items() if isinstance(value, int))
        print(counts + (f"; {problems} problems, see above" if problems else ""))
        if skipped:
            print(printable(in_words(skipped)))
        if removed := total["removed"]:
            print(f"removed earlier and left out: {removed}; --again brings them back")

    answer(as_json, total, show)
    imported = total["new"] + total["updated"] + total["unchanged"] + total["removed"]
    if not (imported or problems):
        print("error: no records found", file=sys.stderr)
    if problems or not imported:
        raise typer.Exit(FAILED)


def _has_records(source: Path) -> bool:
    """Whether at least one record of a source can be read."""
    from scraper.sources import ParsedRecord, read

    return any(isinstance(found, ParsedRecord) for found in read(source))
