"""The catalog changes while a server runs -> the index follows: new, changed and removed videos, a few at a time.

The encoders that answer questions encode the new texts, so that a video is found within about two seconds. Many videos
at once are left to `tiktok-retrieval build`, which may take hours and has all cores.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ingest.catalog.database import FILE_NAME
from ingest.catalog.picture_store import FILE_NAME as PICTURES
from retrieval.corpus.build import Follower, OtherEncoders
from retrieval.corpus.seen import see
from retrieval.index.builder import TooManyNew
from retrieval.index.layout import State
from retrieval.server.searchers import Searchers
from scraper.errors import Locked, UserError

log = logging.getLogger(__name__)

POLL_S = 0.5  # between looks at the files of the catalog
MAX_NEW = 200  # videos that a server indexes by itself: it answers questions with the same cores
MAX_NEW_PICTURES = 400  # a large model encodes some ten of them a second
SHARE = 0.5  # of the time that it may build, when the catalog changes without end
MAX_REST_S = 3.0  # after a build, however long it took: the first one of many texts loads the models for it


class Updater:
    """Publishes a generation when the catalog has changed, and joins small segments."""

    def __init__(self, data: Path, indexes: Path, searchers: Searchers) -> None:
        self._data, self._indexes, self._searchers = data, indexes, searchers
        self._stopped = threading.Event()
        self._follower: Follower | None = None
        self._seen: State = ()
        self._busy_until = 0.0  # by the monotonic clock
        self._pictures: State = ()  # when it indexed them last
        self._reported: Sequence[str] = ()  # the encoders that could not be loaded

    def start(self) -> None:
        """Begin."""
        self._stopped.clear()
        threading.Thread(target=self._run, name="updater", daemon=True).start()

    def stop(self) -> None:
        """End after the current build."""
        self._stopped.set()

    def _run(self) -> None:
        with contextlib.suppress(UserError, sqlite3.Error):  # there is no index yet; looked at again later
            self._follower = Follower(self._data, self._indexes)
        while not self._stopped.wait(POLL_S):
            state = self._state(FILE_NAME, PICTURES)
            if state == self._seen or time.monotonic() < self._busy_until:
                continue
            began = time.monotonic()
            try:
                if not self.update():
                    continue
            except Locked:  # another process builds; look again when it is done
                continue
            except Exception as error:
                if self._stopped.is_set():  # Python ends, and starts no threads any more; the next server does it
                    return
                known = isinstance(error, (UserError, sqlite3.Error))
                log.warning("the index does not have the last changes: %s", error, exc_info=not known)
            self._seen = state
            self._busy_until = time.monotonic() + min((time.monotonic() - began) * (1 / SHARE - 1), MAX_REST_S)

    def update(self) -> bool:
        """Publish a generation if few videos have changed since the last look. Return whether it could be looked.

        Raises:
            UserError: the catalog or the index cannot be read or written.
        """
        if self._searchers.answering() is None:
            return False
        searcher = self._searchers.get()  # of the generation that is current now: it may have other encoders
        if searcher.missing:
            self._report(searcher.missing)
            return False
        if self._follower is None:
            self._follower = Follower(self._data, self._indexes)
        pictures = self._state(PICTURES)
        try:
            published = self._follower.update(searcher.encoders, MAX_NEW)
        except OtherEncoders:  # published since, or its generation cannot be used
            return False
        if published or pictures != self._pictures:
            self._see()
            self._pictures = pictures
        return True

    def _see(self) -> None:
        """Index pictures that were chosen since, with the vision model that answers, and copies that were found."""
        searcher = self._searchers.get()
        if (self._data / PICTURES).is_file() and not searcher.no_vision:
            try:
                see(self._data, self._indexes, searcher.vision, most=MAX_NEW_PICTURES)
            except TooManyNew as error:
                log.warning("%s", error)

    def _report(self, missing: Sequence[str]) -> None:
        if missing != self._reported:
            log.warning("new videos wait until %s can be loaded", " and ".join(missing))
            self._reported = missing

    def _state(self, *databases: str) -> State:
        found = []
        for name in (file for database in databases for file in (database, f"{database}-wal")):
            try:
                stat = (self._data / name).stat()
            except OSError:
                continue
            found.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
        return tuple(found)
