"""The pictures of what videos show: their addresses and content, and their vectors, to search by them.

A search may be by a picture that was sent (its id), or by a frame of a video (`VIDEO_ID:SHA256`).
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from ingest.catalog.picture_store import PictureStore
from retrieval.corpus.asked_pictures import AskedPictures
from retrieval.embedding.encoder import Vectors
from retrieval.errors import NoVision, UnknownPicture
from retrieval.index.documents import SEEN
from retrieval.search.answer import Hit, Reason, Why
from retrieval.search.fusion import parse_weights
from retrieval.search.searcher import Searcher
from retrieval.search.seen import seen_scores, vector_soon, weight_of
from retrieval.server.media import MediaFiles
from retrieval.server.schemas import FrameDetail
from scraper.links import VIDEO_ID

PICTURE = f"^([0-9a-f]{{32}}|{VIDEO_ID}:[0-9a-f]{{64}})$"  # what a search by a picture names
NO_FRAME = "This index does not have this frame. Open the video and choose another."
Pictured = TypeVar("Pictured", Reason, Why)


class SeenPictures:
    """The pictures that are kept next to a catalog."""

    def __init__(self, data: Path, media: MediaFiles) -> None:
        self._data, self._media = data, media
        self.asked = AskedPictures()

    def webp(self, video_id: str, sha256: str) -> bytes | None:
        """Return a picture of a video as WebP, or None if it has no such one."""
        with PictureStore(self._data) as store:
            shown = store.shown([video_id]).get(video_id, [])
            return store.webp(sha256) if any(one.sha256 == sha256 for one in shown) else None

    def frames(self, video_id: str) -> list[FrameDetail]:
        """Return the pictures that are kept of a video, in order."""
        with PictureStore(self._data) as store:
            shown = store.shown([video_id]).get(video_id, [])
        return [FrameDetail(**vars(one), url=self._media.seen_url(video_id, one.sha256)) for one in shown]

    def vector(self, picture: str, searcher: Searcher, hidden: Collection[str] = ()) -> tuple[Vectors, list[str]]:
        """Return the vector of a picture to search by, and the videos that show the same: of a frame, its video with
        the copies of that.

        Raises:
            UnknownPicture: it is not kept, or the index does not have it.
            NoVision: the index does not know what videos show.
        """
        video_id, _, sha256 = picture.rpartition(":")
        seen = searcher.generation.seen
        if seen is None:
            raise NoVision("")
        if not video_id:
            return self.asked.vector(sha256, searcher), []
        video = searcher.generation.positions.get(video_id)
        vector = None if video is None or video_id in hidden else seen.vector(video, sha256)
        if video is None or vector is None:
            raise UnknownPicture(NO_FRAME)
        generation = searcher.generation
        return vector, [video_id, *(generation.ids[other] for other in generation.copies.others(video))]

    def found(self, video_id: str, query: str, w: str, picture: str, searcher: Searcher) -> frozenset[str]:
        """Return the sha256 of the frames of a video that a question finds, with weights as the API takes them, or a
        picture.

        Raises:
            KeyError: the index does not have the video.
            UnknownPicture, NoVision, BadWeights: as `vector` and `parse_weights`.
        """
        if searcher.generation.seen is None:
            raise NoVision("")
        video, question = searcher.generation.positions[video_id], searcher.understood(query)
        text, _ = searcher.speller.correct(question.text, question.literal)
        vector = self.vector(picture, searcher)[0] if picture else None
        if not text and vector is None:
            return frozenset()
        weight = parse_weights(w).get(SEEN, 1.0)
        asked = vector_soon(searcher.generation, searcher.vision, text, "hybrid", weight, vector)()
        seen = seen_scores(searcher.generation, asked, weight_of(vector, weight), "zscore")
        return frozenset(one.sha256 for one in seen.found(video)) if seen else frozenset()

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
