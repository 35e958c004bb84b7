"""Functions of Python that statements call: what one raises, such as Ctrl-C, is raised as it is.

SQLite reports an error of its own in its place.
"""

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def functions(db: sqlite3.Connection, **by_name: Callable[..., Any]) -> Iterator[None]:
    """Let the statements of a block call functions by these names. Only the main thread is interrupted by Ctrl-C."""
    for name, function in by_name.items():
        db.create_function(name, -1, function)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised: list[BaseException] = []
    usual = sys.unraisablehook

    def keep(what: Any) -> None:
        if what.object in by_name.values() and what.exc_value is not None:
            raised.append(what.exc_value)
        else:
            usual(what)

    sys.unraisablehook = keep
    sqlite3.enable_callback_tracebacks(True)  # or SQLite's module drops what was raised
    try:
        yield
    except sqlite3.OperationalError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        sqlite3.enable_callback_tracebacks(False)
        sys.unraisablehook = usual
