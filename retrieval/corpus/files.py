"""Which files lie in folders, and their size and time of change."""

import os
from collections.abc import Sequence
from pathlib import Path

from scraper.own_media import is_partial

State = tuple[int, int]  # size in bytes and time of change in ns


def files_in(paths: Sequence[Path]) -> dict[Path, State]:
    """Return the state of every file of `paths`, which are files or folders.

    Left out are hidden files, empty ones, symbolic links, and names that say that a file is not complete.
    """
    found: dict[Path, State] = {}
    waiting = []
    for path in paths:
        if path.is_file():
            status = path.stat()
            found[path] = status.st_size, status.st_mtime_ns
        else:
            waiting.append(path)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.is_symlink():
                        continue
                    if entry.is_dir():
                        waiting.append(Path(entry.path))
                    elif not is_partial(entry.name) and entry.is_file():
                        state = entry.stat(follow_symlinks=False)
                        if state.st_size:
                            found[Path(entry.path)] = state.st_size, state.st_mtime_ns
        except OSError:  # removed since, or not readable: the next look may find it
            continue
    return found
