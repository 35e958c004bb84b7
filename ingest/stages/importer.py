"""A source of records -> the catalogue: records, the texts that came with them, and their local files taken over."""

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.entries import Entry, Media, MediaKind, Outcome
from ingest.progress import Progress, ProgressMode
from ingest.speech.captions import TRANSLATED, transcript
from ingest.stages.media_files import MediaKey
from scraper.captions import CaptionError
from scraper.sniff import HEAD_BYTES, SUFFIXES, sniff
from scraper.sources import ParsedRecord, Problem, read

BATCH = 200  # records a transaction: a killed import loses at most these, and the next one takes them again
# Of a file on its way into the data folder: `scraper.download.sweep` removes what a killed import left as it does its
# own. It is the same for every import, so that the next one takes its place; sweeping from here could hit a download.
ASIDE = f"{b'imported'.hex()}.part"


class _NotReadable(Exception):
    """A file is not of the kind that it is said to be."""


@dataclass
class ImportReport:
    """What an import did, in records; `texts` and `media` count what was entered or changed."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    texts: int = 0
    media: int = 0
    problems: list[Problem] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)


def import_source(catalog: Catalog, source: Path, *, progress: ProgressMode = "off") -> ImportReport:
    """Take every record of `source`; running it again changes nothing.

    Raises:
        scraper.sources.SourceError: nothing readable is there.
    """
    report = ImportReport()
    batch: list[ParsedRecord] = []
    for found in Progress("import", None, progress, unit="records").track(read(source)):
        if isinstance(found, Problem):
            report.problems.append(found)
            continue
        batch.append(found)
        if len(batch) >= BATCH:
            _take(catalog, batch, report)
            batch = []
    _take(catalog, batch, report)
    return report


def _take(catalog: Catalog, batch: list[ParsedRecord], report: ImportReport) -> None:
    stored: list[ParsedRecord] = []
    with catalog.transaction():
        for found in batch:
            video_id = found.video.id
            try:
                with catalog.transaction():
                    outcome = catalog.put_video(found.video)
                    texts = sum(catalog.import_text(video_id, kind, text) for kind, text in found.texts.items())
            except ValueError as error:
                report.problems.append(Problem(found.video.source, None, f"{video_id} cannot be stored: {error}"))
                continue
            report.count(outcome)
            report.texts += texts
            stored.append(found)
    # copying and hashing files takes long, and nobody else could write while a transaction is open
    for found in stored:
        entry = catalog.get(found.video.id) if found.files or found.captions else None
        if entry:
            for kind, position, path in found.files:
                _take_file(catalog, entry, MediaKey(kind, position), path, report)
            _take_captions(catalog, entry, found, report)


def _take_captions(catalog: Catalog, entry: Entry, found: ParsedRecord, report: ImportReport) -> None:
    """Take over caption files beside a record; one in the language spoken is the transcript where there is none."""
    spoken, known = _spoken(found), entry.texts.get("transcript")
    wanted = known is None or known.text is None
    for position, (language, path) in enumerate(found.captions):
        try:
            read = transcript(path, language, "")
        except CaptionError as error:
            report.problems.append(Problem(str(path), None, str(error)))
            continue
        except OSError as error:
            report.problems.append(Problem(str(path), None, f"cannot be taken over: {error.strerror}"))
            continue
        _take_file(catalog, entry, MediaKey("caption", position), path, report)
        if wanted and language in spoken:
            catalog.put_text(entry.video.id, "transcript", read)
            report.texts += 1
            wanted = False


def _spoken(found: ParsedRecord) -> set[str]:
    """The languages of caption files that are no translations, as far as can be told: of several files nothing says
    which one is, unless the record does."""
    languages = {language for language, _ in found.captions}
    if len(languages) == 1:
        return languages
    known = {track.language for track in found.video.captions if track.source and track.source.upper() != TRANSLATED}
    return languages & known


def _take_file(catalog: Catalog, entry: Entry, place: MediaKey, path: Path, report: ImportReport) -> None:
    """Take over a file, unless its content is what the catalogue has."""
    video_id = entry.video.id
    known = next((media for media in entry.media if (media.kind, media.position) == place), None)
    try:
        if _same_content(known, path):
            return
        own = _take_over(catalog.media_folder(video_id), place, path)
        report.media += catalog.put_media(video_id, place.kind, own, "imported", position=place.position)
    except _NotReadable as error:
        report.problems.append(Problem(str(path), None, str(error)))
    except OSError as error:
        report.problems.append(Problem(str(path), None, f"cannot be taken over: {error.strerror}"))


def _same_content(media: Media | None, path: Path) -> bool:
    """Whether the catalogue's row and its file are of what `path` holds now."""
    if media is None or not media.path.is_file() or media.bytes != path.stat().st_size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == media.sha256


def _take_over(folder: Path, place: MediaKey, path: Path) -> Path:
    """Link a file into the folder of its video, or copy it where the file system cannot link; atomic either way."""
    suffix = _suffix(path, place.kind)
    target, aside = folder / f"{place.stem}{suffix}", folder / f".{place.stem}.{ASIDE}"
    aside.unlink(missing_ok=True)
    try:
        try:
            os.link(path.resolve(), aside)
        except OSError:
            shutil.copy2(path, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)  # still there where the disk is full, or `target` is a link to the same file
    for other in set(SUFFIXES[place.kind]) - {suffix}:
        (folder / f"{place.stem}{other}").unlink(missing_ok=True)
    return target


def _suffix(path: Path, kind: MediaKind) -> str:
    """What a file is: the bytes say so (yt-dlp calls any cover .image), else its name, if decoders read such files."""
    with path.open("rb") as file:
        suffix = sniff(file.read(HEAD_BYTES), kind) or path.suffix.lower()
    if suffix not in SUFFIXES[kind]:
        what = {"video": "video", "caption": "caption file"}.get(kind, "picture")
        raise _NotReadable(f"is no {what} that can be read here")
    return suffix
