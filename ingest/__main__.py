"""python -m ingest: the commands that fill the catalog. They are also commands of `tiktok-retrieval`."""

from collections.abc import Callable

import typer

from ingest.commands import download, edit, import_, ocr, pictures, retry, run, status, transcribe
from ingest.commands.group import add, make_app, start

PANEL = "Fill the catalog"


def add_commands(app: typer.Typer, show_status: Callable[..., None] = status.status) -> None:
    """Add the commands of this package to an app. `show_status` is the one of `status`."""
    add(app, import_.import_, "import", examples=import_.EXAMPLES, panel=PANEL, resumes=True)
    add(app, download.download, "download", examples=download.EXAMPLES, panel=PANEL, resumes=True)
    add(app, ocr.ocr, "ocr", examples=ocr.EXAMPLES, panel=PANEL, resumes=True)
    add(app, transcribe.transcribe, "transcribe", examples=transcribe.EXAMPLES, panel=PANEL, resumes=True)
    add(app, pictures.pictures, "pictures", examples=pictures.EXAMPLES, panel=PANEL, resumes=True)
    add(app, run.run, "run", examples=run.EXAMPLES, panel=PANEL, resumes=True)
    add(app, show_status, "status", examples=status.EXAMPLES, panel=PANEL)
    add(app, retry.retry, "retry", examples=retry.EXAMPLES, panel=PANEL)
    add(app, edit.edit, "edit", examples=edit.EXAMPLES, panel=PANEL)


app = make_app(
    "Import scraped records and media, and read their texts into one catalog.",
    ("import scraped/ --data data", "run --data data", "status --data data"),
)
add_commands(app)

if __name__ == "__main__":
    start(app, "python -m ingest")
