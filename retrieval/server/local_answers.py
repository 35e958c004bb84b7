"""Answers for `tiktok-retrieval search` of the same user on this machine, which then needs to load nothing.

The command gets exactly what it would find by itself. Where that is not sure, it gets nothing: a model is missing, or
an older generation answers than the current one. The command then searches by itself.
"""

import contextlib
import logging
import secrets
import tempfile
import threading
import time
from functools import partial
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from retrieval.index.layout import current_name
from retrieval.server.local_address import (
    FAMILY,
    NOT_PROVED,
    LocalAddress,
    address_file,
    program_version,
    remove_address,
    write_address,
)
from retrieval.server.shell_question import ShellQuestion
from scraper.errors import UserError

if TYPE_CHECKING:
    from retrieval.search.answer import Answer
    from retrieval.server.service import Service

log = logging.getLogger(__name__)
MAX_CLIENTS = 8  # at a time; the others search by themselves
MAX_QUESTION = 1 << 20  # bytes; a picture has some 40,000
RETRY_S = 0.1  # after an error
NOTHING = b""  # "search by yourself"


class LocalAnswers:
    """Answers the commands of this user from `start` to `stop`."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._file = address_file(service.data, service.indexes)
        self._clients, self._searching = threading.BoundedSemaphore(MAX_CLIENTS), threading.Lock()
        self._listener: Listener | None = None
        self._address: LocalAddress | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of the socket: only this user can look into it

    def start(self) -> None:
        """Listen, and write the file that says where. Where that is not possible, commands search by themselves."""
        try:
            # multiprocessing makes such a folder as well, and leaves it behind if a signal ends the process
            if FAMILY == "AF_UNIX":
                self._folder = tempfile.TemporaryDirectory(prefix="tiktok-retrieval-", ignore_cleanup_errors=True)
            socket = str(Path(self._folder.name) / "socket") if self._folder else None
            listener = Listener(socket, FAMILY, backlog=MAX_CLIENTS)
        except OSError as error:  # such as a temporary folder whose name is too long for a socket
            log.info("commands search by themselves: %s", error)
            self._remove_folder()
            return
        self._address = LocalAddress(
            address=str(listener.address), key=secrets.token_hex(32), program=program_version()
        )
        self._listener = listener
        try:
            write_address(self._file, self._address)
        except OSError as error:
            log.info("commands search by themselves: %s", error)
        threading.Thread(target=self._accept, args=(listener,), name="local answers", daemon=True).start()

    def stop(self) -> None:
        """Remove the file and listen no longer."""
        listener, self._listener = self._listener, None
        if listener and self._address:
            remove_address(self._file, self._address)
            with contextlib.suppress(OSError):
                Client(self._address.address, FAMILY).close()  # wakes the thread, which then sees that this is the end
            listener.close()
            self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder:
            self._folder.cleanup()

    def _accept(self, listener: Listener) -> None:
        while self._listener is listener:
            try:
                client = listener.accept()
            except OSError:
                time.sleep(RETRY_S)  # such as too many open files
                continue
            if self._listener is not listener or not self._clients.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="local answer", daemon=True).start()

    def _serve(self, client: Connection) -> None:
        assert self._address
        try:
            with client:
                deliver_challenge(client, self._address.proof_key("command"))
                answer_challenge(client, self._address.proof_key("server"))
                client.send_bytes(self._answer(client.recv_bytes(MAX_QUESTION)))
        except (OSError, EOFError, *NOT_PROVED) as error:  # it has gone, or does not know the key
            log.debug("a local question: %s", error)
        finally:
            self._clients.release()

    def _found(self, question: ShellQuestion) -> "Answer":
        """Return the answer of the service."""
        if not question.picture:
            return question.answered_by(self._service.answer)
        kept = self._service.seen_pictures.asked.keep(question.picture)
        try:
            found = question.answered_by(partial(self._service.answer, picture=kept.id))
        finally:
            self._service.seen_pictures.asked.forget(kept.id)
        return found.model_copy(update={"picture": None})  # nobody else can search by it

    def _answer(self, question: bytes) -> bytes:
        """Return the answer as JSON, or NOTHING if it may differ from what the command finds by itself."""
        service = self._service
        try:
            with self._searching:  # the queue of the page's questions is not held up by more than one
                found = self._found(ShellQuestion.model_validate_json(question))
            searcher = service.searchers.answering()
            same = searcher and found.generation == searcher.generation.name == current_name(service.indexes)
            if not same or not searcher or searcher.missing or searcher.no_vision:
                return NOTHING
            return found.model_dump_json().encode()
        except (UserError, ValidationError):
            return NOTHING
        except Exception:
            log.exception("a question of a command failed")
            return NOTHING
