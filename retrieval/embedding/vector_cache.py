"""Texts and an encoder -> vectors, cached on disk so that each text is encoded once."""

import hashlib
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Encoder, Vectors

CHECKPOINTS = 100  # tries to empty the write-ahead log, each after the busy timeout or a tenth of a second
SAVE_EVERY = 1024  # texts between two saves: a killed build loses at most this many


def text_key(text: str) -> bytes:
    """Return what identifies a text in the cache: its sha256."""
    return hashlib.sha256(text.encode()).digest()


class VectorCache:
    """Vectors by (encoder, text) in one SQLite file: a rebuild encodes only what changed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with closing(self._open()) as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS vectors (encoder TEXT NOT NULL, text_sha256 BLOB NOT NULL,"
                " vector BLOB NOT NULL, PRIMARY KEY (encoder, text_sha256)) STRICT, WITHOUT ROWID"
            )

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=60.0)
        db.execute("PRAGMA journal_mode = WAL")
        return db

    def has(self, encoder: Encoder, texts: Iterable[str]) -> set[str]:
        """Return those texts whose vectors are in the cache."""
        with closing(self._open()) as db:
            find = "SELECT 1 FROM vectors WHERE encoder = ? AND text_sha256 = ?"
            return {text for text in texts if db.execute(find, (encoder.key, text_key(text))).fetchone()}

    def forget(self, keys: Collection[bytes]) -> None:
        """Delete the vectors of texts, of every encoder, and leave nothing of them in the file.

        Args:
            keys: of the texts, see `text_key`.

        Raises:
            sqlite3.OperationalError: other processes use the file without pause.
        """
        with closing(self._open()) as db:
            db.execute("PRAGMA secure_delete = ON")
            encoder = ""
            while row := db.execute("SELECT encoder FROM vectors WHERE encoder > ? LIMIT 1", (encoder,)).fetchone():
                encoder = row[0]
                with db:
                    db.executemany(
                        "DELETE FROM vectors WHERE encoder = ? AND text_sha256 = ?", [(encoder, key) for key in keys]
                    )
            db.execute("VACUUM")
            for _ in range(CHECKPOINTS):
                if not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    return
                time.sleep(0.1)
            raise sqlite3.OperationalError(f"other processes read {self._path} without pause")

    def encode(self, encoder: Encoder, texts: Sequence[str], *, progress: ProgressMode = "off") -> tuple[Vectors, int]:
        """Return the unit vectors of passages, shape (len(texts), dimension), and how many were not in the cache.

        New vectors are saved in steps, so an interrupted build resumes. An encoder without vectors gives shape
        (len(texts), 0).
        """
        if not encoder.dimension:
            return np.zeros((len(texts), 0), np.float32), 0
        keys = [text_key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known: dict[bytes, bytes] = {}
        with closing(self._open()) as db:
            ordered = list(wanted)
            for start in range(0, len(ordered), 500):
                chunk = ordered[start : start + 500]
                marks = ",".join("?" * len(chunk))
                known.update(
                    db.execute(
                        f"SELECT text_sha256, vector FROM vectors WHERE encoder = ? AND text_sha256 IN ({marks})",  # noqa: S608
                        [encoder.key, *chunk],
                    ).fetchall()
                )
            # by length, so that batches need little padding
            missing = sorted((key for key in ordered if key not in known), key=lambda key: len(wanted[key]))
            with Progress("encode", len(missing), progress, unit="texts") as shown:
                for start in range(0, len(missing), SAVE_EVERY):
                    chunk = missing[start : start + SAVE_EVERY]
                    vectors = encoder.passages([wanted[key] for key in chunk])
                    rows = [(key, vector.tobytes()) for key, vector in zip(chunk, vectors, strict=True)]
                    with db:
                        db.executemany(
                            "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", ((encoder.key, *row) for row in rows)
                        )
                    known.update(rows)
                    shown.advance(len(chunk))
        if not keys:
            return np.zeros((0, encoder.dimension), np.float32), 0
        stacked = np.frombuffer(b"".join(known[key] for key in keys), np.float32)
        return stacked.reshape(len(keys), encoder.dimension), len(missing)
