"""Searchers, catalog and judgements -> what the page and the API show."""

import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.entries import Entry
from ingest.catalog.judgements import Judgement
from ingest.catalog.reader import BadEntry
from ingest.text.original_sound import music_of
from retrieval.cluster.front import Shards
from retrieval.corpus.removal import Eraser, hidden_videos
from retrieval.corpus.thumbnails import Thumbnails, frame_times
from retrieval.errors import UnknownGeneration, UnknownVideo
from retrieval.index.layout import build_running, generation_names
from retrieval.search.answer import Answer, Hit, Sort
from retrieval.search.choices import Choice
from retrieval.search.conditions import Condition
from retrieval.search.encoders import SharedEncoders
from retrieval.search.fusion import Method, Mode
from retrieval.search.lists import operator_value
from retrieval.search.searcher import Searcher
from retrieval.server.facets import facets_of
from retrieval.server.library import Library
from retrieval.server.media import MediaFiles, duration_s
from retrieval.server.removing import WAIT_S, Removing
from retrieval.server.schemas import (
    Facets,
    FoundHit,
    MediaDetail,
    SearchAnswer,
    Suggestion,
    TextDetail,
    VideoDetail,
    VideoSummary,
)
from retrieval.server.searchers import Searchers
from retrieval.server.seen_pictures import SeenPictures
from retrieval.server.trial import Trial
from retrieval.server.updater import Updater
from scraper.errors import UserError
from scraper.links import VIDEO_ID

log = logging.getLogger(__name__)
MAX_ENCOUNTERS = 1_000  # in a summary
CHANGED = "The index has changed since. These results are from the current one."
_IN_LIST = re.compile(r'(?P<in>(?:^|\s)-?in:)"?([^"]*)$', re.IGNORECASE)


class Service:
    """What page and API share.

    Args:
        on_search: called with the milliseconds by step of every search.
        base: the path that the API is served below, such as /corpus/study; it begins the addresses of media.
        shared: encoders that other corpora use as well.
        shards: what scores the videos, if the index is on several machines.
    """

    def __init__(
        self,
        data: Path,
        indexes: Path,
        on_search: Callable[[Mapping[str, float]], None] | None = None,
        *,
        base: str = "",
        shared: SharedEncoders | None = None,
        shards: Shards | None = None,
    ) -> None:
        self.data, self.indexes = data, indexes
        self.searchers, self.media = Searchers(indexes, shared, shards), MediaFiles(data, base)
        self.eraser, self.library = Eraser(data, indexes), Library(data)
        self.removing = Removing(data, self.eraser)
        self.updater = Updater(data, indexes, self.searchers)
        self.thumbnails = Thumbnails(data, self._is_there)
        self.seen_pictures = SeenPictures(data, self.media)
        self.trial = Trial()
        self._on_search = on_search

    # -- search --

    def answer(
        self,
        query: str,
        k: int = 10,
        *,
        offset: int = 0,
        mode: Mode = "hybrid",
        weights: dict[str, float] | None = None,
        method: Method = "zscore",
        filters: Sequence[Condition] = (),
        sort: Sort = "relevance",
        generation: str | None = None,
        exact: bool = False,
        choices: Sequence[Choice] = (),
        found: str = "",
        picture: str = "",
    ) -> Answer:
        """Return the searcher's answer, in which hits are ids.

        Args:
            generation: the name of one that is not current.
            found: the generation of an answer that this one follows, such as the first results. If it is gone, the
                current one answers, and a note says so.
            exact: whether misspelt words are not corrected.
            choices: videos that the one meant is nearer to, or not like.
            picture: to search by, as `SeenPictures.vector` takes it. The video that it is a frame of, and its copies,
                are not among the hits.

        Raises:
            RetrievalError, WeightsError, CatalogError: index or catalog cannot be used.
            UnknownGeneration: none has this name.
            UnknownPicture: there is no such picture.
        """
        searcher, changed = self.following(found) if found and not generation else (self.searchers.get(generation), "")
        hidden = hidden_videos(self.data)
        vector, same = self.seen_pictures.vector(picture, searcher, hidden) if picture else (None, ())
        answer = searcher.search(
            query,
            k,
            offset=offset,
            mode=mode,
            weights=weights,
            method=method,
            filters=filters,
            hidden=hidden.union(same),
            sort=sort,
            exact=exact,
            choices=choices,
            picture=vector,
        )
        if self._on_search:
            self._on_search(answer.timings_ms)
        answer = answer.model_copy(update={"picture": picture or None})
        note = changed or ("" if generation else self.searchers.note())
        return answer.model_copy(update={"notes": [note, *answer.notes]}) if note else answer

    def following(self, found: str) -> tuple[Searcher, str]:
        """Return the searcher of the generation that gave an answer, or if it is gone, the current one and a note.

        Raises:
            RetrievalError, WeightsError: the index cannot be used.
        """
        try:
            return self.searchers.get(found or None), ""
        except UnknownGeneration:
            return self.searchers.get(), CHANGED

    def with_videos(self, found: Answer) -> SearchAnswer:
        """Return an answer with the videos of its hits."""
        return SearchAnswer(**(dict(found) | {"hits": self._found(found.hits)}))

    def similar(self, video_id: str, k: int = 6, generation: str | None = None) -> list[FoundHit]:
        """Return the `k` videos whose texts are closest in meaning to a video's; none if it has no text.

        Raises:
            UnknownVideo: the generation does not have the video.
            RetrievalError, WeightsError, CatalogError: index or catalog cannot be used.
        """
        searcher = self.searchers.get(generation)
        hidden = hidden_videos(self.data)
        if video_id not in searcher.generation.positions or video_id in hidden:
            raise UnknownVideo("No video in the index has this id.")
        return self._found(searcher.similar(video_id, k, hidden))

    def found_frames(
        self, video_id: str, query: str, w: str, picture: str, generation: str | None
    ) -> frozenset[str] | None:
        """Return the sha256 of the frames of a video that a question finds, or a picture; None if the index does not
        know what the video shows."""
        try:
            return self.seen_pictures.found(video_id, query, w, picture, self.searchers.get(generation))
        except (UserError, KeyError):
            return None

    def marker(self, query: str, generation: str | None = None) -> Callable[[str], list[tuple[int, int]]]:
        """Return what finds the words of a query in a text; nothing if no index can be used."""
        if not query.strip():
            return lambda text: []
        for name in dict.fromkeys((generation or None, None)):  # the one that found the video may be gone
            try:
                return self.searchers.get(name).marker(query)
            except UserError as error:
                log.warning("the words of a query are not marked: %s", error)
        return lambda text: []

    def knows_lists(self) -> bool:
        """Return whether it is known of some video when the person met it."""
        searcher = self.searchers.answering()
        return searcher is not None and len(searcher.generation.metadata.encounters) > 0

    def suggest(self, query: str, k: int = 8) -> list[Suggestion]:
        """Return the query with its last word completed: a creator after @, a hashtag after #, a list after in:, else a
        word of the corpus. Those in the most videos come first.

        Raises:
            RetrievalError, WeightsError: there is no index yet.
        """
        generation = self.searchers.get().generation
        if in_list := _IN_LIST.search(query):
            begun = generation.metadata.encounters.begins_with(in_list[2])
            named = [(f"{query[: in_list.end('in')]}{operator_value(one.list, one.name)}", one.videos) for one in begun]
            return [Suggestion(query=completed, videos=videos) for completed, videos in named[:k]]
        before, space, typed = query.rpartition(" ")
        sign, start = (typed[0], typed[1:]) if typed[:1] in ("@", "#") else ("", typed)
        if not start:
            return []
        hidden = [generation.positions[video] for video in hidden_videos(self.data) if video in generation.positions]
        shown = generation.alive.copy()
        shown[hidden] = False
        match sign:
            case "@":
                found = generation.metadata.creators_from(start, k, shown)
            case "#":
                found = generation.metadata.tags_from(start, k, shown)
            case _:
                found = generation.phrases.words_from(start, k, hidden)
        return [Suggestion(query=f"{before}{space}{sign}{word}", videos=videos) for word, videos in found]

    def facets(self, generation: str | None = None) -> Facets:
        """Return the values that filters can take in a generation; none if there is no index yet.

        Raises:
            RetrievalError, WeightsError: the index cannot be used.
            UnknownGeneration: none has this name.
        """
        if generation is None and not generation_names(self.indexes):
            return Facets(lists=[], sources=[], languages=[])
        searcher = self.searchers.get(generation)
        return facets_of(searcher)

    def building(self) -> bool:
        """Return whether a generation is being built, or a build was killed and none has finished since."""
        return build_running(self.indexes)

    # -- videos --

    def entry(self, video_id: str) -> Entry:
        """Return the catalog's entry of a video.

        Raises:
            UnknownVideo: no video has this id, or it is not a valid id.
            CatalogError: the catalog cannot be used.
        """
        if re.fullmatch(VIDEO_ID, video_id):
            with Catalog(self.data, read_only=True) as catalog:
                if entry := catalog.get(video_id):
                    return entry
        raise UnknownVideo("No video in the catalog has this id.")

    def _is_there(self, video_id: str) -> bool:
        try:
            return bool(self.entry(video_id))
        except (UnknownVideo, CatalogError):
            return False

    def entries(self, ids: Iterable[str]) -> Iterator[Entry]:
        """Yield the entries of `ids`, one at a time and in any thread, without those that are gone."""
        for video_id in ids:
            with contextlib.suppress(UnknownVideo, BadEntry):
                yield self.entry(video_id)

    def summary(self, video_id: str) -> VideoSummary:
        """Return what a result shows of a video.

        Raises:
            UnknownVideo, CatalogError: as `entry`.
        """
        return self._summary(self.entry(video_id))

    def summaries(self, ids: Iterable[str]) -> dict[str, VideoSummary]:
        """Return what results show of videos, without those that are gone or damaged."""
        with Catalog(self.data, read_only=True) as catalog:
            return {entry.video.id: self._summary(entry) for entry in catalog.entries(ids, whole=False)}

    def detail(self, video_id: str) -> VideoDetail:
        """Return all that the catalog knows of a video.

        Raises:
            UnknownVideo, CatalogError: as `entry`.
        """
        entry = self.entry(video_id)
        return VideoDetail(
            record=entry.video,
            texts={kind: TextDetail(**vars(text)) for kind, text in entry.texts.items()},
            states=entry.states,
            notes=entry.notes,
            languages={name: list(codes) for name, codes in entry.languages.items()},
            media=[
                MediaDetail(
                    kind=media.kind,
                    position=media.position,
                    url=self.media.url(video_id, media),
                    bytes=media.bytes,
                    sha256=media.sha256,
                )
                for media in entry.media
            ],
            frames=self.seen_pictures.frames(video_id),
        )

    def picture(self, video_id: str, sha256: str) -> bytes | None:
        """Return a picture of what a video shows, as WebP, or None if it has no such one.

        Raises:
            UnknownVideo, CatalogError: as `entry`.
        """
        self.entry(video_id)
        return self.seen_pictures.webp(video_id, sha256)

    def _found(self, hits: Sequence[Hit]) -> list[FoundHit]:
        entries: dict[str, Entry] = {}
        ids = [hit.id for hit in hits]
        try:
            with Catalog(self.data, read_only=True) as catalog:
                entries = {entry.video.id: entry for entry in catalog.entries(ids, whole=False)}
        except (CatalogError, sqlite3.Error) as error:
            log.warning("results have no descriptions: %s", error)
        return [
            FoundHit(**dict(hit), video=self._summary(entries[hit.id]) if hit.id in entries else None)
            for hit in self.seen_pictures.placed(hits)
        ]

    def _summary(self, entry: Entry) -> VideoSummary:
        video, file = entry.video, entry.file("video")
        video_url = self.media.url(video.id, file)
        slides = [self.media.url(video.id, media) for media in entry.media if media.kind == "slide"]
        length = duration_s(file.path, file.sha256) if file and video_url else None
        pictured = self.thumbnails.source(entry)
        return VideoSummary(
            permalink=video.permalink,
            creator=video.creator_username,
            nickname=video.creator_nickname,
            description=video.description,
            file_name=video.file_name,
            posted=video.posted,
            likes=video.likes,
            comment_count=video.comment_count,
            music=video.music_title if music_of(video) else "",
            hashtags=video.hashtags,
            has_video=video_url is not None,
            duration_s=length or video.duration_s,
            video_url=video_url,
            cover_url=self.media.url(video.id, entry.file("cover")),
            slide_urls=[url for url in slides if url],
            thumbnail_url=self.media.made_url(video.id, "thumbnail", pictured),
            frames_url=self.media.made_url(video.id, "frames", file) if length else None,
            frame_times=frame_times(length) if length else [],
            encounters=entry.encounters[::-1][:MAX_ENCOUNTERS],
        )

    # -- judgements --

    def judge(self, query: str, video_id: str, time_s: float | None = None, generation: str = "") -> Judgement:
        """Store that this video is relevant for a query, found with `generation` or else the current one.

        Raises:
            NoSuchVideo: the catalog does not have it.
            CatalogError: the catalog cannot be used.
        """
        answering = self.searchers.answering()
        if not generation and answering:
            generation = answering.generation.name
        with Catalog(self.data, busy_s=WAIT_S) as catalog:
            return catalog.judgements.add(query, video_id, time_s, generation)

    def delete_judgement(self, number: int) -> bool:
        """Delete a judgement; return whether there was one."""
        with Catalog(self.data, busy_s=WAIT_S) as catalog:
            return catalog.judgements.delete(number)

    def judgements(self, limit: int = -1, offset: int = 0) -> list[Judgement]:
        """Return the judgements, newest first."""
        with Catalog(self.data, read_only=True) as catalog:
            return catalog.judgements.all(limit, offset)

    def judged(self, query: str) -> dict[str, int]:
        """Return the videos judged relevant for a query, with the numbers of the judgements."""
        with Catalog(self.data, read_only=True) as catalog:
            return catalog.judgements.of(query)

    def judgement_queries(self) -> list[dict[str, object]]:
        """Return the judgements as a query file: those with the same words become one query with several targets."""
        queries: dict[str, tuple[str, dict[str, None]]] = {}
        for judgement in reversed(self.judgements()):
            if not judgement.query.split():
                continue  # stored by an earlier version; a query file may not hold it
            key = " ".join(judgement.query.casefold().split())
            _, targets = queries.setdefault(key, (judgement.query, {}))
            targets[judgement.video_id] = None
        return [
            {"id": f"j{number}", "text": text, "target": list(targets)}
            for number, (text, targets) in enumerate(queries.values(), start=1)
        ]
