"""The file of a backup: a zip archive with a manifest that names every member, its size and its sha256.

    manifest.json                        written last
    data/catalog.sqlite                  the catalog
    data/examples.json                   the example questions, if there are any
    data/media/NN/ID/FILE                the media, if they were asked for
    indexes/weights.json                 the tuned weights, if there are any
    indexes/generations/NAME/FILE        the current generation, if there is one
    indexes/segments/NAME/FILE           its segments
    indexes/seen/NAME.safetensors        what the videos show, if a vision model has seen them

An archive that is restored may be hostile: nothing of it is used before it is checked.
"""

import hashlib
import re
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scraper.disk import explain
from scraper.errors import UserError

FORMAT = 1  # incremented when a member changes its meaning
MANIFEST = "manifest.json"
CATALOG = "data/catalog.sqlite"
EXAMPLES = "data/examples.json"
WEIGHTS = "indexes/weights.json"
MEDIA = re.compile(r"data/media/[0-9]{2}/[0-9]{5,25}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_OF_INDEX = r"/([0-9]{8}T[0-9]{12}-[0-9a-f]{6})/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
GENERATION = re.compile(f"indexes/generations{_OF_INDEX}")
SEGMENT = re.compile(f"indexes/segments{_OF_INDEX}")
SEEN = re.compile(r"indexes/seen/[0-9a-f]{24}\.safetensors")
MAX_MANIFEST_BYTES = 1 << 28  # a line of some 150 bytes for each file: enough for more than a million
MAX_RATIO = 300  # texts pack to a tenth; an archive that unpacks to more than this many times its size is a bomb
CHUNK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, OverflowError, NotImplementedError)


class BackupError(UserError):
    """A backup cannot be written or restored. The message says what to do."""


class Member(BaseModel):
    """A file in the archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What the archive holds. `counts` are those of the catalog; `media` says whether the media were asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    program: str
    version: str
    created: str
    catalog_format: int
    counts: dict[str, int]
    generation: str | None
    encoder: str | None
    media: bool
    members: dict[str, Member]


@contextmanager
def new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Write an archive. One that an error or Ctrl-C stops stays as incomplete as it is."""
    archive = zipfile.ZipFile(path, "w", allowZip64=True, compresslevel=1)
    try:
        yield archive
    except BaseException:
        unfinished, archive.fp = archive.fp, None  # `close` would raise another error if a member is half written
        if unfinished:
            unfinished.close()
        raise
    archive.close()


def add_member(archive: zipfile.ZipFile, name: str, source: IO[bytes], *, packed: bool) -> Member:
    """Write a file into an archive that is being written. Media are not `packed`: they are compressed already."""
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return Member(bytes=size, sha256=digest.hexdigest())


@contextmanager
def open_archive(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Open a backup whose manifest and list of members are sound. Their content is not checked yet.

    Raises:
        BackupError: it is not a backup, is damaged, or was made to harm.
    """
    if not file.is_file():
        raise BackupError(f"{file} does not exist" if not file.exists() else f"{file} is not a file")
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGED as error:
        if isinstance(error.__context__, OSError) and (known := explain(error.__context__, file)):
            raise known from error  # zipfile takes an error of the disk for the wrong kind of file
        raise BackupError(f"{file} is not a backup, or its end is missing ({error}): copy it again") from error
    with archive:
        try:
            manifest = _manifest(archive, file)
        except (*_DAMAGED, RuntimeError, KeyError) as error:
            reason = "its manifest is not valid" if isinstance(error, ValidationError) else str(error)
            raise BackupError(f"{file} is not a backup, or is damaged ({reason})") from error
        _check_members(archive, manifest, file)
        yield archive, manifest


def copy_member(archive: zipfile.ZipFile, name: str, member: Member, target: IO[bytes] | None) -> None:
    """Read a member to its end, into `target` if there is one, and check it against the manifest.

    Raises:
        BackupError: it differs.
    """
    digest, left = hashlib.sha256(), member.bytes
    try:
        with archive.open(name) as source:
            while chunk := source.read(min(CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
                if target:
                    target.write(chunk)
    except (*_DAMAGED, RuntimeError) as error:
        raise BackupError(f"the backup is damaged: {name} cannot be read ({error})") from error
    if left or digest.hexdigest() != member.sha256:
        raise BackupError(f"the backup is damaged: {name} differs from what was written")


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    info = archive.getinfo(MANIFEST)
    if info.file_size > MAX_MANIFEST_BYTES:
        raise ValueError("its manifest is too large")
    with archive.open(info) as source:
        raw = source.read(MAX_MANIFEST_BYTES)
    manifest = Manifest.model_validate_json(raw)
    if manifest.format != FORMAT:
        raise BackupError(f"{file} has format {manifest.format}, and this program knows {FORMAT}: update the program")
    return manifest


def _check_members(archive: zipfile.ZipFile, manifest: Manifest, file: Path) -> None:
    """Refuse names that lead elsewhere, links, members that nobody listed, and archives that unpack to far more."""
    for name in manifest.members:
        if not _allowed(name, manifest):
            raise BackupError(f"{file} is refused: {name[:80]!r} is not a file that a backup holds")
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len({name.casefold() for name in names}) != len(names) or set(names) != {*manifest.members, MANIFEST}:
        raise BackupError(f"{file} is refused: its members are not those that its manifest lists")
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
            raise BackupError(f"{file} is refused: {info.filename[:80]!r} is not an ordinary file")
        if info.filename != MANIFEST and info.file_size != manifest.members[info.filename].bytes:
            raise BackupError(f"{file} is damaged: {info.filename} has another size than its manifest says")
    unpacked = sum(member.bytes for member in manifest.members.values())
    if unpacked > MAX_RATIO * file.stat().st_size:
        raise BackupError(f"{file} is refused: it unpacks to more than {MAX_RATIO} times its size")
    if CATALOG not in manifest.members:
        raise BackupError(f"{file} is refused: it holds no catalog")


def _allowed(name: str, manifest: Manifest) -> bool:
    if name in (CATALOG, EXAMPLES, WEIGHTS):
        return True
    generation = GENERATION.fullmatch(name)
    if generation:
        return generation[1] == manifest.generation
    return bool(MEDIA.fullmatch(name) or (manifest.generation and (SEGMENT.fullmatch(name) or SEEN.fullmatch(name))))
