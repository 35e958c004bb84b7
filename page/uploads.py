"""Files from a browser -> folders of the data folder, one for each upload, which `add` reads and which then go.

    data/uploads/ID/files/      what has arrived, under the names that the person's files have
    data/uploads/ID/incoming/   what is still arriving

An upload is only its folder, so it outlives a restart of the server: whoever knows its id resumes it.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from secrets import token_hex

from anyio import fail_after, to_thread

from page.upload_names import NotAllowed, check_kind, safe_path
from retrieval.server.problems import Problem
from scraper.files import make_private
from scraper.sniff import HEAD_BYTES

FOLDER = "uploads"  # in the data folder
GONE = "This upload does not exist any more. Start it again."
LEFT_AFTER_S = 600.0  # without a byte: the page that sent it is gone
SWEPT_AFTER_S = 86_400.0
IDLE_S = 120.0  # without a byte of a file: whoever sends it holds up the others
_ID = re.compile(r"[0-9a-f]{32}")
_BUFFER = 1 << 20  # bytes that are written at once


@dataclass(frozen=True)
class Limits:
    """What uploads may take. The largest videos of a phone have a few GB; an export has at most some hundred files."""

    file_bytes: int = 8 * 1024**3
    total_bytes: int = 100 * 1024**3
    files: int = 20_000
    free_bytes: int = 1024**3  # that stay free on the disk
    uploads: int = 50  # folders at a time


@dataclass(frozen=True)
class Left:
    """An upload that was interrupted."""

    id: str
    files: int
    bytes: int


class Uploads:
    """The folder of uploads in a data folder."""

    def __init__(self, data: Path, limits: Limits | None = None) -> None:
        self.folder, self.limits = data.absolute() / FOLDER, limits or Limits()
        self.in_use: Callable[[], Collection[str]] = tuple  # the uploads that are being added, whatever their age
        self._receiving: dict[str, int] = {}  # bytes that running requests have announced, by upload
        self._totals: dict[str, tuple[int, int]] = {}  # files and bytes that have arrived, by upload

    def open(self) -> str:
        """Make a folder for an upload and return its id.

        Raises:
            Problem: 429, there are too many; 507, the disk is full or read-only.
        """
        with _disk_errors():
            make_private(self.folder)
            if self.folder.is_symlink():
                raise Problem(500, f"{self.folder} is a symbolic link. Replace it with a folder.")
            self.sweep()
            if len(self._ids()) >= self.limits.uploads:
                raise Problem(429, f"{self.limits.uploads} uploads are under way. Wait until some are done.")
            upload_id = token_hex(16)
            make_private(self.folder / upload_id)
            (self.folder / upload_id / "files").mkdir()
            (self.folder / upload_id / "incoming").mkdir()
        return upload_id

    def files(self, upload_id: str) -> Path:
        """Return the folder with the files that have arrived.

        Raises:
            Problem: 404, there is no such upload.
        """
        folder = self.folder / upload_id / "files"
        if not _ID.fullmatch(upload_id) or not folder.is_dir():
            raise Problem(404, GONE)
        return folder

    def put_text(self, upload_id: str, name: str, text: str) -> None:
        """Store a text, such as links that somebody pasted, as a file of the upload.

        Raises:
            Problem: there is no such upload, or the disk is full.
        """
        folder = self.files(upload_id)
        with _disk_errors():
            incoming = folder.parent / "incoming" / token_hex(16)
            incoming.write_text(text, encoding="utf-8")
            _move(incoming, folder, safe_path(name))
            self._totals.pop(upload_id, None)

    async def receive(
        self, upload_id: str, name: str, size: int, chunks: AsyncIterator[bytes], modified_s: float = 0
    ) -> str:
        """Write one file to disk while it arrives. Return its path in the upload.

        Args:
            modified_s: when the person's file was last changed, in seconds since 1970; the date of a video that has
                no other.

        Raises:
            Problem: the file is refused, stops arriving, or the disk is full. Nothing of it stays.
        """
        folder = self.files(upload_id)
        try:
            path = safe_path(name)
            self._check_size(upload_id, folder, size)
        except NotAllowed as error:
            raise Problem(422, _sentence(name, error)) from error
        chunks = _in_time(chunks)
        self._receiving[upload_id] = self._receiving.get(upload_id, 0) + size
        incoming = folder.parent / "incoming" / token_hex(16)
        try:
            with _disk_errors():
                await self._write(incoming, path, size, chunks)
                if 0 < modified_s < time.time():
                    os.utime(incoming, (modified_s, modified_s))
                kept = await to_thread.run_sync(_move, incoming, folder, path)
        except NotAllowed as error:
            async for _ in chunks:  # a browser reads no answer before it has sent everything
                pass
            raise Problem(422, _sentence(name, error)) from error
        finally:
            self._receiving[upload_id] -= size
            incoming.unlink(missing_ok=True)
        files, in_all = self._totals[upload_id]
        self._totals[upload_id] = (files + 1, in_all + size)
        return kept.as_posix()

    def count(self, upload_id: str) -> int:
        """Return how many files of an upload have arrived.

        Raises:
            Problem: 404, there is no such upload.
        """
        return _count(self.files(upload_id))[0]

    def free_bytes(self) -> int:
        """Return how many bytes the disk has for uploads."""
        return max(0, shutil.disk_usage(self.folder).free - self.limits.free_bytes)

    def delete(self, upload_id: str) -> None:
        """Delete an upload with all its files."""
        self._totals.pop(upload_id, None)
        with contextlib.suppress(Problem):
            shutil.rmtree(self.files(upload_id).parent, ignore_errors=True)

    def left(self, known: Collection[str] = ()) -> list[Left]:
        """Return uploads that were interrupted, without `known` ones and those in use."""
        found = []
        for upload_id in self._ids():
            if upload_id in known or upload_id in self.in_use() or self._age_s(upload_id) < LEFT_AFTER_S:
                continue
            files, in_all = _count(self.folder / upload_id / "files")
            if files:
                found.append(Left(upload_id, files, in_all))
        return found

    def sweep(self) -> None:
        """Delete uploads that nobody has gone on with for a day."""
        for upload_id in set(self._ids()) - set(self.in_use()):
            if self._age_s(upload_id) > SWEPT_AFTER_S:
                self.delete(upload_id)

    def _ids(self) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(path.name for path in self.folder.iterdir() if _ID.fullmatch(path.name) and path.is_dir())
        return []

    def _age_s(self, upload_id: str) -> float:
        """Return the seconds since a file of an upload began or ended: both change the folder of what arrives."""
        if self._receiving.get(upload_id):
            return 0
        try:
            return time.time() - (self.folder / upload_id / "incoming").stat().st_mtime
        except OSError:
            return SWEPT_AFTER_S + 1

    def _check_size(self, upload_id: str, folder: Path, size: int) -> None:
        limits = self.limits
        if upload_id not in self._totals:
            self._totals[upload_id] = _count(folder)
        files, in_all = self._totals[upload_id]
        coming = self._receiving.get(upload_id, 0)
        if size > limits.file_bytes:
            raise Problem(413, f"One file may have {_gb(limits.file_bytes)}.")
        if in_all + coming + size > limits.total_bytes:
            raise Problem(413, f"One upload may have {_gb(limits.total_bytes)}. Add the rest afterwards.")
        if files >= limits.files:
            raise Problem(413, f"One upload may have {limits.files:,} files. Add the rest afterwards.")
        everywhere = sum(self._receiving.values())
        if self.free_bytes() - everywhere - size < 0:
            raise Problem(507, "The disk of the server has too little space for this file.")

    async def _write(self, incoming: Path, path: PurePosixPath, size: int, chunks: AsyncIterator[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        written, checked, buffer = 0, False, bytearray()
        with os.fdopen(os.open(incoming, flags, 0o600), "wb", buffering=0) as file:
            async for chunk in chunks:
                buffer += chunk
                if written + len(buffer) > size:
                    raise NotAllowed("is longer than its Content-Length")
                if not checked and len(buffer) >= HEAD_BYTES:
                    check_kind(path, bytes(buffer[:HEAD_BYTES]))
                    checked = True
                if len(buffer) >= _BUFFER:
                    await to_thread.run_sync(_write_all, file.fileno(), bytes(buffer))
                    written += len(buffer)
                    buffer.clear()
            if not checked:
                check_kind(path, bytes(buffer[:HEAD_BYTES]))
            await to_thread.run_sync(_write_all, file.fileno(), bytes(buffer))
            if written + len(buffer) != size:
                raise NotAllowed("did not arrive completely")


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of a file while they arrive.

    Raises:
        Problem: 408, none has arrived for IDLE_S.
    """
    while True:
        try:
            with fail_after(IDLE_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Problem(408, f"Nothing of the file has arrived for {IDLE_S:g} seconds.") from error
        yield chunk


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _move(incoming: Path, folder: Path, path: PurePosixPath) -> PurePosixPath:
    """Give a file its name. A second file of the same name goes into a folder of its own, so that both keep it."""
    for number in range(1, 1_000):
        if not folder.is_dir():
            raise Problem(404, GONE)  # deleted while the file was arriving: nothing may make it again
        relative = path if number == 1 else PurePosixPath(str(number)) / path
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            (folder / relative).touch(exist_ok=False)  # takes the name, which a rename alone would take from another
            incoming.replace(folder / relative)
            return relative
    raise NotAllowed("was sent too often")


def _count(folder: Path) -> tuple[int, int]:
    """Return how many files a folder holds, and their bytes."""
    files = in_all = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                in_all += (Path(root) / name).lstat().st_size
                files += 1
    return files, in_all


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Problem(507, f"The file cannot be stored on the server: {error.strerror}.") from error


def _gb(size: int) -> str:
    return f"at most {size / 1024**3:,.0f} GB" if size >= 1024**3 else f"at most {size / 1024**2:,.1f} MB"


def _sentence(name: str, error: NotAllowed) -> str:
    last = "".join(char if char.isprintable() else "�" for char in name.rpartition("/")[2][:80])
    return f"“{last}” {error}."
