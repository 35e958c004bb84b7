"""A file or folder in any format -> ParsedRecords. A bad record or file is a Problem and does not affect others.

A folder is read with its sub-folders: first the files that hold records (the format is detected from the content), then
the media files that belong to none of them. A zip is read like a folder.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from scraper import json_stream, own_media, zip_files
from scraper.contents import read_text
from scraper.errors import UserError
from scraper.parse import File, Found, ParsedRecord, Problem, Skipped, made_text
from scraper.records import TextKind
from scraper.sidecars import SOURCE_SUFFIXES, STUDY_MEDIA, Folder, of_study
from scraper.text_decoding import Decoded, decode
from scraper.zip_files import Unpacked

__all__ = ["ParsedRecord", "Problem", "Skipped", "SourceError", "check", "read", "read_links"]

MAX_DEPTH = 20  # of folders in a folder
MAX_FOLDERS = 100_000
MAX_RECORD_BYTES = 2 << 30  # of a file of records, which is read as a whole; 50,000 records have some 100 MB
MAX_NAMED = 5  # files that are named in one count
_LINKED = "is a symbolic link, which is not followed: replace it with the file or folder that it leads to"
_PLAIN = (".txt", ".csv", ".tsv")  # people keep other things in such files as well
_STUDY_TEXTS: dict[TextKind, str] = {"cover": "ocr.json", "transcript": "speech_to_text.json"}
_SYSTEM = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db"))


class SourceError(UserError):
    """A source cannot be read. The message says what was expected."""


def check(source: Path) -> None:
    """Check that there is something to read, without reading a record.

    Raises:
        SourceError: the source does not exist, or a folder has no file that can be read.
    """
    if source.is_dir():
        _check_folder(source)
    elif not source.is_file():
        raise SourceError(f"{source} {'is neither a file nor a folder' if source.exists() else 'does not exist'}")


def _check_folder(source: Path) -> None:
    info = source / "info"
    if info.name in Folder(source).names and info.is_symlink():
        raise SourceError(f"{info} {_LINKED}")
    unreadable: list[Folder] = []
    for folder in _walk(source):
        if folder.sources() or _has_media(folder) or _is_study(folder, Folder(folder.path / "info")):
            return
        if folder.error:
            unreadable.append(folder)
    if unreadable:
        raise SourceError(f"{unreadable[0].path} cannot be read: {unreadable[0].error}")
    raise SourceError(
        f"{source} has nothing to import: no video, picture or sound files, no data export, and no .json, .jsonl,"
        " .csv, .html, .txt or .zip file"
    )


def read(source: Path) -> Iterator[Found]:
    """Yield all records of a file or folder. Records of gallery-dl, one per file, are joined at the end.

    Raises:
        SourceError: see `check`.
    """
    check(source)
    posts: dict[str, ParsedRecord] = {}
    for found in _read(source):
        if not isinstance(found, ParsedRecord) or found.video.source != "gallery-dl":
            yield found
        elif (post := posts.get(found.video.id)) is None:
            posts[found.video.id] = found
        else:
            files = {(kind, position): path for kind, position, path in [*found.files, *post.files]}
            together = [(kind, position, files[kind, position]) for kind, position in sorted(files)]
            posts[found.video.id] = replace(post, files=together, captions=[*post.captions, *found.captions])
    for post in posts.values():
        translated = {track.language for track in post.video.captions if track.source.upper() == "MT"}
        yield replace(post, captions=sorted(post.captions, key=lambda caption: caption[0] in translated))


def read_links(given: Sequence[str]) -> Iterator[Found]:
    """Yield the videos that links of the command line lead to."""
    for link in given:
        for found in read_text(File(Path(), Folder(Path()), "link"), link):
            yield Problem(link, None, "is no link to a video of TikTok") if isinstance(found, Skipped) else found


def _read(source: Path) -> Iterator[Found]:
    folder = Folder(source.parent)
    if source.is_dir():
        yield from _read_folder(source, source)
    elif own_media.is_partial(source.name):
        yield Skipped(str(source), "files that are still being written", 1)
    elif source.suffix.lower() in own_media.SUFFIXES:
        if info := folder.file(f"{source.stem}.info.json"):
            yield from _read_file(info, folder)
        else:
            yield from own_media.of_file(source, folder)
    else:
        yield from _read_file(source, folder)


def _read_folder(root: Path, shown: Path, origin: Path | None = None) -> Iterator[Found]:
    """Yield the records of a folder and its sub-folders.

    Args:
        shown: the path of `root` as messages show it.
        origin: the file that a person would name as the source; by default each file that is read.
    """
    beyond: list[Path] = []
    folders = list(_walk(root, beyond))
    known = {folder.path: folder for folder in folders}  # each is listed once: an error is met once, and reported
    claimed: set[Path] = set()  # files that belong to a record, without links in their paths

    def claim(found: Found) -> Found:
        if isinstance(found, ParsedRecord):
            claimed.update(path.resolve() for _, _, path in found.files)
            claimed.update(path.resolve() for _, path in found.captions)
        return found

    taken: set[Path] = set()
    for folder in folders:
        info, *media = (known.get(path, Folder(path)) for path in map(folder.path.joinpath, ("info", *STUDY_MEDIA)))
        if _is_study(folder, info):
            yield from map(claim, _read_study(info, media, origin))
            taken.update(folder.path / name for name in ("info", *_STUDY_TEXTS.values(), *STUDY_MEDIA))
            continue
        if folder.path in taken:
            continue
        if folder.pages:
            claimed.update(path.resolve() for path in folder.of_page_and_sound())
        for path in folder.sources():
            taken.add(path)
            if path.is_symlink():
                yield Problem(str(path), None, _LINKED)
            else:
                name = str(shown / path.relative_to(root))
                yield from map(claim, _read_in_folder(path, folder, name, origin))
    for folder in folders:
        yield from map(claim, own_media.of_folder(folder, claimed, shown / folder.path.relative_to(root), origin))
    yield from _left_out(folders, claimed, taken, shown)
    for folder in folders:
        if folder.error:
            yield Problem(str(shown / folder.path.relative_to(root)), None, f"cannot be read: {folder.error}")
    if beyond:
        where = shown / beyond[0].relative_to(root)
        reason = f"is too deep, or one of more than {MAX_FOLDERS:,} folders"
        yield Problem(str(where), None, f"{reason} ({len(beyond):,} such folders were not read)")


def _walk(root: Path, beyond: list[Path] | None = None) -> Iterator[Folder]:
    """Yield a folder and its sub-folders, without hidden ones, links, and the parts of saved pages.

    Folders beyond MAX_DEPTH or MAX_FOLDERS are appended to `beyond`.
    """
    waiting = [(root, 0)]
    walked = 0
    while waiting:
        path, depth = waiting.pop()
        if depth > MAX_DEPTH or walked >= MAX_FOLDERS:
            if beyond is not None:
                beyond.append(path)
            continue
        walked += 1
        folder = Folder(path)
        yield folder
        pages = tuple(Path(name).stem for name in folder.pages)
        below = [
            (path / name, depth + 1)
            for name in folder.names
            if not name.startswith(".")
            and not any(name.startswith(page) and name[len(page) :][:1] in ("_", "-", ".", " ") for page in pages)
            and (path / name).is_dir()
            and not (path / name).is_symlink()
        ]
        waiting.extend(reversed(below))


def _is_study(folder: Folder, info: Folder) -> bool:
    """Whether a folder has the study layout."""
    is_there = info.path.name in folder.names and info.path.is_dir() and not info.path.is_symlink()
    return is_there and bool(_batches(info))


def _has_media(folder: Folder) -> bool:
    return any(Path(name).suffix.lower() in own_media.SUFFIXES for name in folder.names)


def _read_in_folder(path: Path, folder: Folder, name: str, origin: Path | None) -> Iterator[Found]:
    """Read a file of a folder. A text without any record is only counted: people keep notes next to their videos."""
    held: list[Found] = []
    for found in _read_file(path, folder, name, origin):
        if path.suffix.lower() in _PLAIN and isinstance(found, Problem) and found.index is None:
            held.append(found)
            continue
        yield from held
        held = []
        yield found
    if held:
        yield Skipped(name, "files without videos", 1)


def _left_out(folders: list[Folder], claimed: set[Path], taken: set[Path], shown: Path) -> Iterator[Found]:
    """Count the files of folders that nothing was read from."""
    partial: list[str] = []
    others: list[str] = []
    for folder in folders:
        if folder.path in taken and folder.path.name == "info":
            continue
        for name in folder.names:
            path = folder.path / name
            suffix = path.suffix.lower()
            if name.startswith(".") or name.lower() in _SYSTEM or path in taken or not os.path.lexists(path):
                continue
            if path.is_dir():
                if path.is_symlink() and path not in taken:
                    yield Problem(str(path), None, _LINKED)
            elif own_media.is_partial(name):
                partial.append(name)
            elif path.is_symlink() or (
                suffix not in own_media.SUFFIXES and suffix not in SOURCE_SUFFIXES and path.resolve() not in claimed
            ):
                others.append(name)
    if partial:
        yield Skipped(str(shown), f"files that are still being written ({_named(partial)})", len(partial))
    if others:
        yield Skipped(str(shown), f"other files ({_named(others)})", len(others))


def _named(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


def _read_file(path: Path, folder: Folder, name: str = "", origin: Path | None = None) -> Iterator[Found]:
    """Read a file that holds records. For `name` and `origin` see `_read_folder`."""
    file = File(path, folder, name or str(path))
    try:
        with path.open("rb") as opened:
            packed = opened.read(4) in zip_files.MAGIC
        if not packed and (size := path.stat().st_size) > MAX_RECORD_BYTES:
            yield file.problem(None, f"has {size >> 20:,} MB; more than {MAX_RECORD_BYTES >> 20:,} MB are not read")
            return
        text = Decoded("", "") if packed else decode(path.read_bytes())
    except OSError as error:
        yield file.problem(None, f"cannot be read: {error.strerror}")
        return
    for found in _read_zip(file, origin or path) if packed else _read_decoded(file, text):
        yield replace(found, origin=origin or path) if isinstance(found, ParsedRecord) else found


def _read_decoded(file: File, content: Decoded) -> Iterator[Found]:
    """Read a text, and report what of it could not be decoded."""
    if content.damage:
        yield file.problem(None, content.damage)
    yield from read_text(file, content.text)


def _read_zip(file: File, origin: Path) -> Iterator[Found]:
    if zip_files.has_media(file.path):
        try:
            unpacked = Unpacked(file.path)
        except (ValueError, OSError) as error:
            yield file.problem(None, error)
            return
        if unpacked.refused:
            yield Skipped(file.name, f"files with unsafe names ({_named(unpacked.refused)})", len(unpacked.refused))
        if unpacked.broken:
            yield file.problem(None, f"files in it cannot be unpacked: {_named(unpacked.broken)}")
        for found in _read_folder(unpacked.path, Path(file.name), origin):
            # the files stay as long as a record refers to them
            yield replace(found, keeps=unpacked) if isinstance(found, ParsedRecord) else found
        return
    for member, content in zip_files.texts(file.path):
        if isinstance(content, ValueError):
            yield replace(file, name=f"{file.name}: {member}" if member else file.name).problem(None, content)
        else:
            yield from _read_decoded(replace(file, name=f"{file.name}: {member}"), content)


def _read_study(info: Folder, media: Sequence[Folder], origin: Path | None) -> Iterator[Found]:
    """Records in `info/*.json`, with texts and media by id. The texts are marked as imported."""
    folder = info.path.parent
    texts: dict[TextKind, dict[str, object]] = {}
    for kind, name in _STUDY_TEXTS.items():
        if (folder / name).is_file():
            try:
                if (folder / name).is_symlink():
                    raise ValueError(_LINKED)
                text = decode((folder / name).read_bytes())
                if text.damage:
                    yield Problem(str(folder / name), None, text.damage)
                loaded = json_stream.whole(text.text)
                if not isinstance(loaded, dict):
                    raise ValueError("is not a JSON object of texts by id")
                texts[kind] = loaded
            except (ValueError, OSError) as error:
                yield Problem(str(folder / name), None, f"{error}")
    for name in STUDY_MEDIA:
        if (folder / name).is_symlink():
            yield Problem(str(folder / name), None, _LINKED)
    for batch in _batches(info):
        if batch.is_symlink():
            yield Problem(str(batch), None, _LINKED)
            continue
        for found in _read_file(batch, info, origin=origin):
            if not isinstance(found, ParsedRecord):
                yield found
                continue
            video_id = found.video.id
            found_texts: dict[TextKind, str | None] = {}
            for kind, by_id in texts.items():
                if video_id in by_id:
                    try:
                        found_texts[kind] = made_text(by_id[video_id])
                    except ValueError as error:
                        yield Problem(str(folder), None, f"the {kind} text of {video_id} {error}")
            yield replace(found, texts=found_texts, files=of_study(media, video_id))


def _batches(info: Folder) -> list[Path]:
    """The record files of a study, ordered by the numbers in their names."""
    files = [info.path / name for name in info.names if name.endswith(".json")]
    return sorted(files, key=lambda path: [int(number) for number in re.findall(r"\d+", path.stem)])
