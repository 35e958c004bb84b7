"""Damaged definitions are compared with the known ones."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.database import FILE_NAME
from ingest.catalog.definitions import damaged


def test_a_long_definition_of_a_foreign_catalog_is_compared_at_once(tmp_path: Path) -> None:
    Catalog(tmp_path, create=True).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("DROP TABLE judgements")
        db.execute(f"CREATE TABLE other (a TEXT /* {'a TEXT, ' * 30_000} */)")
        db.commit()
    started = time.process_time()
    assert damaged(tmp_path / FILE_NAME) == {}, "a table is missing"
    assert time.process_time() - started < 2.0
