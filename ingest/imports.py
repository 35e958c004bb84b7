"""A source of records -> the catalogue: records, the texts that came with them, and their local files taken over."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalog import Catalog, Media, MediaKind, Outcome
from scraper.sources import Found, Problem, read

BATCH = 200  # records a transaction: a killed import loses at most these, and the next one takes them again


@dataclass
class ImportReport:
    """What an import did, in records; `texts` and `media` count what was entered or changed."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    texts: int = 0
    media: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def records(self) -> int:
        return self.new + self.updated + self.unchanged + self.older

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
    with catalog.transaction():
        for found in batch:
            video_id = found.video.id
            report.count(catalog.put_video(found.video))
            for kind, text in found.texts.items():
                report.texts += catalog.import_text(video_id, kind, text)
            entry = catalog.get(video_id)
            known = {(m.kind, m.position): m for m in entry.media} if entry else {}
            for kind_, position, path in found.files:
                if _same_file(known.get((kind_, position)), path):
                    continue
                try:
                    target = _take_over(catalog, video_id, kind_, position, path)
                except OSError as error:
                    report.problems.append(Problem(str(path), None, f"cannot be taken over: {error.strerror}"))
                    continue
                report.media += catalog.put_media(video_id, kind_, target, "imported", position=position)


def _same_file(media: Media | None, path: Path) -> bool:
    """Whether `path` is what was taken over before: the same inode, or a copy of the same size and time."""
    if media is None or not media.path.is_file():
        return False
    old, new = media.path.stat(), path.stat()
    return (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def _take_over(catalog: Catalog, video_id: str, kind: MediaKind, position: int, path: Path) -> Path:
    """Link a file into the data folder, or copy it where the file system cannot link; atomic either way."""
    folder = catalog.media_folder(video_id)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"slide_{position + 1:02}" if kind == "slide" else kind
    target = folder / f"{stem}{path.suffix.lower()}"
    aside = folder / f".{target.name}.{os.getpid()}"
    aside.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), aside)
    except OSError:
        shutil.copy2(path, aside)
    aside.replace(target)
    return target
