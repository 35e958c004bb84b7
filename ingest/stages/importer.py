"""A source of records -> the catalog: the records, their texts, and copies of their local files."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingest.catalog import Catalog, Entry, MediaKind
from ingest.catalog.entries import CAPTIONS, GIVEN, READ_BY, TEXT_OF_STAGE, Outcome
from ingest.catalog.media_damage import OTHER_CONTENT, OTHER_SIZE, content_damage
from ingest.progress import Progress, ProgressMode
from ingest.speech.caption_transcript import TRANSLATED, transcript
from ingest.stages.media_files import MediaKey
from ingest.stages.same_content import same_content
from scraper.captions import CaptionError
from scraper.disk import concerns_all, explain
from scraper.failures import FAILURES
from scraper.files import ChangedError, copy, fsync, sha256
from scraper.parse import Found
from scraper.sniff import HEAD_BYTES, SUFFIXES, sniff
from scraper.sources import ParsedRecord, Problem, Skipped, read

BATCH = 200  # records per transaction: a killed import loses at most these, and the next one imports them again
# The suffix of a file that is being copied into the data folder. It is the same for every import, so that the next one
# overwrites what a killed one left, and of the form that `scraper.download.sweep` removes. With the random names of
# `files.replace_atomically` leftovers would pile up, and sweeping here could remove the file of a running download.
PART_SUFFIX = f"{b'imported'.hex()}.part"


class _NotReadable(Exception):
    """A file has another type than expected."""


@dataclass
class ImportReport:
    """What an import did, in records. `texts`, `media` and `encounters` count new and changed ones.

    `skipped` counts the entries that are no videos; they are no problems.
    `repaired` counts files that were gone or damaged in the data folder and are whole again.
    `removed` counts records of videos that a person removed earlier; they stay away.
    """

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    texts: int = 0
    media: int = 0
    repaired: int = 0
    encounters: int = 0
    removed: int = 0
    ids: set[str] = field(default_factory=set)  # of the videos in the catalog that the records belong to
    problems: list[Problem] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Add one record."""
        match outcome:
            case "new":
                self.new += 1
            case "updated":
                self.updated += 1
            case "unchanged":
                self.unchanged += 1

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON: all but the ids."""
        return {name: value for name, value in asdict(self).items() if name != "ids"}


def import_source(
    catalog: Catalog, source: Path, *, again: bool = False, progress: ProgressMode = "off"
) -> ImportReport:
    """Import every record of `source`. To import it again changes nothing.

    Args:
        again: also import videos that were removed, and memberships of lists that were removed.

    Raises:
        scraper.sources.SourceError: there is nothing to read.
        scraper.disk.DiskError: the disk of the data folder is full, or no file can be opened or written there.
    """
    return import_records(catalog, Progress("import", None, progress, unit="records").track(read(source)), again=again)


def import_records(catalog: Catalog, records: Iterable[Found], *, again: bool = False) -> ImportReport:
    """Import records from any source. To import them again changes nothing. For `again` see `import_source`."""
    report = ImportReport()
    batch: list[ParsedRecord] = []
    for found in records:
        if isinstance(found, Problem):
            report.problems.append(found)
            continue
        if isinstance(found, Skipped):
            report.skipped.append(found)
            continue
        batch.append(found)
        if len(batch) >= BATCH:
            _import_batch(catalog, batch, report, again)
            batch = []
    _import_batch(catalog, batch, report, again)
    return report


def _import_batch(catalog: Catalog, batch: list[ParsedRecord], report: ImportReport, again: bool) -> None:
    stored: list[ParsedRecord] = []
    batch = same_content(catalog, batch, again)
    with catalog.transaction():
        if again:
            catalog.removals.again(found.video.id for found in batch)
        for found in batch:
            video_id = found.video.id
            if catalog.removals.of(video_id):
                report.removed += 1
                continue
            try:
                with catalog.transaction():
                    outcome = catalog.put_video(found.video)
                    texts = sum(catalog.import_text(video_id, kind, text) for kind, text in found.texts.items())
                    encounters = catalog.put_encounters(video_id, found.encounters) if found.encounters else 0
                    if found.origin:
                        catalog.put_origin(video_id, found.origin)
            except ValueError as error:
                report.problems.append(Problem(found.video.source, None, f"{video_id} cannot be stored: {error}"))
                continue
            report.ids.add(video_id)
            report.count(outcome)
            report.texts += texts
            report.encounters += encounters
            stored.append(found)
    # after the transaction: other processes cannot write during it, and copying and hashing files takes long
    for found in stored:
        entry = catalog.get(found.video.id) if found.files or found.captions else None
        if entry:
            for kind, position, path in found.files:
                _import_file(catalog, entry, MediaKey(kind, position), path, report)
            _import_captions(catalog, entry, found, report)


def _import_captions(catalog: Catalog, entry: Entry, found: ParsedRecord, report: ImportReport) -> None:
    """Import caption files. One in the spoken language becomes the transcript if there is none."""
    spoken, known = _spoken(found), entry.texts.get("transcript")
    partial = known is not None and known.engine == CAPTIONS and entry.states.get("transcribe") != "done"
    wanted = known is None or known.text is None or partial
    for position, (language, path) in enumerate(found.captions):
        try:
            read = transcript(path, language, "")
        except CaptionError as error:
            report.problems.append(Problem(str(path), None, str(error)))
            continue
        except OSError as error:
            _disk_problem(catalog, report, path, error)
            continue
        _import_file(catalog, entry, MediaKey("caption", position), path, report)
        if read.damage:
            report.problems.append(Problem(str(path), None, f"{read.damage}: Whisper transcribes the video instead"))
        if wanted and language in spoken:
            if known is None or known.text != read.text.text:
                catalog.put_captions(entry.video.id, read.text, read.damage)
                report.texts += 1
            wanted = False


def _spoken(found: ParsedRecord) -> set[str]:
    """The languages of caption files that are not translations, as far as known. A single file is taken as the
    original; of several, the record must say which ones are."""
    languages = {language for language, _ in found.captions}
    if len(languages) == 1:
        return languages
    known = {track.language for track in found.video.captions if track.source and track.source.upper() != TRANSLATED}
    return languages & known


def _import_file(catalog: Catalog, entry: Entry, key: MediaKey, path: Path, report: ImportReport) -> None:
    """Import a file, unless the catalog has the same content and its file is intact."""
    video_id = entry.video.id
    known = next((media for media in entry.media if (media.kind, media.position) == key), None)
    try:
        broken = content_damage(known) if known else ""
        if known and not broken and known.sha256 == sha256(path):
            if known.path.stat().st_nlink > 1:  # older versions linked files instead of copying them
                _copy(path, catalog.media_folder(video_id), key)
            return
        taken = _copy(path, catalog.media_folder(video_id), key)
        changed = catalog.put_media(video_id, key.kind, taken, "imported", position=key.position)
        report.media += changed
        if broken and not changed:
            report.repaired += 1
            _read_again(catalog, entry, key, broken)
    except (_NotReadable, ChangedError) as error:
        report.problems.append(Problem(str(path), None, str(error)))
    except OSError as error:
        _disk_problem(catalog, report, path, error)


def _disk_problem(catalog: Catalog, report: ImportReport, path: Path, error: OSError) -> None:
    """Report a file that could not be imported.

    Raises:
        DiskError: every other file would meet the same, as with a full disk.
    """
    if known := concerns_all(error, catalog.data):
        raise known from error
    reason = explain(error, catalog.data) or error.strerror or error
    report.problems.append(Problem(str(path), None, f"cannot be imported: {reason}"))


def _read_again(catalog: Catalog, entry: Entry, key: MediaKey, broken: str) -> None:
    """Make the stages due that may have read a damaged file, which is repaired now."""
    video_id = entry.video.id
    for stage in READ_BY[key.kind]:
        catalog.ledger.retry(stage, [video_id])
        text = entry.texts.get(TEXT_OF_STAGE[stage])
        if broken in (OTHER_SIZE, OTHER_CONTENT) and text and text.engine not in GIVEN:
            catalog.ledger.set(video_id, stage, "due")
    catalog.ledger.retry("download", [video_id], FAILURES["damaged"])


def _copy(path: Path, folder: Path, key: MediaKey) -> Path:
    """Copy a file into the folder of its video. A reader sees the old file or the new one, also after a power cut."""
    suffix = _suffix(path, key.kind)
    target, part = folder / f"{key.stem}{suffix}", folder / f".{key.stem}.{PART_SUFFIX}"
    try:
        part.unlink(missing_ok=True)  # of a killed import
        copy(path, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    for other in set(SUFFIXES[key.kind]) - {suffix}:
        (folder / f"{key.stem}{other}").unlink(missing_ok=True)
    for changed in (folder, folder.parent, folder.parent.parent):  # the folders may be new
        fsync(changed)
    return target


def _suffix(path: Path, kind: MediaKind) -> str:
    """The suffix of a file by its content (yt-dlp names any cover .image), else by its name."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise _NotReadable("is empty")
    suffix = sniff(head, kind) or path.suffix.lower()
    if suffix not in SUFFIXES[kind]:
        what = {"video": "video", "caption": "caption file"}.get(kind, "picture")
        raise _NotReadable(f"is not a {what} that can be read here")
    return suffix
