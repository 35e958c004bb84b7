"""Known errors -> one line on stderr and an exit code. Anything else is a bug and keeps its traceback."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ingest.commands.output import printable
from ingest.settings import SettingsError
from scraper.errors import Locked, UserError

FAILED = 1  # some or all items could not be processed, or a known error
USAGE = 2  # wrong usage, also a bad environment variable
LOCKED = 3  # another process holds the lock
INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT
CLOSED_PIPE = 141  # the reader of stdout is gone, as in `status | head`: 128 + SIGPIPE


@contextmanager
def known_errors(*, resumes: bool = False) -> Iterator[None]:
    """End the command with one line and the right exit code if a known error occurs.

    Args:
        resumes: Whether to say that an interrupted command resumes if it is run again.
    """
    try:
        yield
    except SettingsError as error:
        stop(str(error), USAGE)
    except Locked as error:
        stop(str(error), LOCKED)
    except UserError as error:
        stop(str(error), FAILED)
    except BrokenPipeError:
        _close_stdout()
        raise typer.Exit(CLOSED_PIPE) from None
    except KeyboardInterrupt:
        hint = " Finished items are kept, and the same command resumes." if resumes else ""
        print(f"Stopped.{hint}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except sqlite3.OperationalError as error:
        from ingest.catalog.database import is_busy

        if is_busy(error):
            stop(f"another process is writing to the database ({error}): try again later", LOCKED)
        stop(_explained(error), FAILED)
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its other subclasses are mistakes of this program
            raise
        stop(f"a database file is damaged ({error}): `tiktok-retrieval check` says which, and repairs it", FAILED)
    except OSError as error:
        try:
            flush()
        except OSError:  # stdout itself is full; another attempt at exit would change the exit code to 120
            _close_stdout()
        stop(_explained(error), FAILED)


def _explained(error: sqlite3.Error | OSError) -> str:
    from scraper.disk import explain

    return str(explain(error) or f"a file cannot be read or written: {error}")


def stop(message: str, code: int) -> NoReturn:
    """Print one line and exit."""
    print(f"error: {printable(message)}", file=sys.stderr)
    raise typer.Exit(code)


def flush() -> None:
    """Write buffered output now, while errors can still be handled."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _close_stdout() -> None:
    """Send what is still buffered nowhere: the interpreter flushes stdout once more when it exits."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
