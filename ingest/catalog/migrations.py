"""The tables of the catalog, as the migrations that create them; `user_version` counts the applied ones."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from ingest.catalog import languages, sums
from ingest.catalog.entries import Segment, Text, TextKind
from ingest.catalog.functions import functions
from scraper import links
from scraper.records import Video

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
    """
    CREATE TABLE records (               -- every record met of a video; `videos` holds what they come to together
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        sha256 TEXT NOT NULL,            -- of `record`
        record TEXT NOT NULL,            -- the Video as JSON, comments and all
        scraped_at REAL NOT NULL,        -- unix seconds; 0 where the source does not say
        met_at REAL NOT NULL,            -- when it was imported: orders those whose source does not say
        PRIMARY KEY (video_id, sha256)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO records
    SELECT id, '', whole_record(videos.record, (
        SELECT json_group_array(json(record)) FROM (
            SELECT record FROM comments WHERE video_id = id ORDER BY position
        )
    )), scraped_at, imported_at FROM videos;
    UPDATE records SET sha256 = digest(record);
    CREATE TABLE files (                 -- what the last try to download each file came to
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('cover', 'video', 'slide', 'caption', 'page')),
        position INTEGER NOT NULL,       -- 0, or the number of the slide or caption from 0
        state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
        tries INTEGER NOT NULL,
        word TEXT NOT NULL,              -- the failure in one word
        error TEXT NOT NULL,             -- and in a sentence
        updated_at REAL NOT NULL,
        PRIMARY KEY (video_id, kind, position)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE media_2 (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('cover', 'video', 'slide', 'caption')),
        position INTEGER NOT NULL,       -- 0, or the number of the slide or caption from 0
        path TEXT NOT NULL,              -- relative to the data folder
        sha256 TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        source TEXT NOT NULL,            -- 'downloaded', 'imported' or 'frame'
        added_at REAL NOT NULL,
        PRIMARY KEY (video_id, kind, position)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO media_2 SELECT * FROM media;
    DROP TABLE media;
    ALTER TABLE media_2 RENAME TO media;
    """,
    """
    CREATE TABLE segments_3 (
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('cover', 'transcript')),
        position INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        text TEXT NOT NULL,
        avg_logprob REAL,                -- of speech: mean log-probability of its tokens
        no_speech REAL,                  -- of speech: the probability that nobody speaks
        PRIMARY KEY (video_id, kind, position)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO segments_3 SELECT video_id, 'transcript', position, start_s, end_s, text, NULL, NULL FROM segments;
    DROP TABLE segments;
    ALTER TABLE segments_3 RENAME TO segments;
    ALTER TABLE texts ADD COLUMN recipe TEXT NOT NULL DEFAULT '';  -- engine, model and settings: another makes it due
    """,
    """
    CREATE TABLE judgements (            -- "this is the one": which video a question was about
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        query TEXT NOT NULL,
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        time_s REAL,                     -- the moment in the video; NULL where none was meant
        generation TEXT NOT NULL,        -- that answered
        made_at REAL NOT NULL,
        UNIQUE (query, video_id)
    ) STRICT;
    """,
    """
    CREATE TABLE encounters (            -- in which lists, and when, a person met a video
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        list TEXT NOT NULL,              -- a ListKind of scraper/records.py
        name TEXT NOT NULL,              -- of a collection; else ''
        at TEXT NOT NULL,                -- UTC, 2024-03-03T10:00:00; '' if the source does not say
        PRIMARY KEY (video_id, list, name, at)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX encounters_by_list ON encounters (list, name, at);
    CREATE INDEX media_by_content ON media (sha256);
    CREATE TABLE origins (               -- the files that a video was imported from
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        path TEXT NOT NULL,              -- absolute, as it was at the time
        PRIMARY KEY (video_id, path)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE removals (              -- what a person removed: hidden at once, erased later, not imported again
        video_id TEXT NOT NULL,          -- no reference: the line stays when the video is erased
        list TEXT NOT NULL,              -- '': the video; else only its encounters in this list
        name TEXT NOT NULL,              -- of a collection; else ''
        removed_at REAL NOT NULL,        -- unix seconds
        erased INTEGER NOT NULL,         -- 0: hidden; 2: is being erased; 1: nothing of it is left
        PRIMARY KEY (video_id, list, name)
    ) STRICT, WITHOUT ROWID;
    UPDATE videos SET record = dated(id, record), sha256 = digest(dated(id, record)) WHERE dated(id, record) != record;
    CREATE TABLE problems (              -- what the last import of each file could not take
        file TEXT NOT NULL,
        place INTEGER NOT NULL,          -- the index in the file; -1: the file as a whole
        reason TEXT NOT NULL,
        met_at REAL NOT NULL,            -- unix seconds
        PRIMARY KEY (file, place, reason)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE short_links (           -- links without an id, such as https://vm.tiktok.com/.../
        link TEXT NOT NULL PRIMARY KEY,
        target TEXT NOT NULL             -- the address of the video; '' if there is none
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE INDEX IF NOT EXISTS media_by_content ON media (sha256);  -- some catalogs of format 5 are without it
    CREATE TABLE sums (                  -- of every part of the catalog: see sums.py; `migrate` fills it
        item TEXT NOT NULL,              -- a video, the number of a judgement, or '' for a whole table
        part TEXT NOT NULL,
        sum BLOB NOT NULL,
        PRIMARY KEY (item, part)
    ) STRICT, WITHOUT ROWID;
    UPDATE videos SET sha256 = digest(record || (
        SELECT ifnull(group_concat(char(10) || record, ''), '') FROM (
            SELECT record FROM comments WHERE video_id = videos.id ORDER BY position
        )
    ));                                  -- earlier formats left the comments out of some
    ALTER TABLE ledger ADD COLUMN note TEXT;  -- why the text of a stage that is done is empty; NULL if it is not
    """,
    """
    ALTER TABLE videos ADD COLUMN description_languages TEXT NOT NULL DEFAULT '';  -- see languages.py
    ALTER TABLE videos ADD COLUMN comment_languages TEXT NOT NULL DEFAULT '';
    ALTER TABLE texts ADD COLUMN languages TEXT NOT NULL DEFAULT '';  -- `language` is the main one as the engine says
    UPDATE videos SET description_languages = description_languages(record), comment_languages = comment_languages((
        SELECT json_group_array(record) FROM (SELECT record FROM comments WHERE video_id = id ORDER BY position)
    ));
    UPDATE texts SET languages = text_languages(text, kind, language, (
        SELECT json_group_array(segments.text) FROM segments
        WHERE segments.video_id = texts.video_id AND segments.kind = texts.kind
    )) WHERE text != '';
    """,
    """
    CREATE TABLE changes (               -- the videos that have changed last: see sums.py
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        item TEXT NOT NULL UNIQUE        -- the id of a video; '': look at all of them
    ) STRICT;
    """,
)


def digest(text: str) -> str:
    """The sha256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _whole_record(record: str, comments: str) -> str:
    """Join a record and its comments, which the first format kept apart, into a record of today's form."""
    return Video.model_validate(json.loads(record) | {"comments": json.loads(comments)}).model_dump_json(
        exclude_defaults=True
    )


def _dated(video_id: str, record: str) -> str:
    """A record with the day in its id, if it has none; exports had no dates before."""
    values, day = json.loads(record), links.posted(video_id)
    if values.get("posted") or day is None:
        return record
    return Video.model_validate(values | {"posted": day}).model_dump_json(exclude={"comments"}, exclude_defaults=True)


def _comment_languages(records: str) -> str:
    return languages.of_comments(json.loads(records))


def _text_languages(text: str, kind: TextKind, stated: str, segments: str) -> str:
    timed = [Segment(0.0, 0.0, segment) for segment in json.loads(segments)]
    return languages.of_text(Text(text, "", language=stated, segments=timed), kind)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "digest": digest,
    "whole_record": _whole_record,
    "dated": _dated,
    "description_languages": languages.of_description,
    "comment_languages": _comment_languages,
    "text_languages": _text_languages,
}


SUMMED = 7  # the format of the last migration that changes something of which there are sums


class NewerFormat(Exception):
    """The file has migrations that this program does not know."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring a catalog (in autocommit mode) to the latest format. A new file has no migration applied.

    Raises:
        NewerFormat: a newer program made it.
    """
    before = version(db)
    if before < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")  # a second process waits here, and then finds the work done
        try:
            with functions(db, **_FUNCTIONS):
                for applied in range(version(db), len(MIGRATIONS)):
                    for statement in _statements(MIGRATIONS[applied]):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {applied + 1}")
            if before < SUMMED:
                sums.fill(db)
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
    if version(db) > len(MIGRATIONS):
        raise NewerFormat(f"format {version(db)}, this one knows {len(MIGRATIONS)}")


def version(db: sqlite3.Connection) -> int:
    """The number of migrations that a catalog has."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of an SQL script one by one: `executescript` would commit the current transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
