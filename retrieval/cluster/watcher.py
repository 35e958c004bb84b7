"""Say why a server on a cluster has ended.

Ray ends the processes that use it at once, and without a message, when its own process on their machine is gone: after
it is stopped or killed, or a minute after it has lost the head. So a small process waits for the end of this one.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_WAIT = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
if not sys.stdin.buffer.read():
    sys.exit(sys.argv[1])
"""


@contextlib.contextmanager
def watched(address: str) -> Iterator[None]:
    """Print an error if this process ends within the block, which it cannot do by itself.

    Args:
        address: of the cluster.
    """
    message = (
        f"error: serve has ended: it was killed, or Ray has ended it because the cluster at {address} is gone. If"
        " `ray status` finds none, start Ray again, then run the same command"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", _WAIT, message], stdin=subprocess.PIPE) as watcher:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # somebody has killed it
                watcher.communicate(b"the end is a regular one")
