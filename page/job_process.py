"""One command -> run to its end, or stopped with all its processes when a pipe closes.

Standard input is that pipe. It closes when somebody presses Stop, or when the server ends, however that happens. The
command is then interrupted as by Ctrl-C, and killed if it does not end in time: `python -m page.job_process COMMAND`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

NICE = 10  # so that searches on the same machine stay fast
GRACE_S = 10.0  # enough to finish the current item and end the worker processes


def run(command: list[str]) -> int:
    """Run a command in its own process group; return its exit status."""
    os.nice(NICE)
    # a server in the background of a shell ignores SIGINT, and its children would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_stop_at_end_of_pipe, args=(child,), daemon=True).start()
    status = child.wait()
    _signal(child, signal.SIGKILL)  # workers that are still running
    return status


def _stop_at_end_of_pipe(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would block the end of the process
        pass
    deadline = time.monotonic() + GRACE_S
    _signal(child, signal.SIGINT)
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to the process group, whose id is that of its first process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    status = run(sys.argv[1:])
    sys.exit(128 - status if status < 0 else status)
