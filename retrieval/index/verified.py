"""The files of a generation, each read into memory once and checked: the bytes that were checked are used.

Nothing of a generation stays open or mapped afterwards. Overwriting, shortening or deleting its files does no harm to a
program that has opened it. Large files are mapped instead, and not checked: that would read all of them.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import GenerationError, UnreadableNow
from retrieval.index.arrays import ArrayFile, read_arrays
from scraper.disk import Cause, explain
from scraper.files import sha256

REBUILD = "run `tiktok-retrieval build`, or `tiktok-retrieval rollback` to return to an earlier generation"


class VerifiedFiles:
    """The files of a folder with the sha256 that each must have, by name.

    `mapped` says whether files of arrays and vectors are mapped: opened without being read, so that their sha256 is not
    compared.
    """

    def __init__(self, folder: Path, sums: Mapping[str, str], mapped: bool = False) -> None:
        self.folder = folder
        self.mapped = mapped
        self._sums = sums
        self._unread = dict.fromkeys(sums)

    def __contains__(self, name: str) -> bool:
        return name in self._sums

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            GenerationError: it is missing, cannot be read, or differs from its sha256.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error
        if hashlib.sha256(content).hexdigest() != self._sums.get(name):
            raise GenerationError(f"{path} differs from its manifest: {REBUILD}")
        self._unread.pop(name, None)
        return content

    def array(self, name: str) -> NDArray[Any]:
        """Return the array in a file.

        Raises:
            GenerationError: as `read`.
            ValueError: it is no array.
        """
        return np.asarray(np.load(io.BytesIO(self.read(name)), allow_pickle=False))

    def arrays(self, name: str) -> ArrayFile:
        """Return the arrays in a file that `save_arrays` wrote.

        Raises:
            GenerationError: as `read`.
            ValueError: it has no arrays.
        """
        return read_arrays(self.raw(name))

    def raw(self, name: str) -> NDArray[np.uint8]:
        """Return the bytes of a file: mapped, or in memory and checked.

        Raises:
            GenerationError: as `read`.
        """
        if not self.mapped:
            return np.frombuffer(self.read(name), np.uint8)
        path = self.folder / name
        try:
            raw = np.memmap(path, np.uint8, "r")
        except OSError as error:
            raise unreadable(path, error) from error
        self._unread.pop(name, None)
        return np.asarray(raw)

    def check_rest(self) -> None:
        """Check the files that nobody has read.

        Raises:
            GenerationError: one is missing or different.
        """
        for name in list(self._unread):
            check_file(self.folder / name, self._sums[name])
            self._unread.pop(name, None)


def unreadable(path: Path, error: OSError) -> GenerationError:
    """Return the error of a file that cannot be read. A generation does not get better by building another one if, for
    instance, there is no permission."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return GenerationError(f"{path} is missing: {REBUILD}")
    known = explain(error, path)
    if known and known.cause is not Cause.BROKEN:
        return UnreadableNow(str(known))
    return UnreadableNow(f"{path} cannot be read ({error}): {REBUILD}")


def check_file(path: Path, wanted: str) -> None:
    """Compare a file with its sha256 without keeping it in memory.

    Raises:
        GenerationError: it is missing, cannot be read, or differs.
    """
    try:
        found = sha256(path) if path.is_file() else None
    except OSError as error:
        raise unreadable(path, error) from error
    if found != wanted:
        raise GenerationError(f"{path} {'is missing' if found is None else 'differs from its manifest'}: {REBUILD}")
