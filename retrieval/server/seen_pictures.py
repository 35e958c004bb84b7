"""The pictures of what videos show, which reasons name: their addresses, and their content."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ingest.catalog.picture_store import PictureStore
from retrieval.search.answer import Hit, Reason, Why
from retrieval.server.media import MediaFiles

Pictured = TypeVar("Pictured", Reason, Why)


class SeenPictures:
    """The pictures that are kept next to a catalog."""

    def __init__(self, data: Path, media: MediaFiles) -> None:
        self._data, self._media = data, media

    def webp(self, video_id: str, sha256: str) -> bytes | None:
        """Return a picture of a video as WebP, or None if it has no such one."""
        with PictureStore(self._data) as store:
            shown = store.shown([video_id]).get(video_id, [])
            return store.webp(sha256) if any(one.sha256 == sha256 for one in shown) else None

    def placed(self, hits: Sequence[Hit]) -> list[Hit]:
        """Return hits whose pictures have addresses, as far as they are kept here."""
        if not any(reason.picture for hit in hits for reason in hit.explanation):
            return list(hits)
        with PictureStore(self._data) as store:
            shown = store.shown([hit.id for hit in hits])
        kept = {hit.id: {one.sha256 for one in shown.get(hit.id, [])} for hit in hits}

        def placed(hit: Hit, found: Pictured) -> Pictured:
            if found.picture not in kept[hit.id]:
                return found
            return found.model_copy(update={"thumbnail_url": self._media.seen_url(hit.id, found.picture)})

        return [
            hit.model_copy(
                update={
                    "explanation": [placed(hit, one) for one in hit.explanation],
                    "why": placed(hit, hit.why) if hit.why else None,
                }
            )
            for hit in hits
        ]
