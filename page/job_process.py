"""One command -> run to its end, or stopped with all its processes when the one who asked for it lets go of a pipe.

Standard input is that pipe: when it closes, because Stop was pressed or because the server is gone in whatever way, the
command is interrupted as by Ctrl-C, and killed where it does not end in time. `python -m page.keeper COMMAND...`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

NICE = 10  # searches on the same machine stay quick
GRACE_S = 10.0  # an item at work may be finished and its worker processes ended; nothing needs longer


def keep(command: list[str]) -> int:
    """Run a command in a process group of its own; returns its exit status."""
    os.nice(NICE)
    # a server in the background of a shell ignores SIGINT, and so would all it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_stop_at_end_of_pipe, args=(child,), daemon=True).start()
    status = child.wait()
    _signal(child, signal.SIGKILL)  # workers that it left behind
    return status


def _stop_at_end_of_pipe(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):  # sys.stdin has a lock that would be in the way when the process ends
        pass
    deadline = time.monotonic() + GRACE_S
    _signal(child, signal.SIGINT)
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    """To the whole group, whose number is that of its first process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    status = keep(sys.argv[1:])
    sys.exit(128 - status if status < 0 else status)
