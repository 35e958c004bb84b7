"""tiktok-retrieval restore: a backup -> a corpus in two empty folders."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("restore backup.zip --data restored/data --indexes restored/indexes",)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that `backup` wrote.")],
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Restore a backup into two folders that are empty or do not exist yet.

    Everything is checked before it takes its place. If the command is interrupted, run it again: it starts over.
    Without media in the backup, searches work, and a later import of the files adds them again.
    """
    from retrieval.corpus.restore import restore as run

    settings = load_settings(data=data, indexes=indexes)
    done = run(file, settings.data, settings.indexes, progress=progress_mode(progress, quiet))
    counts = done.manifest.counts
    media = sum(name.startswith("data/media/") for name in done.manifest.members)
    for note in done.notes:
        print(note, file=sys.stderr)

    def show() -> None:
        print(
            f"restored {counts['videos']} videos, {counts['texts']} texts, {counts['judgements']} judgements and"
            f" {media} of {counts['media']} media files, from {done.manifest.created}\n"
            f"data folder: {done.data}\nindex folder: {done.indexes}"
        )

    value = {
        "data": str(done.data),
        "indexes": str(done.indexes),
        **done.manifest.model_dump(exclude={"members"}),
        "media_files": media,
        "notes": done.notes,
    }
    answer(as_json, value, show)
