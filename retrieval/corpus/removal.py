"""Removed videos: what no answer may have, and the thread of a server that erases what is due."""

import logging
import sqlite3
import threading
import time
from pathlib import Path

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.database import FILE_NAME
from scraper.errors import UserError

log = logging.getLogger(__name__)

POLL_S = 10.0  # between looks at the catalog: another process may have removed something, and been killed
_last_hidden: dict[Path, frozenset[str]] = {}  # by data folder


def hidden_videos(data: Path) -> frozenset[str]:
    """Return the ids of all removed videos.

    If the catalog is gone or cannot be read, those that were removed when it could: a search works without it.
    """
    if not (data / FILE_NAME).is_file():
        return _last_hidden.get(data, frozenset())
    try:
        with Catalog(data, read_only=True) as catalog:
            _last_hidden[data] = catalog.removals.hidden()
    except (CatalogError, sqlite3.Error) as error:
        log.warning("videos that were removed lately may be found again: %s", error)
    return _last_hidden.get(data, frozenset())


class Eraser:
    """Erases removed videos in the background, whoever removed them."""

    def __init__(self, data: Path, indexes: Path) -> None:
        self._data, self._indexes = data, indexes
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. What a killed process has left is erased first."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="eraser", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the current erasure. The next process finishes what is left."""
        self._stopped.set()
        self._woken.set()

    def wake(self) -> None:
        """Look again at what is due: something was removed."""
        self._woken.set()

    def _run(self) -> None:
        from retrieval.corpus.erasure import finish

        while not self._stopped.is_set():
            try:
                if (erased := finish(self._data, self._indexes)).anything:
                    log.warning("erased %d removed videos", len(erased.videos))
            except UserError as error:
                log.warning("removed videos are not erased yet: %s", error)
            except Exception:
                log.exception("removed videos are not erased yet")
            self._woken.wait(self._pause_s())
            self._woken.clear()

    def _pause_s(self) -> float:
        """Return the seconds until the next look."""
        try:
            if not (self._data / FILE_NAME).is_file():
                return POLL_S
            with Catalog(self._data, read_only=True) as catalog:
                due = catalog.removals.next_due()
        except (CatalogError, sqlite3.Error):
            return POLL_S
        return POLL_S if due is None else min(POLL_S, max(due - time.time(), 1.0))
