"""The index folder is changed by one process at a time: publish a generation, roll back, change weights, delete.

docs/explanation/generations.md has the order of the writes, and why a crash between any two is harmless.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.registry import full_name
from retrieval.errors import GenerationError
from retrieval.index.copies import FILE as COPIES
from retrieval.index.copies import Copies, among
from retrieval.index.generation import DELETED, EMPTY, HUBS, OwnFiles, open_named, own_files
from retrieval.index.layout import (
    BUILDING,
    CURRENT,
    current_name,
    generation_names,
    generations_folder,
    segment_names,
    segments_folder,
)
from retrieval.index.lock import only_builder
from retrieval.index.manifest import FORMAT, MANIFEST, FusionWeights, Manifest, manifest_in, sealed
from retrieval.index.seen import Seen, carried, delete_parts, names_of_parts
from retrieval.index.segment import open_segment
from retrieval.index.segment_writer import new_name
from retrieval.index.tuned import keep_weights
from retrieval.index.videos import VideoIds
from scraper import files

EARLIER_DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"  # of the formats with one encoder


def publish(
    indexes: Path,
    manifest: Manifest,
    deleted: NDArray[np.int64],
    hubs: NDArray[np.float32],
    empty: Mapping[str, str],
    seen: Seen | None = None,
    copies: Copies | None = None,
) -> Manifest:
    """Write a generation whose segments are complete, read it back, and make it current. The caller holds the lock.

    Args:
        manifest: without name, time and sums of the files, which are filled in.
        deleted: the numbers of the deleted videos, in ascending order.
        hubs: shape (encoders, videos).
        empty: the keys of the videos of the corpus that have no text, by id.
        seen: the pictures of the videos; by default those that the current generation has of them.
        copies: groups of videos; by default those of the current generation. Videos that are not in this one are left
            out.
    """
    current = _current(indexes)
    if seen is None:
        seen = carried(indexes, current.manifest, current.alive, manifest.segments) if current else (None, ())
    if copies is None:
        copies = current.copies if current else ()
    vision, pictures = seen
    manifest = manifest.model_copy(update={"vision": vision, "seen": pictures})
    name = new_name(max(generation_names(indexes), default=""))
    folder = generations_folder(indexes) / f"{BUILDING}{name}"
    files.make_private(folder)
    np.save(folder / DELETED, deleted)
    np.save(folder / HUBS, hubs)
    (folder / EMPTY).write_text(json.dumps(dict(empty)), encoding="utf-8")
    if left := among_videos(copies, indexes, manifest, deleted):
        (folder / COPIES).write_text(json.dumps(left), encoding="utf-8")
    sums = {path.name: files.sha256(path) for path in sorted(folder.iterdir())}
    filled = {"name": name, "created": datetime.now(UTC).isoformat(timespec="seconds"), "files": sums}
    manifest = manifest.model_copy(update=filled)
    _finish(folder, manifest)
    _make_current(indexes, name)
    return manifest


def _current(indexes: Path) -> OwnFiles | None:
    try:
        return own_files(generations_folder(indexes) / current_name(indexes))
    except GenerationError:  # there is none, or it is damaged
        return None


def among_videos(copies: Copies, indexes: Path, manifest: Manifest, deleted: NDArray[np.int64]) -> Copies:
    """Return groups of copies without the videos that a generation does not have."""
    if not copies:
        return ()
    segments = [open_segment(segments_folder(indexes), entry) for entry in manifest.segments]
    alive = np.ones(sum(segment.videos for segment in segments), np.bool_)
    alive[deleted] = False
    return among(copies, VideoIds([segment.of_videos for segment in segments], alive))


def _finish(folder: Path, manifest: Manifest) -> None:
    """Complete a generation: write the manifest, flush everything to disk, read it back, then give it its name."""
    (folder / MANIFEST).write_text(sealed(manifest), encoding="utf-8", newline="\n")
    for path in folder.iterdir():
        files.fsync(path)
    files.fsync(folder)
    own_files(folder)
    folder.rename(folder.with_name(manifest.name))
    files.fsync(folder.parent)


def _make_current(indexes: Path, name: str) -> None:
    with files.replace_atomically(indexes / CURRENT) as part:
        part.write_text(name + "\n", encoding="utf-8")


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
    """Publish the current generation with other weights, and keep them for later builds with its encoders."""
    with only_builder(indexes):
        own = own_files(generations_folder(indexes) / current_name(indexes))
        keep_weights(indexes, own.manifest.encoder, weights)
        changed = own.manifest.model_copy(update={"encoded": 0, "weights": weights})
        return publish(indexes, changed, own.deleted, own.hubs, own.empty)


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
        open_named(indexes, to, again=True)
        _make_current(indexes, to)
    return to


def prune(indexes: Path, keep: int = 2) -> list[str]:
    """Delete all but the newest `keep` generations and the current one, and the segments that none of the others has.

    Returns:
        the names of the deleted generations.
    """
    with only_builder(indexes):
        current = current_name(indexes)
        old = [name for name in generation_names(indexes)[: -keep or None] if name != current]
        delete(indexes, old)
        delete_unused_segments(indexes)
    return old


def prune_followed(indexes: Path, keep: int) -> None:
    """Delete all but the newest `keep` generations that servers have published by themselves, and the current one.

    A server publishes one for each change, and nobody prunes them.
    """
    with only_builder(indexes):
        current = current_name(indexes)
        followed = [name for name in generation_names(indexes) if _followed(generations_folder(indexes) / name)]
        delete(indexes, [name for name in followed[: -keep or None] if name != current])
        delete_unused_segments(indexes)


def _followed(folder: Path) -> bool:
    try:
        return manifest_in(folder).followed
    except GenerationError:  # it is damaged, or of another format: not one to delete unasked
        return False


def delete(indexes: Path, names: Sequence[str]) -> None:
    """Delete generations. The caller holds the lock."""
    _delete(generations_folder(indexes), names)


def delete_segments(indexes: Path, names: Sequence[str]) -> None:
    """Delete segments. No generation may have them. The caller holds the lock."""
    _delete(segments_folder(indexes), names)


def delete_unused_segments(indexes: Path) -> list[str]:
    """Delete the segments that no generation has, and return their names. The caller holds the lock.

    As long as the manifest of a generation is damaged, nothing is deleted: it is not known what it has.
    """
    used: set[str] = set()
    for name in generation_names(indexes):
        named = segments_named_by(generations_folder(indexes) / name)
        if named is None:
            return []
        used.update(named)
    delete_unused_pictures(indexes)
    unused = [name for name in segment_names(indexes) if name not in used]
    delete_segments(indexes, unused)
    return unused


def delete_unused_pictures(indexes: Path) -> set[str]:
    """Delete the files with pictures that no generation has, and return their names. The caller holds the lock."""
    unused = names_of_parts(indexes)
    for name in generation_names(indexes):
        try:
            unused -= {entry.name for entry in manifest_in(generations_folder(indexes) / name).seen}
        except GenerationError:
            if segments_named_by(generations_folder(indexes) / name) is None:  # it is not known what it has
                return set()
    if names_of_parts(indexes):
        delete_parts(indexes, unused)
    return unused


def segments_named_by(folder: Path) -> list[str] | None:
    """Return the names of the segments of a generation; none of one of an earlier format. None if it is damaged."""
    try:
        return [entry.name for entry in manifest_in(folder).segments]
    except GenerationError:
        try:
            found = json.loads((folder / MANIFEST).read_bytes())
            return [] if isinstance(found["format"], int) and found["format"] < FORMAT else None
        except (OSError, ValueError, TypeError, KeyError):
            return None


def _delete(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        # Rename first: a crash during the deletion must not leave something incomplete with a valid name.
        doomed = folder / f"{BUILDING}{name}"
        (folder / name).rename(doomed)
        files.fsync(folder)  # or a power cut may undo the rename, and not the deletion
        shutil.rmtree(doomed)
    if names:
        files.fsync(folder)
