"""Documents -> a generation: built in a temporary folder, verified, and published by one atomic rename.

docs/explanation/generations.md has the order of the writes, and why a crash between any two is harmless.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ingest.progress import ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.registry import full_name, label, only_language
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError
from retrieval.index.analysis import TERMS
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.dense import DenseIndex, PassageRows, hubness
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS, Document
from retrieval.index.generation import (
    BUILDING,
    CACHE_FILE,
    CURRENT,
    FORMAT,
    LOCK,
    MANIFEST,
    FusionWeights,
    Generation,
    Manifest,
    UsedEncoder,
    current_name,
    generation_names,
    generations_folder,
    sealed,
    verified_manifest,
)
from retrieval.index.metadata import save
from retrieval.index.phrases import PhraseIndex
from scraper import files
from scraper.disk import check_free, disk_errors
from scraper.errors import Locked

BYTES_PER_CHARACTER = 8  # of all files but the vectors, measured; see `_bytes_needed`
PROBE_S = 0.2  # longer than `generation.build_running` holds the lock
TUNED = "weights.json"  # tuned fusion weights by the encoders of a generation
EARLIER_DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"  # of the formats with one encoder


def build(
    documents: Sequence[Document],
    indexes: Path,
    *encoders: Encoder,
    cache: Path | None = None,
    only_read: bool = False,
    progress: ProgressMode = "off",
) -> Manifest:
    """Build a generation of `documents`, verify it by reading it back, and make it the current one.

    Its weights are those tuned for its encoders in `indexes` (see `reweight`), or the defaults. Without an encoder, or
    with one that has no model (KeywordOnly), the generation has no vectors.

    Args:
        cache: the file of the vector cache; by default the one in `indexes`.
        only_read: whether videos whose OCR or transcript is missing were left out; the manifest says so.

    Raises:
        GenerationError: there is nothing to index.
        Locked: another process changes `indexes`.
    """
    documents = sorted((doc for doc in documents if doc.findable), key=lambda doc: doc.id)
    if not documents:
        raise GenerationError("nothing to index: no video has any text")
    files.make_private(indexes)
    with only_builder(indexes):
        now, name = _new_name()
        folder = generations_folder(indexes) / f"{BUILDING}{name}"
        files.make_private(folder)
        with_model = [encoder for encoder in encoders if encoder.dimension]
        passages, used = _write_dense(documents, folder, with_model, cache or indexes / CACHE_FILE, progress)
        _write_passages(documents, folder)
        for analyser in TERMS:
            texts = (doc.texts for doc in documents)
            KeywordIndex.build(analyser, texts, TEXT_FIELDS, (doc.languages for doc in documents)).save(folder)
        PhraseIndex.build(map(_whole_texts, documents), TEXT_FIELDS).save(folder)
        save([doc.metadata for doc in documents], folder)
        (folder / "videos.json").write_text(json.dumps([doc.id for doc in documents]), encoding="utf-8")
        manifest = Manifest(
            format=FORMAT,
            name=name,
            created=now.isoformat(timespec="seconds"),
            encoder=label([encoder.name for encoder in used]),
            encoders=used,
            videos=len(documents),
            passages=passages,
            encoded=sum(encoder.encoded for encoder in used),
            corpus_sha256=corpus_sha256(documents),
            weights=_tuned_weights(indexes, label([encoder.name for encoder in used])) or FusionWeights(),
            only_read=only_read,
            files={path.name: files.sha256(path) for path in sorted(folder.iterdir())},
        )
        _finish(folder, manifest)
        _publish(indexes, name)
    return manifest


def index_encoders(indexes: Path) -> tuple[str, ...]:
    """Return the encoders of the current generation; none if there is no index yet.

    They are read without the rest of the manifest, so that an index of another format can be built again by its
    encoder. But an index of an earlier version with the only default of that time gives none: it gets today's default.

    Raises:
        GenerationError: there is an index, but its encoders cannot be read.
    """
    if not (indexes / CURRENT).exists():
        return ()
    try:
        manifest = json.loads(
            (generations_folder(indexes) / current_name(indexes) / MANIFEST).read_text(encoding="utf-8")
        )
        names = [encoder["name"] for encoder in manifest.get("encoders", ())] or [manifest["encoder"]]
        if not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"{names!r} are not names of encoders")
        earlier = "encoders" not in manifest and full_name(names[0]) == EARLIER_DEFAULT
        return () if earlier else tuple(names)
    except (GenerationError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GenerationError(
            f"the encoder of the index in {indexes} cannot be read ({error}): run `tiktok-retrieval rollback`, or name"
            " the encoder with `tiktok-retrieval build --encoder MODEL`"
        ) from error


def reweight(indexes: Path, weights: FusionWeights) -> Manifest:
    """Publish a copy of the current generation with other weights, and keep them for later builds with its encoders."""
    with only_builder(indexes):
        current = generations_folder(indexes) / current_name(indexes)
        old = verified_manifest(current)
        now, name = _new_name()
        folder = generations_folder(indexes) / f"{BUILDING}{name}"
        files.make_private(folder)
        check_free(folder, sum((current / file).stat().st_size for file in old.files), "the copy of the index")
        for file in old.files:
            shutil.copy2(current / file, folder / file)
        changed = {"name": name, "created": now.isoformat(timespec="seconds"), "encoded": 0, "weights": weights}
        manifest = old.model_copy(update=changed)
        _finish(folder, manifest)
        tuned = _all_tuned(indexes) | {old.encoder: weights.model_dump(by_alias=True)}
        with files.replace_atomically(indexes / TUNED) as part:
            part.write_text(json.dumps(tuned, indent=1), encoding="utf-8")
        _publish(indexes, name)
    return manifest


def rollback(indexes: Path, to: str | None = None) -> str:
    """Verify an earlier generation (by default the one before the current) and make it current. Return its name."""
    with only_builder(indexes):
        names = generation_names(indexes)
        if to is None:
            try:
                current = current_name(indexes)
                earlier = [name for name in names if name < current]
            except GenerationError:
                earlier = names  # CURRENT names none: return to the newest generation
            if not earlier:
                raise GenerationError(f"no generation in {indexes} is older than the current one")
            to = earlier[-1]
        elif to not in names:
            raise GenerationError(f"no generation {to!r} in {indexes}; available: {', '.join(names) or 'none'}")
        Generation(generations_folder(indexes) / to).close()
        _publish(indexes, to)
    return to


def prune(indexes: Path, keep: int = 2) -> list[str]:
    """Delete all but the newest `keep` generations and the current one. Return the names of those deleted."""
    with only_builder(indexes):
        current = current_name(indexes)
        old = [name for name in generation_names(indexes)[: -keep or None] if name != current]
        delete(indexes, old)
    return old


def delete(indexes: Path, names: Sequence[str]) -> None:
    """Delete generations. The caller holds the lock."""
    for name in names:
        # Rename first: a crash during the deletion must not leave an incomplete generation with a valid name.
        doomed = generations_folder(indexes) / f"{BUILDING}{name}"
        (generations_folder(indexes) / name).rename(doomed)
        files.fsync(generations_folder(indexes))  # or a power cut may undo the rename, and not the deletion
        shutil.rmtree(doomed)
    if names:
        files.fsync(generations_folder(indexes))


def _remove_leftovers(indexes: Path) -> None:
    """Delete what killed and failed commands have left. The caller holds the lock."""
    for leftover in generations_folder(indexes).glob(f"{BUILDING}*"):
        shutil.rmtree(leftover)
    for target in (indexes / CURRENT, indexes / TUNED):
        files.remove_leftovers(target)


@contextlib.contextmanager
def only_builder(indexes: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of `indexes`, so that one process at a time changes it. The lock ends with its process.

    Leftovers of killed and failed commands are deleted first. A thread that holds the lock may enter again.

    Raises:
        Locked: another process or thread holds it.
        DiskError: a file cannot be read or written.
    """
    if not indexes.is_dir():
        raise GenerationError(f"no generation in {indexes}: run `tiktok-retrieval build`")
    lock = FileLock(indexes / LOCK, is_singleton=True)
    with disk_errors(indexes):
        try:
            held = lock.acquire(timeout=max(wait_s, PROBE_S))
        except Timeout as error:
            raise Locked(f"another build is running in {indexes}: wait until it is done") from error
        with held:
            if lock.lock_counter == 1:
                _remove_leftovers(indexes)
            yield


def _new_name() -> tuple[datetime, str]:
    now = datetime.now(UTC)
    # With microseconds, so that the names are ordered by age.
    return now, f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def _finish(folder: Path, manifest: Manifest) -> None:
    """Complete a generation: write the manifest, flush everything to disk, read it back, then give it its name."""
    (folder / MANIFEST).write_text(sealed(manifest), encoding="utf-8", newline="\n")
    for path in folder.iterdir():
        files.fsync(path)
    files.fsync(folder)
    Generation(folder).close()
    folder.rename(folder.with_name(manifest.name))
    files.fsync(folder.parent)


def _tuned_weights(indexes: Path, encoder: str) -> FusionWeights | None:
    """Return the weights tuned for encoders by their label, if there are any.

    Raises:
        GenerationError: the file with the weights is broken.
    """
    tuned = _all_tuned(indexes)
    try:
        return FusionWeights.model_validate(tuned[encoder]) if encoder in tuned else None
    except ValueError as error:
        raise _broken_weights(indexes, error) from error


def _all_tuned(indexes: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((indexes / TUNED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise _broken_weights(indexes, error) from error


def _broken_weights(indexes: Path, error: Exception) -> GenerationError:
    return GenerationError(
        f"{indexes / TUNED} cannot be read ({error}): delete it, or run `tiktok-retrieval tune --write`"
    )


def _publish(indexes: Path, name: str) -> None:
    with files.replace_atomically(indexes / CURRENT) as part:
        part.write_text(name + "\n", encoding="utf-8")


def _write_dense(
    documents: Sequence[Document], folder: Path, encoders: Sequence[Encoder], cache: Path, progress: ProgressMode
) -> tuple[dict[str, int], tuple[UsedEncoder, ...]]:
    texts: list[str] = []
    spans: dict[str, slice] = {}
    for field in FIELDS:
        start = len(texts)
        texts += [passage.text for doc in documents for passage in doc.passages.get(field, [])]
        spans[field] = slice(start, len(texts))
    check_free(folder, _bytes_needed(texts, sum(encoder.dimension for encoder in encoders)), "the new index")
    starts = {
        field: np.cumsum([0, *(len(doc.passages.get(field, [])) for doc in documents)], dtype=np.int64)
        for field in FIELDS
    }
    rows = {field: PassageRows(of_field) for field, of_field in starts.items()}
    for field, of_field in rows.items():
        of_field.save(folder, field)
    used = []
    whole, speech = spans[OVERVIEW], spans["transcript"]
    for number, encoder in enumerate(encoders):
        vectors, encoded = VectorCache(cache).encode(encoder, texts, progress=progress)
        hubs = hubness(vectors[whole], starts[OVERVIEW], vectors[speech], starts["transcript"])
        for field, span in spans.items():
            index = DenseIndex.build(vectors[span], rows[field], hubs if field == OVERVIEW else None)
            index.save(folder, field, number)
        used.append(
            UsedEncoder(
                name=encoder.name,
                sha256=encoder.sha256,
                key=encoder.key,
                dimension=encoder.dimension,
                precision=encoder.precision,
                language=only_language(encoder.name),
                encoded=encoded,
            )
        )
    return {field: span.stop - span.start for field, span in spans.items()}, tuple(used)


def _bytes_needed(texts: Sequence[str], dimension: int) -> int:
    """Return about how large a generation of these passages is. The cache may need more: most vectors are in it."""
    characters = sum(map(len, texts))
    return len(texts) * dimension * 4 + characters * BYTES_PER_CHARACTER


def _write_passages(documents: Sequence[Document], folder: Path) -> None:
    with closing(sqlite3.connect(folder / "passages.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")  # written once, in a folder that nobody reads before it is complete
        db.execute(
            "CREATE TABLE passages (field INTEGER, row INTEGER, text TEXT NOT NULL, marks TEXT NOT NULL,"
            " PRIMARY KEY (field, row)) WITHOUT ROWID"
        )
        db.execute("BEGIN")
        for number, field in enumerate(FIELDS):
            flat = (passage for doc in documents for passage in doc.passages.get(field, []))
            db.executemany(
                "INSERT INTO passages VALUES (?, ?, ?, ?)",
                (
                    (number, row, passage.text, json.dumps([[m.at, m.start_s, m.end_s] for m in passage.marks]))
                    for row, passage in enumerate(flat)
                ),
            )
        db.execute("COMMIT")


def _whole_texts(doc: Document) -> dict[str, list[str]]:
    """Return the texts to search for phrases: a transcript is one text, each comment is one."""
    comments = [passage.text for passage in doc.passages.get("comments", [])]
    return {field: [text] for field, text in doc.texts.items()} | {"comments": comments}


def corpus_sha256(documents: Sequence[Document]) -> str:
    """Return the checksum of a corpus, by which two generations can be compared. `documents` are in order of id."""
    digest = hashlib.sha256()
    for doc in documents:
        digest.update(json.dumps([doc.id, doc.texts, asdict(doc.metadata)], sort_keys=True).encode())
    return digest.hexdigest()
