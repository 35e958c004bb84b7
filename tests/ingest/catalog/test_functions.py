"""Functions of Python in SQL."""

import _thread
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingest.catalog.functions import functions

MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT sum(f(i)) FROM n"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as db:
        yield db


def test_ctrl_c_within_a_function_is_ctrl_c(db: sqlite3.Connection) -> None:
    def slow(number: int) -> int:
        time.sleep(0.0001)
        return number

    pressed = threading.Timer(0.2, _thread.interrupt_main)
    pressed.start()
    with pytest.raises(KeyboardInterrupt), functions(db, f=slow):
        db.execute(MANY)
    pressed.join()


def test_an_error_of_a_function_is_raised_as_it_is(db: sqlite3.Connection) -> None:
    hook = sys.unraisablehook
    with pytest.raises(ZeroDivisionError), functions(db, f=lambda number: 1 // (number - 3)):
        db.execute(MANY)
    assert sys.unraisablehook is hook


def test_an_error_of_a_statement_stays_what_it_is(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), functions(db, f=abs):
        db.execute("SELECT f(1) FROM nowhere")


def test_functions_work_in_any_thread(db: sqlite3.Connection) -> None:
    found: list[int] = []

    def ask() -> None:
        with closing(sqlite3.connect(":memory:")) as own, functions(own, f=abs):
            found.extend(own.execute("SELECT f(-3)").fetchone())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == [3]
