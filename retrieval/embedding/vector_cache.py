"""Texts and an encoder -> vectors, cached on disk so that each text is encoded once.

Everything in the cache can be made again, so nothing in it is trusted. A vector that fails a check is encoded again. A
file that SQLite calls damaged is rebuilt from the rows that can still be read.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.cache_file import (
    BATCH,
    COLUMNS,
    ERRORS,
    Row,
    encoders,
    is_damage,
    open_cache,
    rebuild,
    sound,
    store,
    text_key,
)
from retrieval.embedding.encoder import Encoder, Vectors
from retrieval.embedding.unit import unit_length
from retrieval.errors import RetrievalError
from scraper import files

log = logging.getLogger(__name__)
Result = TypeVar("Result")

CHECKPOINTS = 100  # tries to empty the write-ahead log, each after the busy timeout or a tenth of a second
SAVE_EVERY = 1024  # texts between two saves: a killed build loses at most this many
MAX_NAMED = 3  # texts whose damaged vectors are named
MAX_CHARS = 60  # of such a text


class VectorCache:
    """Vectors by (encoder, text) in one SQLite file: a rebuild encodes only what changed."""

    def __init__(self, path: Path) -> None:
        files.make_private(path.parent)
        self._path = path
        self._with(lambda _: None)

    def has(self, encoder: Encoder, texts: Iterable[str]) -> set[str]:
        """Return those texts whose vectors are in the cache and are not damaged."""
        wanted = {text_key(text): text for text in texts}

        def find(db: sqlite3.Connection) -> set[str]:
            return {wanted[key] for key in _known(db, encoder, list(wanted))[0]}

        return self._with(find)

    def forget(self, keys: Collection[bytes]) -> None:
        """Delete the vectors of texts, of every encoder, and leave nothing of them in the file.

        Args:
            keys: of the texts, see `text_key`.

        Raises:
            sqlite3.OperationalError: other processes use the file without pause.
        """

        def delete(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA secure_delete = ON")
            for encoder in encoders(db):
                with db:
                    db.executemany(
                        "DELETE FROM vectors WHERE encoder = CAST(? AS TEXT) AND text_sha256 = ?",
                        [(encoder, key) for key in keys],
                    )
            db.execute("VACUUM")
            for _ in range(CHECKPOINTS):
                if not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    return
                time.sleep(0.1)
            raise sqlite3.OperationalError(f"other processes read {self._path} without pause")

        files.remove_leftovers(self._path)
        self._with(delete)

    def encode(self, encoder: Encoder, texts: Sequence[str], *, progress: ProgressMode = "off") -> tuple[Vectors, int]:
        """Return the unit vectors of passages, shape (len(texts), dimension), and how many were not in the cache.

        New vectors are saved in steps, so an interrupted build resumes. A vector in the cache whose length or checksum
        is wrong is encoded again, with a warning that names its text. An encoder without vectors gives shape
        (len(texts), 0).

        Raises:
            RetrievalError: the encoder returns vectors that do not have the length 1.
        """
        if not encoder.dimension:
            return np.zeros((len(texts), 0), np.float32), 0
        keys = [text_key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known, damaged = self._with(lambda db: _known(db, encoder, list(wanted), seal=True))
        if damaged:
            log.warning("%s", _warning(self._path, [wanted[key] for key in damaged]))
        # by length, so that batches need little padding
        missing = sorted((key for key in wanted if key not in known), key=lambda key: len(wanted[key]))
        with Progress("encode", len(missing), progress, unit="texts") as shown:
            for start in range(0, len(missing), SAVE_EVERY):
                chunk = missing[start : start + SAVE_EVERY]
                vectors = _encoded(encoder, [wanted[key] for key in chunk])
                new = {key: vector.tobytes() for key, vector in zip(chunk, vectors, strict=True)}
                self._with(partial(_save, rows=[(encoder.key.encode(), *row) for row in new.items()]))
                known.update(new)
                shown.advance(len(chunk))
        if not keys:
            return np.zeros((0, encoder.dimension), np.float32), 0
        stacked = np.frombuffer(b"".join(known[key] for key in keys), np.float32)
        return stacked.reshape(len(keys), encoder.dimension), len(missing)

    def _with(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        """Use the file. If it is damaged, rebuild it from what can be read of it, and use it once more."""
        try:
            with closing(open_cache(self._path)) as db:
                return use(db)
        except ERRORS as error:
            if not is_damage(error):
                raise
            kept = rebuild(self._path)
            log.warning(
                "the vector cache %s was damaged (%s): it was rebuilt with %d vectors that could be read; the others"
                " are encoded again when they are needed",
                self._path,
                error,
                kept,
            )
        with closing(open_cache(self._path)) as db:
            return use(db)


def _known(
    db: sqlite3.Connection, encoder: Encoder, keys: Sequence[bytes], *, seal: bool = False
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Return the sound vectors by key, and the keys of the damaged ones. If `seal`, store the checksums that vectors of
    an earlier version lack."""
    known: dict[bytes, bytes] = {}
    damaged: list[bytes] = []
    name = encoder.key.encode()
    for start in range(0, len(keys), BATCH):
        chunk = keys[start : start + BATCH]
        marks = ",".join("?" * len(chunk))
        found = f"SELECT {COLUMNS} FROM vectors WHERE encoder = ? AND text_sha256 IN ({marks})"  # noqa: S608
        rows: list[Row] = db.execute(found, [encoder.key, *chunk]).fetchall()
        right = sound(rows, encoder.dimension)
        damaged += [row[1] for row, good in zip(rows, right, strict=True) if not good]
        good_rows = [row for row, good in zip(rows, right, strict=True) if good]
        known.update((key, vector) for _, key, vector, _ in good_rows)
        if seal and (unsealed := [(name, key, vector) for _, key, vector, found in good_rows if found is None]):
            with db:
                store(db, unsealed)
    return known, damaged


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    vectors = encoder.passages(texts)
    if not unit_length(vectors).all():
        raise RetrievalError(
            f"{encoder.name} returns vectors that do not have the length 1: use another encoder, or load its weights"
            " again if they worked before"
        )
    return vectors


def _save(db: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes, bytes]]) -> None:
    with db:
        store(db, rows)


def _warning(path: Path, texts: Sequence[str]) -> str:
    """Describe texts whose vectors are damaged."""
    named = ", ".join(f'"{" ".join(text.split())[:MAX_CHARS]}"' for text in texts[:MAX_NAMED])
    more = f" and {len(texts) - MAX_NAMED} more" if len(texts) > MAX_NAMED else ""
    return f"{len(texts)} damaged vector{'s' * (len(texts) != 1)} in {path}: the texts are encoded again: {named}{more}"
