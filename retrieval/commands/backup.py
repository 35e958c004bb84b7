"""tiktok-retrieval backup: a corpus in use -> one file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings

EXAMPLES = ("backup backup.zip", "backup everything.zip --media", "backup weekly.zip --replace --quiet")
MAX_NAMED = 10  # files that could not be included


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, such as backup.zip.")],
    media: Annotated[bool, typer.Option("--media", help="Include videos and pictures.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace FILE if it exists.")] = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Write a backup of the corpus into one file; searches and imports may go on.

    It holds the catalog with judgements and corrected texts, the current generation of the index, the tuned weights
    and the example questions. Media are included with --media. What was removed is left out.
    """
    from retrieval.corpus.backup import back_up, sizes
    from scraper.disk import size_of

    settings = load_settings(data=data, indexes=indexes)
    size = sizes(settings.data, settings.indexes)
    mode = progress_mode(progress, quiet)
    if mode == "auto":
        without = "" if media else ", left out without --media"
        print(
            f"catalog {size_of(size.catalog)}, index {size_of(size.index)},"
            f" {size.media_files} media files {size_of(size.media)}{without}",
            file=sys.stderr,
        )
    done = back_up(settings.data, settings.indexes, file, media=media, replace=replace, progress=mode)
    counts = done.manifest.counts
    for line in (*done.notes, *done.left_out[:MAX_NAMED]):
        print(printable(line), file=sys.stderr)
    if len(done.left_out) > MAX_NAMED:
        print(f"and {len(done.left_out) - MAX_NAMED} more files", file=sys.stderr)

    def show() -> None:
        print(
            f"{done.file}: {size_of(done.bytes)}, {counts['videos']} videos, {counts['texts']} texts,"
            f" {counts['judgements']} judgements, {'an' if done.manifest.generation else 'no'} index,"
            f" {counts['media'] - len(done.left_out) if media else 0} of {counts['media']} media files"
        )

    value = {
        "file": str(done.file),
        "bytes": done.bytes,
        **done.manifest.model_dump(exclude={"members"}),
        "left_out": done.left_out,
        "notes": done.notes,
    }
    answer(as_json, value, show)
    if done.left_out:
        raise typer.Exit(FAILED)
