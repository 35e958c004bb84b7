"""A source of records -> the catalogue: records, the texts that came with them, and their local files taken over."""

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalog import Catalog, Media, MediaKind, Outcome
from ingest.downloads import TRANSLATED, Place, transcript
from scraper.captions import CaptionError
from scraper.sniff import HEAD_BYTES, sniff
from scraper.sources import Found, Problem, read

BATCH = 200  # records a transaction: a killed import loses at most these, and the next one takes them again


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


def import_source(catalog: Catalog, source: Path, *, progress: bool = False) -> ImportReport:
    """Take every record of `source`; running it again changes nothing.

    Raises:
        scraper.sources.SourceError: nothing readable is there.
    """
    from tqdm import tqdm

    report = ImportReport()
    batch: list[Found] = []
    for found in tqdm(read(source), desc=f"import {source}", unit=" records", disable=not progress):
        if isinstance(found, Problem):
            report.problems.append(found)
            continue
        batch.append(found)
        if len(batch) >= BATCH:
            _take(catalog, batch, report)
            batch = []
    _take(catalog, batch, report)
    return report


def _take(catalog: Catalog, batch: list[Found], report: ImportReport) -> None:
    stored: list[Found] = []
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
        report.media += _take_files(catalog, found, report)
        _take_captions(catalog, found, report)


def _take_files(catalog: Catalog, found: Found, report: ImportReport) -> int:
    """Take over the files of a record whose content the catalogue does not have yet; how many."""
    entry = catalog.get(found.video.id) if found.files else None
    known = {(media.kind, media.position): media for media in entry.media} if entry else {}
    taken = 0
    for kind, position, path in found.files:
        try:
            if not _same_content(known.get((kind, position)), path):
                own = _take_over(catalog, found.video.id, kind, position, path)
                taken += catalog.put_media(found.video.id, kind, own, "imported", position=position)
        except OSError as error:
            report.problems.append(Problem(str(path), None, f"cannot be taken over: {error.strerror}"))
    return taken


def _take_captions(catalog: Catalog, found: Found, report: ImportReport) -> None:
    """Take over caption files beside a record; one in the language spoken is the transcript where there is none."""
    spoken = _spoken(found)
    for position, (language, path) in enumerate(found.captions):
        try:
            read = transcript(path, language, "")
            entry = catalog.get(found.video.id)
            known = {media.position: media for media in entry.media if media.kind == "caption"} if entry else {}
            if not _same_content(known.get(position), path):
                own = _take_over(catalog, found.video.id, "caption", position, path)
                report.media += catalog.put_media(found.video.id, "caption", own, "imported", position=position)
            text = entry.texts.get("transcript") if entry else None
            if language in spoken and (text is None or text.text is None):
                catalog.put_text(found.video.id, "transcript", read)
                report.texts += 1
        except CaptionError as error:
            report.problems.append(Problem(str(path), None, str(error)))
        except OSError as error:
            report.problems.append(Problem(str(path), None, f"cannot be taken over: {error.strerror}"))


def _spoken(found: Found) -> set[str]:
    """The languages of caption files that are no translations, as far as can be told: of several files nothing says
    which one is, unless the record does."""
    languages = {language for language, _ in found.captions}
    if len(languages) == 1:
        return languages
    known = {track.language for track in found.video.captions if track.source and track.source.upper() != TRANSLATED}
    return languages & known


def _same_content(media: Media | None, path: Path) -> bool:
    """Whether the catalogue's row and its file are of what `path` holds now."""
    if media is None or not media.path.is_file() or media.bytes != path.stat().st_size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == media.sha256


def _take_over(catalog: Catalog, video_id: str, kind: MediaKind, position: int, path: Path) -> Path:
    """Link a file into the data folder, or copy it where the file system cannot link; atomic either way."""
    folder = catalog.media_folder(video_id)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file:  # yt-dlp calls any cover .image; what it is, the bytes say
        suffix = sniff(file.read(HEAD_BYTES), kind) or path.suffix.lower()
    target = folder / f"{Place(kind, position).stem}{suffix}"
    aside = folder / f".{target.name}.{os.getpid()}"
    aside.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), aside)
    except OSError:
        shutil.copy2(path, aside)
    aside.replace(target)
    return target
