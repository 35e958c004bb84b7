"""The download stage: files that a record has links for -> files on disk; captions -> transcripts with times.

Links that are dead are got afresh from the video's own page, which also fills in what a record of a mere link lacks.
Worker threads wait for servers, the caller's thread alone writes to the catalogue.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ingest.catalog import CatalogError
from ingest.catalog.entries import Entry, Text
from ingest.catalog.merge import merge
from ingest.settings import Settings
from ingest.speech.captions import TRANSLATED, transcript
from ingest.stages.media_files import MediaKey, missing
from ingest.stages.stage_run import DISK, StageRun
from scraper import captions, readers, refresh
from scraper.download import DownloadError, Fetcher, Link, Rules, sweep
from scraper.records import Caption, Video

FETCHES = 16  # videos at once: enough to hide the waiting; a host is asked for a few files at a time (see Fetcher)
PAGES = 2  # pages asked for fresh links at once: each is a process, and the site turns eager visitors away
MAX_TRACKS = 3  # caption tracks tried for a video


def rules(settings: Settings) -> Rules:
    """What the downloader may ask: the site's own hosts, and what the user adds."""
    added = tuple(host for host in settings.download_hosts.replace(",", " ").split() if host)
    return Rules(Rules().hosts + added, http=settings.download_http, local=settings.download_local)


@dataclass
class _Fetched:
    """What one video's download came to."""

    came: dict[MediaKey, Path] = field(default_factory=dict)
    failed: dict[MediaKey, DownloadError] = field(default_factory=dict)
    page: DownloadError | Literal["asked", "not asked"] = "not asked"
    record: Video | None = None  # what the page told
    transcript: Text | None = None


def download(run: StageRun, settings: Settings) -> None:
    """Fetch what is missing for every video that is due.

    Raises:
        OSError: the disk refuses files.
    """
    stopped = threading.Event()
    worker = _Worker(Fetcher(rules(settings), stopped, root=run.catalog.data), stopped)
    entries = run.entries()
    waiting: dict[Future[_Fetched], str] = {}
    with ThreadPoolExecutor(FETCHES) as pool:
        try:
            while True:
                while len(waiting) < 2 * FETCHES and (pair := next(entries, None)):
                    video_id, entry = pair
                    try:
                        folder = run.catalog.media_folder(video_id)
                        sweep(folder)  # leftovers of a run that was killed: this one holds the lock
                    except (CatalogError, OSError) as error:
                        if isinstance(error, OSError) and error.errno in DISK:
                            raise
                        run.fail(video_id, str(DownloadError("target")))
                        continue
                    waiting[pool.submit(worker.fetch, entry, folder)] = video_id
                if not waiting:
                    return
                for job in wait(waiting, return_when=FIRST_COMPLETED).done:
                    _close(run, waiting.pop(job), job)
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _close(run: StageRun, video_id: str, job: Future[_Fetched]) -> None:
    """Write down what became of a video."""
    try:
        fetched = job.result()
    except Exception as unforeseen:  # what a hostile answer brings out in a library: its own item's failure
        if isinstance(unforeseen, OSError) and unforeseen.errno in DISK:
            raise
        run.fail(video_id, f"{type(unforeseen).__name__}: {unforeseen}")
        return
    catalog = run.catalog
    for place, path in fetched.came.items():  # hashed outside the transaction
        catalog.put_media(video_id, place.kind, path, "downloaded", position=place.position)
    with catalog.transaction():
        if fetched.record and run.is_current(video_id):
            catalog.put_video(fetched.record)
            run.rebaseline(video_id)
        if fetched.transcript:
            catalog.put_text(video_id, "transcript", fetched.transcript)
        for place in fetched.came:
            catalog.ledger.put_file(video_id, *place)
        for place, error in fetched.failed.items():
            catalog.ledger.put_file(video_id, *place, error.code, error.sentence)
        # captions that cannot be had are no failure, for Whisper can listen; a server's passing trouble is
        lost = {
            place: error
            for place, error in fetched.failed.items()
            if place.kind != "caption" or not (error.dead or fetched.transcript)
        }
        errors = [f"{place.label}: {error}" for place, error in lost.items()][:1]
        if isinstance(fetched.page, DownloadError):
            catalog.ledger.put_file(video_id, "page", 0, fetched.page.code, fetched.page.sentence)
            errors.append(f"page: {fetched.page}")
        elif fetched.page == "asked":
            catalog.ledger.put_file(video_id, "page", 0)
        else:
            catalog.ledger.drop_file(video_id, "page", 0)
        if errors:
            run.fail(video_id, "; ".join(errors))
        else:
            run.done(video_id)


class _Worker:
    """Fetches all of one video; used by several threads."""

    def __init__(self, fetcher: Fetcher, stopped: threading.Event) -> None:
        self._fetcher, self._stopped = fetcher, stopped
        self._pages = threading.Semaphore(PAGES)

    def fetch(self, entry: Entry, folder: Path) -> _Fetched:
        fetched = _Fetched()
        for place, links in missing(entry).items():
            self._try(fetched, place, links, folder, {})
        self._captions(fetched, entry, folder, {})
        if _needs_page(fetched, entry) and entry.video.has_page:
            entry, headers = self._ask_page(fetched, entry)
            if fetched.record:
                for place, links in missing(entry).items():
                    if place not in fetched.came:
                        self._try(fetched, place, links, folder, headers)
                self._captions(fetched, entry, folder, headers)
                if _is_mute(fetched, entry):
                    fetched.failed.setdefault(MediaKey("video", 0), DownloadError("nolink"))
        return fetched

    def _try(
        self,
        fetched: _Fetched,
        place: MediaKey,
        links: list[str],
        folder: Path,
        headers: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Fetch one file; what its last try comes to is what counts."""
        fetched.failed.pop(place, None)
        try:
            asked = [Link(link, headers.get(link, {})) for link in links]
            fetched.came[place] = self._fetcher.fetch(asked, folder / place.stem, place.kind).path
        except DownloadError as error:
            fetched.failed[place] = error

    def _ask_page(self, fetched: _Fetched, entry: Entry) -> tuple[Entry, dict[str, Mapping[str, str]]]:
        """The entry with what its page tells, and the headers that the page's links want; none where it fails."""
        video = entry.video
        try:
            with self._pages:
                page = refresh.page(video.id, video.creator_username, cancelled=self._stopped)
            record = Video.model_validate(readers.yt_dlp(page.info))
        except refresh.RefreshError as error:
            fetched.page = error
            return entry, {}
        except (ValueError, TypeError):
            fetched.page = refresh.RefreshError("page", "what it tells has an unknown form")
            return entry, {}
        fetched.page, fetched.record = "asked", record
        links = [*record.video_sources, *record.cover_sources, *record.slide_sources]
        links += [caption.url for caption in record.captions]
        return replace(entry, video=merge([record, video])), {link: page.headers(link) for link in links}

    def _captions(
        self, fetched: _Fetched, entry: Entry, folder: Path, headers: Mapping[str, Mapping[str, str]]
    ) -> None:
        """The first caption track that can be had becomes the transcript, where there is none yet."""
        if _has_transcript(fetched, entry):
            return
        for position, track in _tracks(entry.video.captions, translated=not _has_video(fetched, entry)):
            place = MediaKey("caption", position)
            self._try(fetched, place, [track.url], folder, headers)
            if path := fetched.came.get(place):
                try:
                    fetched.transcript = transcript(path, track.language, track.source)
                    return
                except captions.CaptionError:
                    del fetched.came[place]
                    path.unlink()
                    fetched.failed[place] = DownloadError("type")


def _needs_page(fetched: _Fetched, entry: Entry) -> bool:
    """Whether a file is lost by dead links, or by none at all."""
    dead = any(error.dead for place, error in fetched.failed.items() if place.kind != "caption")
    return dead or _is_mute(fetched, entry)


def _is_mute(fetched: _Fetched, entry: Entry) -> bool:
    """Whether nothing of it can be heard: no video, no transcript, and it is no photo post."""
    return not (_has_video(fetched, entry) or _has_transcript(fetched, entry) or entry.video.slide_sources)


def _has_video(fetched: _Fetched, entry: Entry) -> bool:
    return entry.file("video") is not None or MediaKey("video", 0) in fetched.came


def _has_transcript(fetched: _Fetched, entry: Entry) -> bool:
    known = entry.texts.get("transcript")
    return fetched.transcript is not None or (known is not None and known.text is not None)


def _tracks(tracks: list[Caption], *, translated: bool) -> list[tuple[int, Caption]]:
    """The tracks to try, with their positions: those in the language spoken, as far as can be told.

    Translated ones come last, or not at all: Whisper can hear the original. So do those of several languages of which
    nobody knows what made them (yt-dlp does not tell).
    """
    numbered = [(number, track) for number, track in enumerate(tracks) if track.url]
    known = [pair for pair in numbered if pair[1].source and pair[1].source.upper() != TRANSLATED]
    unknown = [pair for pair in numbered if not pair[1].source]
    alone = len({track.language for _, track in numbered}) == 1
    rest = [pair for pair in numbered if pair not in known] if translated else unknown if alone and not known else []
    return (known + rest)[:MAX_TRACKS]
