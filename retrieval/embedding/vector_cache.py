"""Texts and an encoder -> vectors, cached on disk so that each text is encoded once.

Everything in the cache can be made again, so nothing in it is trusted. A vector that fails a check is encoded again. A
file that SQLite calls damaged is rebuilt from the rows that can still be read.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.cache_file import (
    BATCH,
    COLUMNS,
    ERRORS,
    SUMS,
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
from retrieval.embedding.token_sums import Cuts, TokenSums
from retrieval.embedding.unit import unit_length
from retrieval.errors import RetrievalError
from scraper import files
from scraper.disk import read_through

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Item = TypeVar("Item")
PartsKey = tuple[bytes, Cuts]  # the key of a text, and where its parts start
NewRow = tuple[bytes, bytes, bytes]  # encoder, sha256 of the text, vector
Save = Callable[[Sequence[NewRow]], None]

CHECKPOINTS = 100  # tries to empty the write-ahead log, each after the busy timeout or a tenth of a second
SAVE_EVERY = 1024  # texts between two saves, until their speed is known
SAVE_AFTER_S = 10.0  # of encoding: a killed build loses what was encoded in the last 20 s
SAVE_AT_MOST = 65_536  # texts, for their memory
MAX_NAMED = 3  # texts whose damaged vectors are named
MAX_CHARS = 60  # of such a text


class VectorCache:
    """Vectors by (encoder, text) in one SQLite file: a rebuild encodes only what changed."""

    def __init__(self, path: Path) -> None:
        files.make_private(path.parent)
        self._path, self._in_use = path, threading.Lock()
        self._with(lambda _: None)

    def has(self, encoder: Encoder, texts: Iterable[str]) -> set[str]:
        """Return those texts whose vectors are in the cache and are not damaged, or that it never keeps."""
        if not encoder.cached:
            return set(texts)
        wanted = {text_key(text): text for text in texts}

        def find(db: sqlite3.Connection) -> set[str]:
            return {wanted[key] for key in _known(db, encoder, list(wanted))[0]}

        return self._with(find)

    def empty(self) -> bool:
        """Return whether it has no vector: those of static encoders are not kept."""
        return self._with(lambda db: next(encoders(db), None) is None)

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
        with Progress("encode", len(missing), progress, unit="texts") as shown, self._saver() as save:
            for chunk in paced(missing):
                vectors = _encoded(encoder, [wanted[key] for key in chunk])
                new = {key: vector.tobytes() for key, vector in zip(chunk, vectors, strict=True)}
                if encoder.cached:
                    save([(encoder.key.encode(), *row) for row in new.items()])
                known.update(new)
                shown.advance(len(chunk))
        if not keys:
            return np.zeros((0, encoder.dimension), np.float32), 0
        stacked = np.frombuffer(b"".join(known[key] for key in keys), np.float32)
        return stacked.reshape(len(keys), encoder.dimension), len(missing)

    def encode_parts(
        self, encoder: Encoder, texts: Sequence[str], cuts: Sequence[Cuts], *, progress: ProgressMode = "off"
    ) -> tuple[list[TokenSums | None], int]:
        """Return the parts of the vectors of texts, and how many texts were encoded for it.

        Call it before `encode`: what it encodes gives the vectors as well. A text has None if the encoder does not say
        what its parts are.

        Args:
            cuts: where the parts of each text start.
        """
        wanted = {(text_key(text), of): text for text, of in zip(texts, cuts, strict=True)}
        sums = self._with(lambda db: _known_sums(db, encoder, list(wanted)))
        missing = sorted((one for one in wanted if one not in sums), key=lambda one: len(wanted[one]))
        if missing and encoder.token_sums([], []) is not None:
            with Progress("encode", len(missing), progress, unit="texts") as shown, self._saver() as save:
                for keys in paced(missing, SAVE_EVERY // 8):  # these are the longest texts
                    sums |= self._encode_parts(encoder, {one: wanted[one] for one in keys}, save)
                    shown.advance(len(keys))
        encoded = sum(one in sums for one in missing)
        return [sums.get((text_key(text), of)) for text, of in zip(texts, cuts, strict=True)], encoded

    def without_parts(self, encoder: Encoder, texts: Sequence[str], cuts: Sequence[Cuts]) -> list[str]:
        """Return the texts whose parts `encode_parts` would encode."""
        if encoder.token_sums([], []) is None:
            return []
        wanted = {(text_key(text), of): text for text, of in zip(texts, cuts, strict=True)}
        known = self._with(lambda db: _known_sums(db, encoder, list(wanted)))
        return [text for one, text in wanted.items() if one not in known]

    def _encode_parts(self, encoder: Encoder, texts: Mapping[PartsKey, str], save: Save) -> dict[PartsKey, TokenSums]:
        """Encode texts, and save their parts, and the vectors that the cache does not have."""
        found = encoder.token_sums(list(texts.values()), [cuts for _, cuts in texts])
        assert found
        vectors = dict(zip((key for key, _ in texts), _checked(encoder, found[0]), strict=True))
        known = self._with(lambda db: _known(db, encoder, list(vectors))[0])
        sums, name = dict(zip(texts, found[1], strict=True)), encoder.key.encode()
        rows = [(name, key, vector.tobytes()) for key, vector in vectors.items() if key not in known]
        rows += [(name + SUMS, key, parts.to_bytes(cuts)) for (key, cuts), parts in sums.items()]
        save(rows)
        return sums

    @contextmanager
    def _saver(self) -> Iterator[Save]:
        """Yield a function that saves rows while the encoder continues. At the end, and on errors, all are saved.

        It first waits for the rows before, so that at most two steps of encoding are not saved.
        """
        with ThreadPoolExecutor(1) as pool:
            waiting: list[Future[None]] = []

            def save(rows: Sequence[NewRow]) -> None:
                if waiting:
                    waiting.pop().result()
                waiting.append(pool.submit(self._with, partial(_save, rows=rows)))

            yield save
            if waiting:
                waiting.pop().result()

    def _with(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        """Use the file. If it is damaged, rebuild it from what can be read of it, and use it once more.

        Raises:
            OSError: it cannot be read.
        """
        with self._in_use:
            return self._alone(use)

    def _alone(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return self._once(use)
        except ERRORS as error:
            if not is_damage(error):
                raise
        read_through(self._path)  # or vectors that cannot be read now would be lost
        try:
            return self._once(use)  # if SQLite has called an error of the disk damage, there may be none now
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
        return self._once(use)

    def _once(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        with closing(open_cache(self._path)) as db:
            return use(db)


def paced(items: Sequence[Item], first: int = SAVE_EVERY) -> Iterator[Sequence[Item]]:
    """Yield items in steps, each of so many as the one that used the step before can handle in SAVE_AFTER_S.

    The first step has `first` items. A step is at most four times as long as the one before.
    """
    start, size = 0, first
    while start < len(items):
        clock = time.monotonic()
        yield items[start : start + size]
        took = max(time.monotonic() - clock, 1e-6)
        start, size = start + size, max(1, min(SAVE_AT_MOST, 4 * size, int(size * SAVE_AFTER_S / took)))


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


def _known_sums(db: sqlite3.Connection, encoder: Encoder, wanted: Sequence[PartsKey]) -> dict[PartsKey, TokenSums]:
    """Return the sound parts of texts that are cut as they were."""
    found: dict[PartsKey, TokenSums] = {}
    for start in range(0, len(wanted), BATCH):
        chunk = wanted[start : start + BATCH]
        marks = ",".join("?" * len(chunk))
        select = f"SELECT {COLUMNS} FROM vectors WHERE encoder = ? AND text_sha256 IN ({marks})"  # noqa: S608
        rows: list[Row] = db.execute(select, [encoder.key + SUMS.decode(), *(key for key, _ in chunk)]).fetchall()
        raw = {row[1]: row[2] for row, right in zip(rows, sound(rows), strict=True) if right}
        for key, cuts in chunk:
            if key in raw and (sums := TokenSums.from_bytes(raw[key], cuts, encoder.dimension)):
                found[key, cuts] = sums
    return found


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    return _checked(encoder, encoder.passages(texts))


def _checked(encoder: Encoder, vectors: Vectors) -> Vectors:
    if not unit_length(vectors).all():
        raise RetrievalError(
            f"{encoder.name} returns vectors that do not have the length 1: use another encoder, or load its weights"
            " again if they worked before"
        )
    return vectors


def _save(db: sqlite3.Connection, rows: Sequence[NewRow]) -> None:
    with db:
        store(db, rows)


def _warning(path: Path, texts: Sequence[str]) -> str:
    """Describe texts whose vectors are damaged."""
    named = ", ".join(f'"{" ".join(text.split())[:MAX_CHARS]}"' for text in texts[:MAX_NAMED])
    more = f" and {len(texts) - MAX_NAMED} more" if len(texts) > MAX_NAMED else ""
    return f"{len(texts)} damaged vector{'s' * (len(texts) != 1)} in {path}: the texts are encoded again: {named}{more}"
