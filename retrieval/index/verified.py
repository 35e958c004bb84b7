"""The files of a generation, each read into memory once and checked: the bytes that were checked are used.

Nothing of a generation stays open or mapped afterwards. Overwriting, shortening or deleting its files does no harm to a
program that has opened it.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import GenerationError
from scraper.files import sha256

REBUILD = "run `tiktok-retrieval build`, or `tiktok-retrieval rollback` to return to an earlier generation"


class VerifiedFiles:
    """The files of a folder with the sha256 that each must have, by name."""

    def __init__(self, folder: Path, sums: Mapping[str, str]) -> None:
        self.folder = folder
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
        except FileNotFoundError as error:
            raise GenerationError(f"{path} is missing: {REBUILD}") from error
        except OSError as error:
            raise GenerationError(f"{path} cannot be read ({error}): {REBUILD}") from error
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

    def check_rest(self) -> None:
        """Check the files that nobody has read.

        Raises:
            GenerationError: one is missing or different.
        """
        for name in self._unread:
            check_file(self.folder / name, self._sums[name])


def check_file(path: Path, wanted: str) -> None:
    """Compare a file with its sha256 without keeping it in memory.

    Raises:
        GenerationError: it is missing, cannot be read, or differs.
    """
    try:
        found = sha256(path) if path.is_file() else None
    except OSError as error:
        raise GenerationError(f"{path} cannot be read ({error}): {REBUILD}") from error
    if found != wanted:
        raise GenerationError(f"{path} {'is missing' if found is None else 'differs from its manifest'}: {REBUILD}")
