"""The download stage: links of a record -> files on disk, and captions -> transcripts with times.

If links are dead, the video's page gives fresh ones. It also gives what a record that is only a link lacks. Worker
threads wait for servers; only the calling thread writes to the catalog.
"""

import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ingest.catalog import CatalogError, Entry
from ingest.catalog.entries import READ_BY
from ingest.catalog.merge import merge
from ingest.settings import Settings
from ingest.speech.caption_transcript import TRANSLATED, CaptionTranscript, transcript
from ingest.stages.media_files import MediaKey, damaged, missing
from ingest.stages.refusals import Streak
from ingest.stages.stage_run import StageRun
from scraper import captions, record_formats, refresh
from scraper.disk import concerns_all
from scraper.download import DownloadError, Fetcher, Link, Rules, sweep
from scraper.records import Caption, Video

FETCHES = 16  # videos at once, to hide waiting times; Fetcher limits the transfers per host
PAGES = 2  # pages read at once: each needs a process, and the site blocks clients that send many requests
PAUSE_S = 0.75  # between two pages, for the same reason; as yt-dlp's preset for polite downloads (`-t sleep`)
MAX_TRACKS = 3  # caption tracks tried for a video


def rules(settings: Settings) -> Rules:
    """Which links the downloader may follow: those to the site's hosts, and to hosts that the user adds."""
    added = tuple(host for host in settings.download_hosts.replace(",", " ").split() if host)
    return Rules(Rules().hosts + added, http=settings.download_http, local=settings.download_local)


@dataclass
class _Fetched:
    """The result of one video's download."""

    files: dict[MediaKey, Path] = field(default_factory=dict)
    failed: dict[MediaKey, DownloadError] = field(default_factory=dict)
    page: DownloadError | Literal["read", "not read"] = "not read"
    record: Video | None = None  # read from the page
    transcript: CaptionTranscript | None = None
    damaged: set[MediaKey] = field(default_factory=set)  # before


def download_due(run: StageRun, settings: Settings) -> None:
    """Download the missing files of every video that is due.

    Raises:
        Refused: the site refuses all requests. The remaining videos stay due.
        DiskError: no file can be written.
    """
    streak: Streak[tuple[str, _Fetched]] = Streak()
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
                        sweep(folder)  # leftovers of a killed run: this one holds the lock
                    except (CatalogError, OSError) as error:
                        if known := concerns_all(error, run.catalog.data):
                            raise known from error
                        run.fail(video_id, str(DownloadError("target")))
                        continue
                    waiting[pool.submit(worker.fetch, entry, folder)] = video_id
                if not waiting:
                    break
                for job in wait(waiting, return_when=FIRST_COMPLETED).done:
                    _take(run, streak, waiting.pop(job), job)
            for video_id, fetched in streak.end():
                _close(run, video_id, fetched)
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _take(run: StageRun, streak: Streak[tuple[str, _Fetched]], video_id: str, job: Future[_Fetched]) -> None:
    """Write the result of a video, or hold it back while it is unclear whether the site refuses all.

    Raises:
        Refused: it does.
    """
    try:
        fetched = job.result()
    except Exception as unforeseen:  # an error that a hostile answer causes in a library: only its item fails
        run.unforeseen(video_id, unforeseen)
        return
    if isinstance(fetched.page, DownloadError) and streak.hold(fetched.page.code, (video_id, fetched)):
        return
    if fetched.page != "not read":
        for earlier_id, earlier in streak.end():
            _close(run, earlier_id, earlier)
    _close(run, video_id, fetched)


def _close(run: StageRun, video_id: str, fetched: _Fetched) -> None:
    """Write the result of a video."""
    catalog = run.catalog
    for key, path in fetched.files.items():  # hashed outside of the transaction
        catalog.put_media(video_id, key.kind, path, "downloaded", position=key.position)
    with catalog.transaction():
        if fetched.record and run.is_current(video_id):
            catalog.put_video(fetched.record)
            run.rebaseline(video_id)
        if fetched.transcript:
            catalog.put_captions(video_id, fetched.transcript.text, fetched.transcript.damage)
        for key in fetched.files:
            catalog.ledger.put_file(video_id, *key)
            for stage in READ_BY[key.kind] if key in fetched.damaged else ():
                catalog.ledger.retry(stage, [video_id])
        for key, error in fetched.failed.items():
            catalog.ledger.put_file(video_id, *key, error.code, error.sentence)
        # captions that are gone are not a failure, because Whisper can transcribe; temporary server trouble is
        lost = {
            key: error
            for key, error in fetched.failed.items()
            if key.kind != "caption" or not (error.dead or fetched.transcript)
        }
        errors = [f"{key.label}: {error}" for key, error in lost.items()][:1]
        if isinstance(fetched.page, DownloadError):
            catalog.ledger.put_file(video_id, "page", 0, fetched.page.code, fetched.page.sentence)
            errors.append(f"page: {fetched.page}")
        elif fetched.page == "read":
            catalog.ledger.put_file(video_id, "page", 0)
        else:
            catalog.ledger.drop_file(video_id, "page", 0)
        if errors:
            run.fail(video_id, "; ".join(errors))
        else:
            run.done(video_id)


class _Worker:
    """Downloads all files of one video. Several threads use it."""

    def __init__(self, fetcher: Fetcher, stopped: threading.Event) -> None:
        self._fetcher, self._stopped = fetcher, stopped
        self._pages: queue.SimpleQueue[float] = queue.SimpleQueue()  # for each page at once, when the next may begin
        for _ in range(PAGES):
            self._pages.put(0.0)

    def fetch(self, entry: Entry, folder: Path) -> _Fetched:
        """Download the files of a video, and ask its page for fresh links if some are dead."""
        fetched = _Fetched(damaged=damaged(entry))
        wanted = missing(entry)
        for key, links in wanted.items():
            self._try(fetched, key, links, folder, {})
        for key in fetched.damaged.difference(wanted):
            fetched.failed[key] = DownloadError("damaged")
        self._captions(fetched, entry, folder, {})
        if _needs_page(fetched, entry) and entry.video.has_page:
            entry, headers = self._read_page(fetched, entry)
            if fetched.record:
                for key, links in missing(entry).items():
                    if key not in fetched.files:
                        self._try(fetched, key, links, folder, headers)
                self._captions(fetched, entry, folder, headers)
                if _lacks_speech(fetched, entry):
                    fetched.failed.setdefault(MediaKey("video", 0), DownloadError("nolink"))
        return fetched

    def _try(
        self,
        fetched: _Fetched,
        key: MediaKey,
        links: list[str],
        folder: Path,
        headers: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Download one file. The result of the last try counts."""
        fetched.failed.pop(key, None)
        try:
            with_headers = [Link(link, headers.get(link, {})) for link in links]
            fetched.files[key] = self._fetcher.fetch(with_headers, folder / key.stem, key.kind).path
        except DownloadError as error:
            fetched.failed[key] = error

    def _read_page(self, fetched: _Fetched, entry: Entry) -> tuple[Entry, dict[str, Mapping[str, str]]]:
        """The entry with the data of its page, and the headers that the page's links need; none if the page fails."""
        video = entry.video
        try:
            page = self._page(video)
            record = Video.model_validate(record_formats.yt_dlp(page.info))
        except refresh.RefreshError as error:
            fetched.page = error
            return entry, {}
        except (ValueError, TypeError):
            fetched.page = refresh.RefreshError("page", "its output has an unknown format")
            return entry, {}
        fetched.page, fetched.record = "read", record
        links = [*record.video_sources, *record.cover_sources, *record.slide_sources]
        links += [caption.url for caption in record.captions]
        return replace(entry, video=merge([record, video])), {link: page.headers(link) for link in links}

    def _page(self, video: Video) -> refresh.Page:
        begin_at = self._pages.get()
        self._stopped.wait(max(0.0, begin_at - time.monotonic()))
        try:
            return refresh.page(video.id, video.creator_username, cancelled=self._stopped)
        finally:
            self._pages.put(time.monotonic() + PAUSE_S)

    def _captions(
        self, fetched: _Fetched, entry: Entry, folder: Path, headers: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Make the first whole caption track that can be downloaded the transcript, if there is none yet.

        If all are damaged, the first of them stands in until the video is transcribed.
        """
        if _has_transcript(fetched, entry):
            return
        for position, track in _tracks(entry.video.captions, translated=not _has_video(fetched, entry)):
            key = MediaKey("caption", position)
            self._try(fetched, key, [track.url], folder, headers)
            if path := fetched.files.get(key):
                try:
                    read = transcript(path, track.language, track.source)
                except captions.CaptionError:
                    del fetched.files[key]
                    path.unlink()
                    fetched.failed[key] = DownloadError("type")
                    continue
                if not read.damage:
                    fetched.transcript = read
                    return
                fetched.transcript = fetched.transcript or read


def _needs_page(fetched: _Fetched, entry: Entry) -> bool:
    """Whether a file is missing because its links are dead, or because there is no link."""
    dead = any(error.dead for key, error in fetched.failed.items() if key.kind != "caption")
    return dead or _lacks_speech(fetched, entry)


def _lacks_speech(fetched: _Fetched, entry: Entry) -> bool:
    """Whether there is no source of a transcript: no video, no captions, and it is not a photo post."""
    return not (_has_video(fetched, entry) or _has_transcript(fetched, entry) or entry.video.slide_sources)


def _has_video(fetched: _Fetched, entry: Entry) -> bool:
    return entry.file("video") is not None or MediaKey("video", 0) in fetched.files


def _has_transcript(fetched: _Fetched, entry: Entry) -> bool:
    known = entry.texts.get("transcript")
    whole = fetched.transcript is not None and not fetched.transcript.damage
    return whole or (known is not None and known.text is not None)


def _tracks(tracks: list[Caption], *, translated: bool) -> list[tuple[int, Caption]]:
    """The tracks to try, with their positions: first those in the spoken language, as far as known.

    Translated ones come last, or not at all if Whisper can transcribe the original. The same holds for tracks in
    several languages of unknown origin (yt-dlp does not give it).
    """
    numbered = [(number, track) for number, track in enumerate(tracks) if track.url]
    known = [pair for pair in numbered if pair[1].source and pair[1].source.upper() != TRANSLATED]
    unknown = [pair for pair in numbered if not pair[1].source]
    alone = len({track.language for _, track in numbered}) == 1
    rest = [pair for pair in numbered if pair not in known] if translated else unknown if alone and not known else []
    return (known + rest)[:MAX_TRACKS]
