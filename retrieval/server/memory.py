"""Memory that nothing uses any more -> back to the system, or a server grows with each generation.

What a server has loaded stays. Python's garbage collector searches all of it again and again for reference cycles,
which stops every search for a third of a second. `settle` excludes it.
"""

import ctypes
import gc
import threading

AFTER_S = 5.0  # the searches that still use an old generation have ended by then
NEW_OBJECTS = 10_000  # that exist before the garbage collector searches them: those of several answers
LOADED_S = 60.0  # after the start of a server, its models are loaded


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


def settle() -> None:
    """Exclude all objects that exist now from garbage collection. Indexes have no cycles: they are freed without it.

    What is new is searched less often: an answer makes some thousand objects, nearly all without cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])


def settle_once_loaded() -> None:
    """Settle when a server that starts now has loaded its models."""
    timer = threading.Timer(LOADED_S, settle)
    timer.daemon = True
    timer.start()
