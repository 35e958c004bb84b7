"""Remove videos for a person on the page or a program, and bring them back while there is time to undo."""

from collections.abc import Sequence
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.removals import Removal
from retrieval.corpus.removal import Eraser
from retrieval.errors import TooLateToUndo, UnknownVideo

WAIT_S = 3.0  # how long a change waits for the database; somebody is waiting for the answer


class Removing:
    """Hides videos from now on; `eraser` erases them when the time to undo is over."""

    def __init__(self, data: Path, eraser: Eraser) -> None:
        self._data, self._eraser = data, eraser

    def remove(self, video_id: str) -> Removal:
        """Hide a video.

        Raises:
            UnknownVideo: the catalog does not have it, or it is removed already.
            CatalogError: the catalog cannot be used.
        """
        with Catalog(self._data, busy_s=WAIT_S) as catalog:
            if not catalog.removals.known([video_id]):
                raise UnknownVideo("No video in the catalog has this id.")
            catalog.removals.hide([video_id])
            removal = catalog.removals.of(video_id)
        assert removal
        self._eraser.wake()
        return removal

    def remove_all(self, ids: Sequence[str]) -> list[str]:
        """Hide several videos, with one time to undo. Return those that were there.

        Raises:
            CatalogError: the catalog cannot be used.
        """
        with Catalog(self._data, busy_s=WAIT_S) as catalog:
            known = catalog.removals.known(ids)
            catalog.removals.hide(known)
        self._eraser.wake()
        return known

    def undo(self, video_id: str) -> None:
        """Bring a removed video back.

        Raises:
            UnknownVideo: it is not removed.
            TooLateToUndo: the time to undo is over.
            CatalogError: the catalog cannot be used.
        """
        with Catalog(self._data, busy_s=WAIT_S) as catalog:
            if catalog.removals.undo([video_id]):
                return
            if catalog.removals.of(video_id):
                raise TooLateToUndo("The time to undo this is over: the video is erased.")
            raise UnknownVideo("No removed video has this id.")

    def undo_all(self, ids: Sequence[str]) -> list[str]:
        """Bring back those of `ids` that are not erased yet, and return them.

        Raises:
            CatalogError: the catalog cannot be used.
        """
        with Catalog(self._data, busy_s=WAIT_S) as catalog:
            return catalog.removals.undo(ids)
