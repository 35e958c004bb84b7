"""Searcher and catalogue -> what page and API show: answers with their videos, all of one video, and its files.

A new generation is picked up between two searches: while one request opens it, the others still get the old one, and
where it is refused the old one stays.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from tinytag import TinyTag

from ingest.catalog import Catalog
from ingest.catalog.entries import Entry, Media
from ingest.catalog.judgements import Judgement
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError, UnknownGeneration, UnknownVideo
from retrieval.index.generation import build_running, current_name, generation_names, read_manifest
from retrieval.search.answer import Hit
from retrieval.search.fusion import Lane, Method
from retrieval.search.query import Condition
from retrieval.search.searcher import Searcher
from retrieval.server.media import MEDIA_TYPES
from retrieval.server.schemas import (
    FoundHit,
    GenerationSummary,
    MediaDetail,
    SearchAnswer,
    Suggestion,
    TextDetail,
    VideoDetail,
    VideoSummary,
)

log = logging.getLogger(__name__)

JUDGING_S = 3.0  # a person waits for it
TRY_AGAIN_S = 60.0  # weights may be on their way; a try can take seconds
MAX_DURATION_S = 86_400.0  # a header that claims more is broken
MAX_OTHERS = 2  # generations that are not current and held open; each holds its vectors in memory
_ID = re.compile(r"[0-9]{5,25}")


@lru_cache(10_000)
def _duration_s(path: Path, sha256: str) -> float | None:
    """The seconds that a video file says it lasts, read from its header alone; `sha256` tells a new file from an old.

    In Python, for the file is hostile: the decoders of `ingest.media` are C, and may take their process with them.
    """
    try:
        seconds = TinyTag.get(path, tags=False).duration
    except Exception:  # whatever a hostile header brings out: it is shown without its length
        return None
    return seconds if seconds and 0 < seconds < MAX_DURATION_S else None


class Service:
    """What page and API share: the searcher of the current generation, and the catalogue with its media."""

    def __init__(self, data: Path, indexes: Path) -> None:
        self.data, self.indexes = data, indexes
        self._media_root = (data / "media").resolve()
        self._searcher: Searcher | None = None
        self._others: OrderedDict[str, Searcher] = OrderedDict()  # of generations asked for by name, last used last
        self._refused = ""
        self._try_again = 0.0  # when an encoder that could not be had is asked for anew, by the monotonic clock
        self._lock = threading.Lock()
        self._lock_others = threading.Lock()

    def searcher(self, generation: str | None = None) -> Searcher:
        """The searcher of the generation of that name; of the current one without a name, or of the last good one
        where that is refused.

        Raises:
            RetrievalError, WeightsError: there is none yet.
            UnknownGeneration: none has this name.
        """
        if generation:
            return self._other(generation)
        answering = self._searcher
        if answering is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return answering  # another request is opening a new generation
        try:
            if self._searcher is None or (self._searcher.words_only and time.monotonic() > self._try_again):
                self._searcher = self._opened()
            else:
                self._searcher = self._refreshed(self._searcher)
            return self._searcher
        finally:
            self._lock.release()

    def _opened(self) -> Searcher:
        """The current generation's searcher; one that knows words alone where its encoder cannot be had."""
        try:
            return Searcher.open(self.indexes)
        except (WeightsError, ImportError) as error:
            log.warning("answering by words alone: %s", error)
            self._try_again = time.monotonic() + TRY_AGAIN_S
            return Searcher.without_encoder(self.indexes, str(error))

    def _other(self, name: str) -> Searcher:
        answering = self._searcher
        if answering and answering.generation.name == name:
            return answering
        with self._lock_others:
            if name not in generation_names(self.indexes):
                raise UnknownGeneration("there is no generation of this name; /api/generations lists them")
            if name not in self._others:
                known = [answering] if answering else []
                self._others[name] = Searcher.named(self.indexes, name, [*known, *self._others.values()])
                while len(self._others) > MAX_OTHERS:
                    self._others.popitem(last=False)
            self._others.move_to_end(name)
            return self._others[name]

    def generations(self) -> list[GenerationSummary]:
        """All finished generations, newest first; none where nothing has been built yet.

        Raises:
            RetrievalError: CURRENT is broken, or a manifest cannot be read.
        """
        if not generation_names(self.indexes):
            return []
        current = current_name(self.indexes)
        manifests = [read_manifest(self.indexes, name) for name in reversed(generation_names(self.indexes))]
        return [
            GenerationSummary(
                name=one.name,
                built=datetime.fromisoformat(one.created),
                encoder=one.encoder,
                videos=one.videos,
                current=one.name == current,
            )
            for one in manifests
        ]

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
        generation: str | None = None,
    ) -> SearchAnswer:
        """The searcher's answer with the videos of its hits; `generation` names one that is not current.

        Raises:
            RetrievalError, WeightsError, CatalogError: index or catalogue cannot be used.
            UnknownGeneration: none has this name.
        """
        answer = self.searcher(generation).search(
            query, k, offset=offset, lane=lane, weights=weights, method=method, filters=filters
        )
        return SearchAnswer(**{**dict(answer), "hits": self._found(answer.hits)})

    def similar(self, video_id: str, k: int = 6, generation: str | None = None) -> list[FoundHit]:
        """The `k` videos that are most like one, by what all their texts mean; none where it has no text.

        Raises:
            UnknownVideo: the generation does not have the video.
            RetrievalError, WeightsError, CatalogError: index or catalogue cannot be used.
        """
        searcher = self.searcher(generation)
        if video_id not in searcher.generation.positions:
            raise UnknownVideo("there is no video with this id in the index")
        return self._found(searcher.similar(video_id, k))

    def answering_videos(self) -> int:
        """How many videos the generation that answers has; 0 where none does."""
        return len(self._searcher.generation.ids) if self._searcher else 0

    def building(self) -> bool:
        """Whether a new generation is being built (or a build was killed and none has been made since)."""
        return build_running(self.indexes)

    def summary(self, video_id: str) -> VideoSummary:
        """What a result shows of a video.

        Raises:
            UnknownVideo, CatalogError: as `entry`.
        """
        return self._summary(self.entry(video_id))

    def _found(self, hits: Sequence[Hit]) -> list[FoundHit]:
        with Catalog(self.data) as catalog:
            entries = {entry.video.id: entry for entry in catalog.entries(hit.id for hit in hits)}
        return [
            FoundHit(**dict(hit), video=self._summary(entries[hit.id]) if hit.id in entries else None) for hit in hits
        ]

    def suggest(self, query: str, k: int = 8) -> list[Suggestion]:
        """Questions that go on from what is typed: its last word as a creator after @, a hashtag after #, else a word
        of the corpus; what the most videos have comes first.

        Raises:
            RetrievalError, WeightsError: there is no index yet.
        """
        generation = self.searcher().generation
        before, space, typed = query.rpartition(" ")
        sign, start = (typed[0], typed[1:]) if typed[:1] in ("@", "#") else ("", typed)
        if not start:
            return []
        match sign:
            case "@":
                found = generation.metadata.creators_from(start, k)
            case "#":
                found = generation.metadata.tags_from(start, k)
            case _:
                found = generation.phrases.words_from(start, k)
        return [Suggestion(query=f"{before}{space}{sign}{word}", videos=videos) for word, videos in found]

    def judge(self, query: str, video_id: str, time_s: float | None = None, generation: str = "") -> Judgement:
        """Keep that a question was about this video; by the generation that answers now where none is named.

        Raises:
            NoSuchVideo: the catalogue does not have it.
            CatalogError: the catalogue cannot be used.
        """
        if not generation:
            generation = self._searcher.generation.name if self._searcher else ""
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
            return catalog.judgements.add(query, video_id, time_s, generation)

    def forget_judgement(self, number: int) -> bool:
        """Forget a judgement; returns whether there was one."""
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
            return catalog.judgements.delete(number)

    def judgements(self, limit: int = -1, offset: int = 0) -> list[Judgement]:
        """What was said to be the one, newest first."""
        with Catalog(self.data) as catalog:
            return catalog.judgements.all(limit, offset)

    def judged(self, query: str) -> dict[str, int]:
        """The videos that were said to be the one for a question, with the judgements' numbers."""
        with Catalog(self.data) as catalog:
            return catalog.judgements.of(query)

    def judgement_queries(self) -> list[dict[str, object]]:
        """The judgements as a query file: what is asked in the same words is one question with several targets."""
        questions: dict[str, tuple[str, dict[str, None]]] = {}
        for one in reversed(self.judgements()):
            if not one.query.split():
                continue  # kept by an earlier program; no query file may hold it
            _, targets = questions.setdefault(" ".join(one.query.casefold().split()), (one.query, {}))
            targets[one.video_id] = None
        return [
            {"id": f"j{number}", "text": text, "target": list(targets)}
            for number, (text, targets) in enumerate(questions.values(), start=1)
        ]

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
        film = entry.file("video")
        video_url = self._url(video.id, film)
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
            duration_s=_duration_s(film.path, film.sha256) if film and video_url else None,
            video_url=video_url,
            cover_url=self._url(video.id, entry.file("cover")),
            slide_urls=[url for url in slides if url],
        )
