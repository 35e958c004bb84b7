"""Searcher and catalogue -> what page and API show: answers with their videos, all of one video, and its files.

A new generation is picked up between two searches: while one request opens it, the others still get the old one, and
where it is refused the old one stays.
"""

import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from ingest.catalog import Catalog, Entry, Media, MediaKind, Segment, Stage, State, TextKind
from ingest.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.fusion import Lane, Method
from retrieval.generation import current_name
from retrieval.question import Condition
from retrieval.search import Answer, Hit, Searcher
from scraper.records import Video

log = logging.getLogger(__name__)

_ID = re.compile(r"[0-9]{5,25}")
_IMAGES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
_VIDEOS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}
# what a browser may be handed, by what it is kept as: never a page or a drawing with a script in it
MEDIA_TYPES: dict[MediaKind, dict[str, str]] = {"cover": _IMAGES, "slide": _IMAGES, "video": _VIDEOS}


class VideoSummary(BaseModel):
    """What a result shows of a video. The `*_url` are paths on this server, null where the file is not kept."""

    permalink: str
    creator: str
    nickname: str
    description: str
    posted: str | None = Field(description="ISO date, null where it cannot be told")
    likes: int | None
    comment_count: int | None
    music: str
    hashtags: list[str]
    has_video: bool
    video_url: str | None
    cover_url: str | None
    slide_urls: list[str] = Field(description="the pictures of a photo post")


class FoundHit(Hit):
    """A hit with its video; null where the catalogue no longer has it."""

    video: VideoSummary | None


class SearchAnswer(Answer):
    """A searcher's answer with the videos of its hits."""

    hits: list[FoundHit]  # type: ignore[assignment]  # nobody puts a plain Hit into an answer


class TextDetail(BaseModel):
    """A text made from media and where it comes from; null: the media could not be read, empty: nothing there."""

    text: str | None
    engine: str
    version: str
    model: str
    language: str
    confidence: float | None
    segments: Sequence[Segment]


class MediaDetail(BaseModel):
    """A file kept of a video; `url` null where it is missing or of a type that is not handed out."""

    kind: MediaKind
    position: int
    url: str | None
    bytes: int
    sha256: str


class VideoDetail(BaseModel):
    """All that the catalogue knows of a video."""

    record: Video
    texts: dict[TextKind, TextDetail]
    states: dict[Stage, State]
    media: list[MediaDetail]


class UnknownVideo(Exception):
    """No video has this id."""


class Service:
    """What page and API share: the searcher of the current generation, and the catalogue with its media."""

    def __init__(self, data: Path, indexes: Path) -> None:
        self.data, self.indexes = data, indexes
        self._media_root = (data / "media").resolve()
        self._searcher: Searcher | None = None
        self._refused = ""
        self._lock = threading.Lock()

    def searcher(self) -> Searcher:
        """The searcher of the current generation, or of the last good one where the current one is refused.

        Raises:
            RetrievalError, WeightsError: there is none yet.
        """
        answering = self._searcher
        if answering is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return answering  # another request is opening a new generation
        try:
            if self._searcher is None:
                self._searcher = Searcher.open(self.indexes)
            else:
                self._searcher = self._refreshed(self._searcher)
            return self._searcher
        finally:
            self._lock.release()

    def _refreshed(self, searcher: Searcher) -> Searcher:
        name = ""
        try:
            name = current_name(self.indexes)
            if name == self._refused:  # seen and said: not verified again for every search
                return searcher
            return searcher.refreshed(self.indexes)
        except (RetrievalError, WeightsError) as error:
            if name != self._refused or not name:
                log.warning("still answering from generation %s: %s", searcher.generation.name, error)
            self._refused = name
            return searcher

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        offset: int = 0,
        lane: Lane = "hybrid",
        weights: dict[str, float] | None = None,
        method: Method = "zscore",
        filters: Sequence[Condition] = (),
    ) -> SearchAnswer:
        """The searcher's answer with the videos of its hits.

        Raises:
            RetrievalError, WeightsError, CatalogError: index or catalogue cannot be used.
        """
        answer = self.searcher().search(
            query, k, offset=offset, lane=lane, weights=weights, method=method, filters=filters
        )
        with Catalog(self.data) as catalog:
            entries = {entry.video.id: entry for entry in catalog.entries(hit.id for hit in answer.hits)}
        hits = [
            FoundHit(**dict(hit), video=self._summary(entries[hit.id]) if hit.id in entries else None)
            for hit in answer.hits
        ]
        return SearchAnswer(**{**dict(answer), "hits": hits})

    def entry(self, video_id: str) -> Entry:
        """The catalogue's entry of a video.

        Raises:
            UnknownVideo: there is no such video, or that is no id.
            CatalogError: the catalogue cannot be used.
        """
        if _ID.fullmatch(video_id):
            with Catalog(self.data) as catalog:
                if entry := catalog.get(video_id):
                    return entry
        raise UnknownVideo("there is no video with this id in the catalogue")

    def detail(self, video_id: str) -> VideoDetail:
        """All that is known of a video."""
        entry = self.entry(video_id)
        return VideoDetail(
            record=entry.video,
            texts={kind: TextDetail(**vars(text)) for kind, text in entry.texts.items()},
            states=entry.states,
            media=[
                MediaDetail(
                    kind=media.kind,
                    position=media.position,
                    url=self._url(video_id, media),
                    bytes=media.bytes,
                    sha256=media.sha256,
                )
                for media in entry.media
            ],
        )

    def file(self, media: Media) -> tuple[Path, str] | None:
        """Path and content type of a file that may be handed out: it lies in the data folder's media, is there, and
        is of a type that its kind may have."""
        path = media.path.resolve()
        content_type = MEDIA_TYPES[media.kind].get(path.suffix.lower())
        if content_type and path.is_relative_to(self._media_root) and path.is_file():
            return path, content_type
        return None

    def _url(self, video_id: str, media: Media | None) -> str | None:
        if media is None or not self.file(media):
            return None
        return f"/media/{video_id}/{media.kind}" + (f"?n={media.position}" if media.kind == "slide" else "")

    def _summary(self, entry: Entry) -> VideoSummary:
        video = entry.video
        video_url = self._url(video.id, entry.file("video"))
        slides = [self._url(video.id, media) for media in entry.media if media.kind == "slide"]
        return VideoSummary(
            permalink=video.permalink,
            creator=video.creator_username,
            nickname=video.creator_nickname,
            description=video.description,
            posted=video.posted,
            likes=video.likes,
            comment_count=video.comment_count,
            music=video.music_title,
            hashtags=video.hashtags,
            has_video=video_url is not None,
            video_url=video_url,
            cover_url=self._url(video.id, entry.file("cover")),
            slide_urls=[url for url in slides if url],
        )
