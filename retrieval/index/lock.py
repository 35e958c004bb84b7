"""The lock of the index folder: one process at a time changes it."""

import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from retrieval.errors import GenerationError
from retrieval.index.layout import BUILDING, CURRENT, LOCK, generations_folder, segments_folder
from retrieval.index.tuned import TUNED
from scraper import files
from scraper.disk import disk_errors
from scraper.errors import Locked

log = logging.getLogger(__name__)

PROBE_S = 0.2  # longer than `layout.build_running` holds the lock
BRIEF_LOCK = ".brief.lock"  # held as well by what ends soon
BRIEF_S = 900.0  # how long that may take: to join the largest segments takes minutes


@contextlib.contextmanager
def only_builder(indexes: Path, wait_s: float = 0.0, *, brief: bool = False) -> Iterator[None]:
    """Hold the lock of `indexes`, so that one process at a time changes it. The lock ends with its process.

    Leftovers of killed and failed commands are deleted first. A thread that holds the lock may enter again.

    Args:
        wait_s: how long to wait for another process.
        brief: the work ends soon, and a person may not know of it, as when a server follows its catalog. What takes
            longer waits for it, however short its `wait_s` is.

    Raises:
        Locked: another process or thread holds it.
        DiskError: a file cannot be read or written.
    """
    if not indexes.is_dir():
        raise GenerationError(f"no generation in {indexes}: run `tiktok-retrieval build`")
    lock = FileLock(indexes / LOCK, is_singleton=True)
    with disk_errors(indexes), _noted(indexes) if brief else contextlib.nullcontext():
        _acquire(lock, indexes, wait_s, for_brief=not brief)
        try:
            if lock.lock_counter == 1:
                _remove_leftovers(indexes)
            yield
        finally:
            lock.release()


def _acquire(lock: FileLock, indexes: Path, wait_s: float, *, for_brief: bool) -> None:
    began = time.monotonic()
    until, waits = began + wait_s, False
    while True:
        brief = for_brief and _brief_work(indexes)  # asked before as well: it may end just after an attempt
        try:
            lock.acquire(timeout=PROBE_S)
            return
        except Timeout as error:
            now = time.monotonic()
            if (brief or (for_brief and _brief_work(indexes))) and now < began + BRIEF_S:
                if not waits:
                    log.warning("waiting for a server or another command, which changes %s", indexes)
                until, waits = max(until, now + PROBE_S), True
            elif now >= until:
                raise Locked(f"another build is running in {indexes}: wait until it is done") from error


@contextlib.contextmanager
def _noted(indexes: Path) -> Iterator[None]:
    """Hold the lock of brief work. It is taken before the other lock, so that nobody finds that one held alone."""
    lock = FileLock(indexes / BRIEF_LOCK, is_singleton=True)
    with contextlib.suppress(Timeout):  # other brief work
        lock.acquire(timeout=PROBE_S)
    try:
        yield
    finally:
        lock.release()


def _brief_work(indexes: Path) -> bool:
    try:
        with FileLock(indexes / BRIEF_LOCK, timeout=0):
            return False
    except Timeout:
        return True


def _remove_leftovers(indexes: Path) -> None:
    """Delete what killed and failed commands have left. The caller holds the lock."""
    for folder in (generations_folder(indexes), segments_folder(indexes)):
        for leftover in folder.glob(f"{BUILDING}*"):
            shutil.rmtree(leftover)
    for target in (indexes / CURRENT, indexes / TUNED):
        files.remove_leftovers(target)
