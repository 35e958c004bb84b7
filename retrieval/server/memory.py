"""Memory that nothing uses any more -> back to the system, or a server grows with each generation."""

import ctypes
import threading

AFTER_S = 5.0  # the searches that still use an old generation have ended by then


def give_back() -> None:
    """Return all memory that is free within this process. Only glibc has a way to do that."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another system, or another C library
        return


def give_back_soon() -> None:
    """Return free memory in a few seconds, on another thread."""
    timer = threading.Timer(AFTER_S, give_back)
    timer.daemon = True
    timer.start()
