import errno
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding import cache_file, vector_cache
from retrieval.embedding.cache_file import CacheReport, text_key
from retrieval.embedding.encoder import KeywordOnly, Vectors
from retrieval.embedding.vector_cache import SAVE_EVERY, VectorCache, paced
from retrieval.errors import RetrievalError
from tests.retrieval.fake_encoder import FakeEncoder


def test_each_new_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    first, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, ["one", "two", "one"])
    assert encoded == encoder.texts == 2 and np.array_equal(first[0], first[2])
    again, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, ["two", "three", "one"])
    assert encoded == 1 and np.array_equal(again[2], first[0]) and np.array_equal(again[0], first[1])


def test_vectors_of_another_encoder_key_are_not_used(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.encode(FakeEncoder("fp32"), ["one"])
    assert cache.encode(FakeEncoder("bf16"), ["one"])[1] == 1


def test_no_texts_give_an_empty_matrix(tmp_path: Path) -> None:
    vectors, encoded = VectorCache(tmp_path / "v.sqlite").encode(FakeEncoder(dimension=8), [])
    assert vectors.shape == (0, 8) and encoded == 0


def test_an_encoder_without_vectors_gives_rows_without_columns(tmp_path: Path) -> None:
    vectors, encoded = VectorCache(tmp_path / "v.sqlite").encode(KeywordOnly(), ["one", "two"])
    assert vectors.shape == (2, 0) and encoded == 0


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    class Interrupted(FakeEncoder):
        def passages(self, texts):  # type: ignore[no-untyped-def]
            if self.texts:
                raise KeyboardInterrupt
            return super().passages(texts)

    texts = [f"text {number}" for number in range(SAVE_EVERY + 1)]
    cache = VectorCache(tmp_path / "v.sqlite")
    try:
        cache.encode(Interrupted(), texts)
    except KeyboardInterrupt:
        assert cache.encode(FakeEncoder(), texts)[1] == 1
    else:
        raise AssertionError("the second batch was not interrupted")


TEXTS = [f"text {number}" for number in range(300)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with the vectors of TEXTS, as one file without a log."""
    path = tmp_path / "v.sqlite"
    VectorCache(path).encode(FakeEncoder(), TEXTS)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


def stored(path: Path, text: str) -> bytes:
    with closing(sqlite3.connect(path)) as db:
        find = "SELECT vector FROM vectors WHERE text_sha256 = ?"
        return bytes(db.execute(find, (text_key(text),)).fetchone()[0])


def encoded_again(path: Path) -> int:
    """Encode TEXTS once more, check the vectors, and return how many of them were not taken from the cache."""
    encoder = FakeEncoder()
    vectors, encoded = VectorCache(path).encode(encoder, TEXTS)
    assert np.array_equal(vectors, FakeEncoder().passages(TEXTS)) and encoder.texts == encoded
    return encoded


def test_a_flipped_bit_in_the_cache_is_encoded_again_and_named(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    vector = stored(cache, TEXTS[7])
    raw = cache.read_bytes()
    place = raw.index(vector)
    for offset in (0, 3, len(vector) - 1):
        cache.write_bytes(raw[: place + offset] + bytes([raw[place + offset] ^ 1]) + raw[place + offset + 1 :])
        assert not VectorCache(cache).has(FakeEncoder(), [TEXTS[7]])
        assert not cache_file.verify(cache).sound and encoded_again(cache) == 1 and encoded_again(cache) == 0
        assert cache_file.verify(cache) == CacheReport(vectors=len(TEXTS))
    assert "1 damaged vector in" in caplog.text and '"text 7"' in caplog.text


@pytest.mark.parametrize("bad", ["short", "zero", "long", "nan", "other"])
def test_without_a_checksum_size_length_and_finiteness_are_checked(cache: Path, bad: str) -> None:
    good = np.frombuffer(stored(cache, TEXTS[0]), np.float32)
    vector = {
        "short": good[:-1],
        "zero": good * 0,
        "long": good * np.float32(1.01),
        "nan": np.where(np.arange(len(good)) == 3, np.nan, good).astype(np.float32),
        "other": good.astype(np.float64),
    }[bad]
    change(
        cache,
        "UPDATE vectors SET vector = ?, checksum = NULL WHERE text_sha256 = ?",
        vector.tobytes(),
        text_key(TEXTS[0]),
    )
    assert encoded_again(cache) == 1


def test_a_vector_of_another_text_is_noticed(cache: Path) -> None:
    change(
        cache,
        "UPDATE vectors SET (vector, checksum) = (SELECT vector, checksum FROM vectors WHERE text_sha256 = ?)"
        " WHERE text_sha256 = ?",
        text_key(TEXTS[1]),
        text_key(TEXTS[2]),
    )
    assert encoded_again(cache) == 1


def test_a_cache_of_an_earlier_version_is_used_and_gets_checksums(cache: Path) -> None:
    with closing(sqlite3.connect(cache)) as db, db:
        db.execute("ALTER TABLE vectors DROP COLUMN checksum")
    assert cache_file.verify(cache) == CacheReport(vectors=len(TEXTS), unsealed=len(TEXTS))
    assert encoded_again(cache) == 0
    assert cache_file.verify(cache) == CacheReport(vectors=len(TEXTS))


@pytest.mark.parametrize("damage", ["header", "format", "page", "shorter", "empty", "text", "table"])
def test_a_damaged_file_is_rebuilt_and_keeps_what_can_be_read(cache: Path, damage: str) -> None:
    raw = bytearray(cache.read_bytes())
    middle = len(raw) // 2 // 4096 * 4096
    if damage == "header":
        raw[5] ^= 1
    elif damage == "format":
        raw[18] ^= 4
    elif damage == "page":
        raw[middle : middle + 4096] = b"\xff" * 4096
    elif damage == "table":
        raw[raw.index(b"text_sha256 BLOB") + 2] ^= 128  # no UTF-8
    cut = {"shorter": bytes(raw[: middle + 100]), "empty": b"", "text": b"not a database"}
    cache.write_bytes(cut.get(damage, bytes(raw)))
    encoded = encoded_again(cache)
    if damage in ("page", "format"):
        assert encoded < len(TEXTS) / 2
    assert encoded_again(cache) == 0 and cache_file.verify(cache).sound
    assert not list(cache.parent.glob(".*"))


def test_an_error_of_the_disk_that_sqlite_calls_damage_loses_no_vector(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_once(path: Path) -> sqlite3.Connection:
        monkeypatch.undo()
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(vector_cache, "open_cache", fail_once)
    assert VectorCache(cache).has(FakeEncoder(), TEXTS) == set(TEXTS)
    assert not caplog.text


def test_a_damaged_file_that_cannot_be_read_to_its_end_is_left_as_it_is(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    raw = bytearray(cache.read_bytes())
    raw[5] ^= 1
    cache.write_bytes(raw)
    monkeypatch.setattr(vector_cache, "read_through", fail)
    with pytest.raises(OSError, match="Input/output error"):
        VectorCache(cache)
    assert cache.read_bytes() == raw


def test_a_full_disk_is_not_called_damage(cache: Path) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert not cache_file.is_damage(error)


def test_an_encoder_whose_vectors_are_no_unit_vectors_is_refused(tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def passages(self, texts: Sequence[str]) -> Vectors:
            return super().passages(texts) * np.float32(np.nan)

    with pytest.raises(RetrievalError, match="length 1"):
        VectorCache(tmp_path / "v.sqlite").encode(Broken(), ["one"])


def test_forgetting_a_text_works_with_a_damaged_file(cache: Path) -> None:
    raw = cache.read_bytes()
    cache.write_bytes(raw[: len(raw) // 2])
    VectorCache(cache).forget([text_key(text) for text in TEXTS[:200]])
    assert not VectorCache(cache).has(FakeEncoder(), TEXTS[:200]) and cache_file.verify(cache).sound


def test_a_cache_is_checked_where_nothing_can_be_written(cache: Path) -> None:
    cache.with_name(f"{cache.name}-shm").mkdir()  # SQLite fails as it does where it cannot make this file
    assert cache_file.verify(cache) == CacheReport(len(set(TEXTS)))


def test_vectors_are_saved_in_steps_of_about_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("retrieval.embedding.vector_cache.time.monotonic", lambda: now[0])
    steps = []
    for chunk in paced(list(range(100_000)), first=1_000):
        steps.append(len(chunk))
        now[0] += len(chunk) / (2_000 if len(steps) < 5 else 100)  # a second, and then slower
    assert steps[:5] == [1_000, 4_000, 16_000, 20_000, 20_000] and set(steps[5:-1]) == {1_000}
    assert sum(steps) == 100_000


def test_an_encoder_goes_on_while_vectors_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoding, saved = threading.Event(), []

    def save(db: sqlite3.Connection, rows: Sequence[object]) -> None:
        saved.append((len(rows), encoding.wait(10)))

    class Counting(FakeEncoder):
        def passages(self, texts: Sequence[str]) -> Vectors:
            if self.texts:  # the second step
                encoding.set()
            return super().passages(texts)

    monkeypatch.setattr("retrieval.embedding.vector_cache._save", save)
    VectorCache(tmp_path / "v.sqlite").encode(Counting(dimension=4), [f"text {n}" for n in range(SAVE_EVERY + 1)])
    assert saved == [(SAVE_EVERY, True), (1, True)]


def test_a_full_disk_while_vectors_are_saved_ends_the_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(db: sqlite3.Connection, rows: Sequence[object]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("retrieval.embedding.vector_cache._save", save)
    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        VectorCache(tmp_path / "v.sqlite").encode(FakeEncoder(), ["one"])


def test_a_vector_takes_no_more_than_twice_its_size_on_disk(tmp_path: Path) -> None:
    path, dimension = tmp_path / "v.sqlite", 384
    VectorCache(path).encode(FakeEncoder(dimension=dimension), [f"text {number}" for number in range(600)])
    assert path.stat().st_size < 600 * dimension * 4 * 2


def test_vectors_of_a_table_of_words_are_not_kept(tmp_path: Path) -> None:
    encoder, cache = FakeEncoder(), VectorCache(tmp_path / "v.sqlite")
    encoder.cached = False
    first, _ = cache.encode(encoder, ["one", "two"])
    assert cache.has(encoder, ["one", "three"]) == {"one", "three"}, "a build need not say that it encodes them"
    encoder.cached = True
    assert cache.has(encoder, ["one"]) == set()
    np.testing.assert_array_equal(cache.encode(encoder, ["one", "two"])[0], first)
