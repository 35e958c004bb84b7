"""Searchers, catalog and judgements -> what the page and the API show."""

import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.entries import Entry
from ingest.catalog.judgements import Judgement
from ingest.catalog.reader import BadEntry
from ingest.catalog.removals import Removal
from ingest.language_names import name_of
from retrieval.corpus.removal import Eraser, hidden_videos
from retrieval.errors import TooLateToUndo, UnknownVideo
from retrieval.index.generation import build_running, generation_names
from retrieval.search.answer import Answer, Hit, Sort
from retrieval.search.conditions import Condition
from retrieval.search.encoders import SharedEncoders
from retrieval.search.fusion import Method, Mode
from retrieval.search.lists import operator_value
from retrieval.server.media import MediaFiles, duration_s
from retrieval.server.schemas import (
    Facets,
    FoundHit,
    LanguageFacet,
    ListFacet,
    MediaDetail,
    SearchAnswer,
    SourceFacet,
    Suggestion,
    TextDetail,
    VideoDetail,
    VideoSummary,
)
from retrieval.server.searchers import Searchers
from retrieval.server.trial import Trial
from scraper.links import VIDEO_ID

log = logging.getLogger(__name__)
MAX_ENCOUNTERS = 1_000  # in a summary
_IN_LIST = re.compile(r'(?P<in>(?:^|\s)-?in:)"?([^"]*)$', re.IGNORECASE)
JUDGING_S = 3.0  # how long a judgement waits for the database; somebody is waiting for the answer


class Service:
    """What page and API share.

    Args:
        on_search: called with the milliseconds by step of every search.
        base: the path that the API is served below, such as /corpus/study; it begins the addresses of media.
        shared: encoders that other corpora use as well.
    """

    def __init__(
        self,
        data: Path,
        indexes: Path,
        on_search: Callable[[Mapping[str, float]], None] | None = None,
        *,
        base: str = "",
        shared: SharedEncoders | None = None,
    ) -> None:
        self.data, self.indexes = data, indexes
        self.searchers, self.media = Searchers(indexes, shared), MediaFiles(data, base)
        self.eraser = Eraser(data, indexes)
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
    ) -> Answer:
        """Return the searcher's answer, in which hits are ids.

        Args:
            generation: the name of one that is not current.
            exact: whether misspelt words are not corrected.

        Raises:
            RetrievalError, WeightsError, CatalogError: index or catalog cannot be used.
            UnknownGeneration: none has this name.
        """
        found = self.searchers.get(generation).search(
            query,
            k,
            offset=offset,
            mode=mode,
            weights=weights,
            method=method,
            filters=filters,
            hidden=hidden_videos(self.data),
            sort=sort,
            exact=exact,
        )
        if self._on_search:
            self._on_search(found.timings_ms)
        note = "" if generation else self.searchers.note()
        return found.model_copy(update={"notes": [note, *found.notes]}) if note else found

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
        shown = np.ones(len(generation.ids), dtype=bool)
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
        """Return the lists and the sources of a generation's videos; none if there is no index yet.

        Raises:
            RetrievalError, WeightsError: the index cannot be used.
            UnknownGeneration: none has this name.
        """
        if generation is None and not generation_names(self.indexes):
            return Facets(lists=[], sources=[], languages=[])
        metadata = self.searchers.get(generation).generation.metadata
        return Facets(
            lists=[
                ListFacet(**vars(one), value=one.name if one.list == "collection" else one.list)
                for one in metadata.encounters.summaries
            ],
            sources=[SourceFacet(source=source, videos=videos) for source, videos in metadata.sources().most_common()],
            languages=[
                LanguageFacet(language=code, name=name_of(code), videos=videos) for code, videos in metadata.languages()
            ],
        )

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
        )

    def _found(self, hits: Sequence[Hit]) -> list[FoundHit]:
        entries: dict[str, Entry] = {}
        try:
            with Catalog(self.data, read_only=True) as catalog:
                entries = {entry.video.id: entry for entry in catalog.entries(hit.id for hit in hits)}
        except (CatalogError, sqlite3.Error) as error:
            log.warning("results have no descriptions: %s", error)
        return [
            FoundHit(**dict(hit), video=self._summary(entries[hit.id]) if hit.id in entries else None) for hit in hits
        ]

    def _summary(self, entry: Entry) -> VideoSummary:
        video, file = entry.video, entry.file("video")
        video_url = self.media.url(video.id, file)
        slides = [self.media.url(video.id, media) for media in entry.media if media.kind == "slide"]
        return VideoSummary(
            permalink=video.permalink,
            creator=video.creator_username,
            nickname=video.creator_nickname,
            description=video.description,
            file_name=video.file_name,
            posted=video.posted,
            likes=video.likes,
            comment_count=video.comment_count,
            music=video.music_title,
            hashtags=video.hashtags,
            has_video=video_url is not None,
            duration_s=duration_s(file.path, file.sha256) if file and video_url else None,
            video_url=video_url,
            cover_url=self.media.url(video.id, entry.file("cover")),
            slide_urls=[url for url in slides if url],
            encounters=entry.encounters[::-1][:MAX_ENCOUNTERS],
        )

    # -- removing --

    def remove(self, video_id: str) -> Removal:
        """Hide a video from now on. It is erased when the time to undo is over.

        Raises:
            UnknownVideo: the catalog does not have it, or it is removed already.
            CatalogError: the catalog cannot be used.
        """
        self.entry(video_id)
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
            catalog.removals.hide([video_id])
            removal = catalog.removals.of(video_id)
        assert removal
        self.eraser.wake()
        return removal

    def undo(self, video_id: str) -> None:
        """Bring a removed video back.

        Raises:
            UnknownVideo: it is not removed.
            TooLateToUndo: the time to undo is over.
            CatalogError: the catalog cannot be used.
        """
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
            if catalog.removals.undo([video_id]):
                return
            if catalog.removals.of(video_id):
                raise TooLateToUndo("The time to undo this is over: the video is erased.")
            raise UnknownVideo("No removed video has this id.")

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
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
            return catalog.judgements.add(query, video_id, time_s, generation)

    def delete_judgement(self, number: int) -> bool:
        """Delete a judgement; return whether there was one."""
        with Catalog(self.data, busy_s=JUDGING_S) as catalog:
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
