"""The tables of the catalogue, as the migrations that make them; `user_version` counts those that have been applied."""

import sqlite3
from collections.abc import Iterator

MIGRATIONS = (
    """
    CREATE TABLE videos (
        id TEXT PRIMARY KEY,
        record TEXT NOT NULL,            -- the Video as JSON, without its comments
        sha256 TEXT NOT NULL,            -- of record and comments: tells a changed scrape from a repeated one
        scraped_at REAL NOT NULL,        -- unix seconds; 0 where the source does not say
        imported_at REAL NOT NULL
    ) STRICT;
    CREATE TABLE comments (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        position INTEGER NOT NULL,
        record TEXT NOT NULL,            -- the Comment as JSON
        PRIMARY KEY (video_id, position)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE media (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('cover', 'video', 'slide')),
        position INTEGER NOT NULL,       -- 0, or the number of the slide from 0
        path TEXT NOT NULL,              -- relative to the data folder
        sha256 TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        source TEXT NOT NULL,            -- the link or 'imported' or 'frame'
        added_at REAL NOT NULL,
        PRIMARY KEY (video_id, kind, position)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE texts (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('cover', 'transcript')),
        text TEXT,                       -- NULL: unreadable, '': nothing there
        language TEXT NOT NULL,
        engine TEXT NOT NULL,
        version TEXT NOT NULL,
        model TEXT NOT NULL,
        confidence REAL,                 -- 0 to 1, as the engine means it
        made_at REAL NOT NULL,
        PRIMARY KEY (video_id, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE segments (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        position INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (video_id, position)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ledger (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        stage TEXT NOT NULL CHECK (stage IN ('download', 'ocr', 'transcribe')),
        state TEXT NOT NULL CHECK (state IN ('due', 'done', 'failed', 'absent')),
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        updated_at REAL NOT NULL,
        PRIMARY KEY (video_id, stage)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX ledger_by_state ON ledger (stage, state, video_id);
    """,
)


class NewerFormat(Exception):
    """The file has migrations that this program does not know."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring a catalogue (in autocommit mode) to the latest format; a new file is one without any migration.

    Raises:
        NewerFormat: a newer program made it.
    """
    if _version(db) < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")  # a second process waits here, then finds the work done
        try:
            for version in range(_version(db), len(MIGRATIONS)):
                for statement in _statements(MIGRATIONS[version]):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
    if _version(db) > len(MIGRATIONS):
        raise NewerFormat(f"format {_version(db)}, this one knows {len(MIGRATIONS)}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of an SQL script one by one: `executescript` would commit the transaction they belong to."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
