"""Where a running server answers the commands of its own user on this machine: a private file for each pair of folders.

The file is in the user's cache folder. It has the address of a socket (on Windows, of a named pipe) that only this user
can open, and a key. Client and server each prove that they know the key, so an old file, or another program at the
address, is noticed. Nothing here needs the port, token or root path of the page.
"""

import contextlib
import hashlib
import hmac
import os
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.settings import APP_NAME
from scraper.files import make_private, private, replace_atomically

FAMILY = "AF_PIPE" if os.name == "nt" else "AF_UNIX"
MAX_BYTES = 10_000  # of the file
NOT_PROVED = (AuthenticationError, AssertionError)  # what multiprocessing raises for a wrong proof, and for none


class LocalAddress(BaseModel):
    """Where a server listens, and the key (hexadecimal) that it shares with those who can read the file."""

    model_config = ConfigDict(frozen=True)

    address: str
    key: str
    program: str  # the version of the server: another version may answer in another way

    def proof_key(self, of: Literal["command", "server"]) -> bytes:
        """Return what one side uses to prove that it knows the key. With the same key for both, another program could
        send one command what the next one answers.

        Raises:
            ValueError: the key is not hexadecimal.
        """
        return hmac.digest(bytes.fromhex(self.key), of.encode(), "sha256")


def program_version() -> str:
    """Return the version of this program; "" if it is not installed."""
    try:
        return version(APP_NAME)
    except PackageNotFoundError:
        return ""


def address_file(data: Path, indexes: Path) -> Path:
    """Return the file with the address of the server of these folders."""
    from platformdirs import user_cache_path

    folders = "\0".join(str(folder.resolve()) for folder in (data, indexes))
    name = hashlib.sha256(folders.encode(errors="surrogateescape")).hexdigest()[:32]
    return user_cache_path(APP_NAME) / "servers" / f"{name}.json"


def read_address(file: Path) -> LocalAddress | None:
    """Return what a file says; None if there is none, it cannot be used, or another user has written it."""
    try:
        with file.open("rb") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_uid != os.geteuid():
                return None
            return LocalAddress.model_validate_json(opened.read(MAX_BYTES))
    except (OSError, ValidationError):
        return None


def write_address(file: Path, address: LocalAddress) -> None:
    """Write a file that only its owner can read.

    Raises:
        OSError: it cannot be written.
    """
    make_private(file.parent)
    with replace_atomically(file) as part, open(part, "w", encoding="utf-8", opener=private) as opened:
        opened.write(address.model_dump_json())


def remove_address(file: Path, address: LocalAddress) -> None:
    """Remove a file, unless another server has replaced it."""
    if read_address(file) == address:
        with contextlib.suppress(OSError):
            file.unlink()
