"""A file of the catalog -> the same file on a node: from a shared folder, an address of fsspec, or the lease itself.

What is not in a shared folder is kept in a folder of the node under its sha256, so that all workers of the node fetch
it once. Its content is compared with the sha256 before anything reads it.
"""

import contextlib
import hashlib
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from ingest.cluster.jobs import ClusterError, Source
from ingest.settings import APP_NAME, load_settings
from scraper.disk import concerns_all
from scraper.files import content_sha256, make_private

TRIES = 3  # to fetch a file; an object store answers some requests with an error, and expects another try
PAUSE_S = 0.5  # before the second try, twice as long before the third
CONNECT_S = 10.0
READ_S = 30.0  # without a byte, after which a request counts as lost
PIECE = 1 << 20  # bytes
MOST_BYTES = 20_000_000_000  # that a node keeps; the files that were used longest ago go first
IN_USE_S = 3_600.0  # since its last use, within which a file stays
INSTALL = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


class Lacking(Exception):
    """The file is not where the node looks for it, or has another content."""


class Unreachable(Exception):
    """The place of the media does not answer. The message says how."""


class _Opener(Protocol):  # the part of fsspec's file systems that is used here
    def open(self, path: str, mode: str) -> Any: ...
    def put_file(self, source: str, target: str) -> None: ...
    def makedirs(self, path: str, exist_ok: bool) -> None: ...
    def exists(self, path: str) -> bool: ...


@dataclass(frozen=True)
class MediaPlace:
    """Where nodes find the media.

    Attributes:
        root: the data folder on the machine with the catalog.
        address: of the same folder for fsspec, such as s3://bucket/folder; "" if nodes share the data folder.
    """

    root: Path
    address: str = ""

    def check(self) -> None:
        """Raise ClusterError if the address cannot be used."""
        if self.address:
            self._opened()

    def bring(self, source: Source, sent: Mapping[str, bytes], folder: Path) -> Path:
        """On a node: return the path of a file there.

        Args:
            sent: contents that came with the lease, by their sha256.
            folder: where fetched files are kept.

        Raises:
            Lacking: the node cannot find it.
            Unreachable: it may be there, but the place does not answer.
        """
        if not self.address and _is(source.path, source):
            return source.path
        if not re.fullmatch("[0-9a-f]{64}", source.sha256):
            raise Lacking(str(source.path))
        kept = folder / f"{source.sha256}{source.path.suffix[:8]}"
        make_private(folder)
        with FileLock(folder / f".{source.sha256}.lock"):  # the other workers of the node wait for it
            if not (kept.is_file() and kept.stat().st_size == source.bytes):
                make_room(folder, source.bytes)
                self._fetch(source, sent, kept)
            kept.touch()
        (folder / f".{source.sha256}.lock").unlink(missing_ok=True)
        return kept

    def put(self, source: Source) -> None:
        """On the machine with the catalog: copy a file to the address.

        Raises:
            Lacking: it is not there, or has another content.
            Unreachable: the address does not take it.
        """
        if not _is(source.path, source):
            raise Lacking(str(source.path))
        opened, target = self._opened(), self._target(source)
        for attempt in range(TRIES):
            try:
                opened.makedirs(target.rpartition("/")[0], exist_ok=True)
                opened.put_file(str(source.path), target)
                return
            except Exception as error:  # every file system has its own
                if attempt == TRIES - 1:
                    raise Unreachable(_reason(error)) from error
            time.sleep(PAUSE_S * 2**attempt)

    def _fetch(self, source: Source, sent: Mapping[str, bytes], kept: Path) -> None:
        if content := sent.get(source.sha256):
            if hashlib.sha256(content).hexdigest() != source.sha256:
                raise Lacking(str(source.path))
            with _part(kept) as part:
                part.write_bytes(content)
            return
        if not self.address:
            raise Lacking(str(source.path))
        for attempt in range(TRIES):
            try:
                with _part(kept) as part:
                    self._download(source, part)
                return
            except FileNotFoundError as error:
                raise Lacking(str(source.path)) from error
            except Lacking:
                raise
            except Exception as error:  # every file system has its own
                if concerns_all(error, kept.parent):
                    raise
                if attempt == TRIES - 1:
                    raise Unreachable(_reason(error)) from error
            time.sleep(PAUSE_S * 2**attempt)

    def _download(self, source: Source, part: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with self._opened().open(self._target(source), "rb") as remote, part.open("wb") as written:
            while piece := remote.read(PIECE):
                size += len(piece)
                if size > source.bytes:
                    break
                digest.update(piece)
                written.write(piece)
        if size != source.bytes or digest.hexdigest() != source.sha256:
            raise Lacking(str(source.path))

    def _target(self, source: Source) -> str:
        return f"{self.address.rstrip('/')}/{source.path.relative_to(self.root).as_posix()}"

    def _opened(self) -> _Opener:
        import fsspec

        scheme = self.address.partition("://")[0]
        if scheme == self.address or scheme not in {*INSTALL, "file"}:
            known = ", ".join(sorted({"file", "s3", "gs", "az"}))
            raise ClusterError(f"--media: {self.address!r} is no address such as s3://bucket/folder; known: {known}")
        options: dict[str, Any] = {}
        if INSTALL.get(scheme) == "s3fs":  # requests that hang would hold a worker
            timeouts = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": 1}}
            options = {"config_kwargs": timeouts, "default_fill_cache": False}
        try:
            opened: _Opener = fsspec.filesystem(scheme, **options)
        except ImportError as error:
            raise ClusterError(f"--media: `pip install {INSTALL.get(scheme, scheme)}` reads {scheme}://") from error
        return opened


def node_folder() -> Path:
    """Return the folder of a node for files that it has fetched."""
    from platformdirs import user_cache_path

    return load_settings().node_media or user_cache_path(APP_NAME) / "node-media"


def make_room(folder: Path, needed: int, most_bytes: int = MOST_BYTES) -> None:
    """Delete the files that were used longest ago, until `needed` more bytes fit."""
    files = []
    for path in folder.glob("[0-9a-f]*"):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            files.append((state.st_mtime, state.st_size, path))
    total, oldest = sum(size for _, size, _ in files), time.time() - IN_USE_S
    for used_at, size, path in sorted(files):
        if total + needed <= most_bytes or used_at > oldest:
            return
        path.unlink(missing_ok=True)
        total -= size


def _is(path: Path, source: Source) -> bool:
    try:
        return path.stat().st_size == source.bytes and content_sha256(path) == source.sha256
    except OSError:
        return False


@contextlib.contextmanager
def _part(kept: Path) -> Iterator[Path]:
    part = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(kept)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
