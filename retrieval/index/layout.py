"""The index folder: the names of what is in it, and which generation is current."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from retrieval.errors import GenerationError, RetrievalError

CURRENT = "CURRENT"
CACHE_FILE = "vectors.sqlite"
LOCK = ".build.lock"  # held by the process that changes the folder
BUILDING = ".building-"  # how the names of unfinished generations and segments begin
SEGMENT_VIDEOS = 1 << 16  # that a segment has at most: their numbers fit into 16 bits
State = tuple[tuple[str, int, int, int], ...]


def current_name(indexes: Path) -> str:
    """Return the name of the current generation.

    Raises:
        GenerationError: there is none.
        RetrievalError: CURRENT cannot be read now, so it is not known which it is.
    """
    try:
        # Exactly as it was written: white space that has changed is damage.
        name = (indexes / CURRENT).read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError as error:
        raise GenerationError(f"no index in {indexes}: run `tiktok-retrieval build`") from error
    except UnicodeError as error:
        raise GenerationError(f"{indexes / CURRENT} is damaged: run `tiktok-retrieval rollback`") from error
    except OSError as error:
        raise RetrievalError(f"{indexes / CURRENT} cannot be read: {error.strerror}") from error
    if name not in generation_names(indexes):
        raise GenerationError(
            f"{indexes / CURRENT} names {name!r}, which does not exist: run `tiktok-retrieval rollback` or"
            " `tiktok-retrieval build`"
        )
    return name


def generation_names(indexes: Path) -> list[str]:
    """Return the names of all finished generations, oldest first."""
    return _finished(generations_folder(indexes))


def build_running(indexes: Path) -> bool:
    """Return whether another process builds a generation. What a killed build has left does not count."""
    folders = generations_folder(indexes), segments_folder(indexes)
    if not any(path for folder in folders for path in folder.glob(f"{BUILDING}*")):
        return False
    try:
        with FileLock(indexes / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # nobody can build where the lock cannot be opened
        return False


def generations_folder(indexes: Path) -> Path:
    """Return the folder of all generations."""
    return indexes / "generations"


def segments_folder(indexes: Path) -> Path:
    """Return the folder of all segments, which generations share."""
    return indexes / "segments"


def segments_of(generation: Path) -> Path:
    """Return the folder of the segments of a generation, by its own folder."""
    return segments_folder(generation.parent.parent)


def segment_names(indexes: Path) -> list[str]:
    """Return the names of all finished segments, oldest first, whether a generation has them or not."""
    return _finished(segments_folder(indexes))


def _finished(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def state_of(*folders: Path) -> State:
    """Return name, size, time of change and number of each file in folders; nothing if one cannot be read.

    As long as it is the same, nobody has written there.
    """
    try:
        found = [(f"{at.name}/{entry.name}", entry.stat()) for at in folders for entry in os.scandir(at)]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found))
