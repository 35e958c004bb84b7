"""Folders -> the files that have appeared or changed in them, once they are complete.

The folders are looked through again and again: this also notices files on network drives, and to know that a file no
longer grows, it must be looked at twice anyway.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from retrieval.corpus.add import Given
from retrieval.corpus.add_report import AddReport
from retrieval.corpus.files import State, files_in
from scraper.errors import Locked, UserError

LOOK_EVERY_S = 2.0


def watch(
    paths: Sequence[Path], links: Sequence[str], folders: Sequence[Path], add: Callable[[Given], AddReport]
) -> None:
    """Add everything, then what appears in the folders, until Ctrl-C. An error ends only the batch in work."""
    known = files_in(folders)
    full = [path for path in paths if path not in folders or any(path in found.parents for found in known)]
    if full or links:
        _add(Given(full, links), add)
    print("Watching for new files; Ctrl-C ends it.", file=sys.stderr, flush=True)
    try:
        for new in changes(folders, known):
            _add(Given(sources_of(new)), add)
    except KeyboardInterrupt:
        print("No longer watching.", file=sys.stderr)


def _add(given: Given, add: Callable[[Given], AddReport]) -> None:
    """Add a batch, once no other `add` is running."""
    while True:
        try:
            add(given)
            return
        except Locked:
            time.sleep(LOOK_EVERY_S)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return


def sources_of(files: Sequence[Path]) -> list[Path]:
    """Return what to import for files: themselves, or the file with their metadata next to them."""
    return list(dict.fromkeys(_metadata_of(path) or path for path in files if path.is_file()))


def _metadata_of(path: Path) -> Path | None:
    """The file in which yt-dlp or gallery-dl describes a media file, if there is one."""
    if path.suffix.lower() == ".json":
        return None
    stem = path.name.partition(".")[0]
    names = (f"{path.stem}.info.json", f"{path.name}.json", f"{path.stem}.json", f"{stem}.info.json")
    return next((found for name in names if (found := path.with_name(name)).is_file()), None)


def changes(
    folders: Sequence[Path], known: dict[Path, State], *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Path]]:
    """Yield the files that appeared or changed since `known`, in batches, for ever.

    A file belongs to a batch when two looks in a row find the same size and time of change, and no other file is still
    growing: the files of one download, such as a video and its description, are then read together.
    """
    before = known
    while True:
        sleep(LOOK_EVERY_S)
        now = files_in(folders)
        new = sorted(path for path, state in now.items() if known.get(path) != state)
        if new and all(before.get(path) == now[path] for path in new):
            yield new
            known.update({path: now[path] for path in new})
        before = now
