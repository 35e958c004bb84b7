"""Ask the server that runs on this machine with the same folders, instead of loading index and models again."""

import queue
import sys
import threading
from typing import TYPE_CHECKING

from ingest.settings import Settings
from retrieval.server.local_address import FAMILY, NOT_PROVED, LocalAddress, address_file, program_version, read_address
from retrieval.server.shell_question import ShellQuestion

if TYPE_CHECKING:
    from retrieval.search.answer import Answer

ALIVE_S = 1.0  # until the server has shown that it is the right one and answers
ANSWER_S = 5.0  # from then on: many people may be asking it
SLOW = "note: a running server does not answer, so this command searches by itself"


def ask_server(question: ShellQuestion, settings: Settings) -> "Answer | None":
    """Return the answer of the server of these folders. None if none runs, or it cannot answer as this command would.

    A line on stderr says so if one runs, but does not answer in time.
    """
    address = read_address(address_file(settings.data, settings.indexes))
    if address is None or address.program != program_version():
        return None
    asking = _Asking(address, question)
    asking.start()
    try:
        if not asking.replies.get(timeout=ALIVE_S):
            return None
        sent = asking.replies.get(timeout=ANSWER_S)
    except queue.Empty:
        print(SLOW, file=sys.stderr)
        return None
    return _read(sent) if sent else None


class _Asking(threading.Thread):
    """Asks without a limit of time, in a thread that the command need not wait for.

    `replies` gets b"alive" when the server has proved that it knows the key, and then its answer. It gets nothing but
    b"" if there is no answer.
    """

    def __init__(self, address: LocalAddress, question: ShellQuestion) -> None:
        super().__init__(name="question to the server", daemon=True)
        self.replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._address, self._question = address, question

    def run(self) -> None:
        from multiprocessing.connection import Client, answer_challenge, deliver_challenge

        try:
            with Client(self._address.address, FAMILY) as server:
                answer_challenge(server, self._address.proof_key("command"))
                deliver_challenge(server, self._address.proof_key("server"))
                self.replies.put(b"alive")
                server.send_bytes(self._question.model_dump_json().encode())
                self.replies.put(server.recv_bytes())
        except (OSError, EOFError, ValueError, *NOT_PROVED):  # killed, stopping, or another program
            self.replies.put(b"")


def _read(sent: bytes) -> "Answer | None":
    from pydantic import ValidationError

    from retrieval.search.answer import Answer

    try:
        return Answer.model_validate_json(sent)
    except ValidationError:
        return None
