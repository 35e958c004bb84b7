"""Pictures that somebody searches by -> small copies of them and the words in them, in memory for a while.

They are not kept on disk or sent anywhere. The ids cannot be guessed.
"""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from ingest.settings import Settings
from ingest.stages.screenshot import read_screenshot
from ingest.stages.workers import Worker
from retrieval.embedding.cached_pictures import opened
from retrieval.embedding.encoder import Vectors
from retrieval.errors import BadPicture, UnknownPicture
from retrieval.search.searcher import Searcher
from retrieval.search.seen import look_at
from scraper.errors import UserError

KEPT_S = 3600.0  # since the last search by it
MOST = 100  # of some 30 kB each; the one that was used longest ago goes
GONE = "This picture is not kept any more. Choose it again."


@dataclass
class AskedPicture:
    """`webp` is the picture, small; `words` are those that were read in it."""

    id: str
    webp: bytes
    words: tuple[str, ...]
    used: float = field(default_factory=time.monotonic)
    vectors: dict[str, Vectors] = field(default_factory=dict)  # by the key of the vision model


class AskedPictures:
    """Reads and keeps pictures to search by. It can be used by several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, AskedPicture] = OrderedDict()  # those used longest ago first
        self._lock, self._worker = threading.Lock(), Worker()
        self._timer: threading.Timer | None = None

    def stop(self) -> None:
        """End the process that reads pictures, and forget all."""
        self._worker.stop()
        with self._lock:
            self._kept.clear()
            if self._timer:
                self._timer.cancel()

    def add(self, content: bytes) -> AskedPicture:
        """Read a picture and keep it.

        Raises:
            BadPicture: it is none, or broken, or too large, or takes too long to read.
        """
        try:
            read = read_screenshot(content, Settings(), self._worker)
        except UserError as error:  # of a separate process: the file may be hostile
            reason = str(error)
            raise BadPicture(f"{reason[:1].upper()}{reason[1:]}.") from error
        return self.keep(read.webp, read.words)

    def keep(self, webp: bytes, words: tuple[str, ...] = ()) -> AskedPicture:
        """Keep a picture that was read already, by this program."""
        made = AskedPicture(secrets.token_hex(16), webp, words)
        with self._lock:
            self._forget_old()
            self._kept[made.id] = made
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            self._look_again()
        return made

    def get(self, picture_id: str) -> AskedPicture:
        """Return a picture that is kept.

        Raises:
            UnknownPicture: it is not, or not any more.
        """
        with self._lock:
            self._forget_old()
            if picture_id not in self._kept:
                raise UnknownPicture(GONE)
            self._kept.move_to_end(picture_id)
            found = self._kept[picture_id]
            found.used = time.monotonic()
            return found

    def forget(self, picture_id: str) -> None:
        """Forget a picture, if it is kept."""
        with self._lock:
            self._kept.pop(picture_id, None)

    def vector(self, picture_id: str, searcher: Searcher) -> Vectors:
        """Return the vector of a picture by the vision model of an index.

        Raises:
            UnknownPicture: the picture is not kept.
            NoVision: the index has no vision model, or it could not be loaded.
        """
        picture = self.get(picture_id)
        key = searcher.vision.key if searcher.vision else ""
        if key not in picture.vectors:
            picture.vectors[key] = look_at(opened(picture.webp), searcher.vision, searcher.no_vision)
        return picture.vectors[key]

    def _look_again(self) -> None:
        """Forget old pictures later, although nobody searches any more."""
        if self._timer is None and self._kept:
            self._timer = threading.Timer(KEPT_S + 1, self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
            self._forget_old()
            self._look_again()

    def _forget_old(self) -> None:
        while self._kept and time.monotonic() - next(iter(self._kept.values())).used > KEPT_S:
            self._kept.popitem(last=False)
