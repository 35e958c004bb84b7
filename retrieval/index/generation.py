"""Generations: everything that a search needs, in segments. This module reads them; builder.py writes them.

docs/explanation/generations.md describes the files.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import GenerationError
from retrieval.index.analysis import TERMS
from retrieval.index.arrays import SUFFIX, typed
from retrieval.index.bm25f import CorpusFacts, KeywordIndex
from retrieval.index.copies import Copies, CopyGroups, read_copies
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.layout import State, current_name, generation_names, generations_folder, segments_of, state_of
from retrieval.index.manifest import Manifest, manifest_in, segment_manifest
from retrieval.index.metadata import MetadataIndex
from retrieval.index.passages import Passages
from retrieval.index.phrases import PhraseIndex
from retrieval.index.rows import PassageRows
from retrieval.index.seen import seen_index
from retrieval.index.seen_part import FOLDER as SEEN
from retrieval.index.segment import Segment, open_segment
from retrieval.index.spread import Spread
from retrieval.index.verified import REBUILD, VerifiedFiles, check_file
from retrieval.index.videos import Positions, VideoIds
from retrieval.index.whole_video import WholeVideoParts

DELETED = "deleted.npy"  # the numbers of deleted videos, in ascending order
HUBS = "hubs.npy"  # the hubness of each video by each encoder, shape (encoders, videos)
EMPTY = "empty.json"  # the keys of the videos of the corpus that have no text, by id, in hexadecimal


@dataclass(frozen=True)
class OwnFiles:
    """What a generation has besides its segments."""

    manifest: Manifest
    deleted: NDArray[np.int64]
    hubs: NDArray[np.float32]
    empty: dict[str, str]
    copies: Copies = ()

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Which videos are not deleted, shape (videos,)."""
        alive = np.ones(sum(entry.videos for entry in self.manifest.segments), np.bool_)
        alive[self.deleted] = False
        return alive


@dataclass(frozen=True)
class PartFacts:
    """What the scores of some videos are relative to: what is known of all videos of their generation.

    Attributes:
        keyword: by analyser.
        samples: by field, which of these videos are in the two samples of PassageRows, ascending.
    """

    keyword: Mapping[str, CorpusFacts]
    samples: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class GenerationPart:
    """Segments of a generation that follow each other, from `first` to before `end`."""

    first: int
    end: int
    facts: PartFacts

    def of(self, own: OwnFiles) -> OwnFiles:
        """Return what a generation has besides its segments, for these alone."""
        manifest, segments = own.manifest, slice(self.first, self.end)
        ends = np.cumsum([0, *(entry.videos for entry in manifest.segments)])
        first, end = int(ends[self.first]), int(ends[self.end])
        deleted = own.deleted[(own.deleted >= first) & (own.deleted < end)] - first
        only = {"segments": manifest.segments[segments], "seen": manifest.seen[segments]}
        return OwnFiles(manifest.model_copy(update=only), deleted, own.hubs[:, first:end], own.empty)


def own_files(folder: Path) -> OwnFiles:
    """Read and check what a generation has besides its segments.

    Raises:
        GenerationError: a file is missing or damaged.
    """
    manifest = manifest_in(folder)
    files = VerifiedFiles(folder, manifest.files)
    try:
        empty = dict(json.loads(files.read(EMPTY)))
        own = OwnFiles(manifest, files.array(DELETED), files.array(HUBS), empty, read_copies(files))
        videos, deleted = sum(entry.videos for entry in manifest.segments), own.deleted
        typed(own.hubs, "f4", 2)
        if own.hubs.shape != (len(manifest.encoders), videos) or not np.isfinite(own.hubs).all():
            raise ValueError("a hubness is not a number")
        if len(deleted) and not (deleted[0] >= 0 and deleted[-1] < videos and (np.diff(deleted) > 0).all()):
            raise ValueError("the numbers of the deleted videos are not in order")
        if own.alive.sum() != manifest.videos:
            raise ValueError("it has other videos than its manifest says")
    except (OSError, ValueError, IndexError, TypeError, RecursionError) as error:
        raise GenerationError(f"{folder} cannot be loaded ({error}): {REBUILD}") from error
    files.check_rest()
    return own


class Generation:
    """An opened, verified generation. All of it is in memory: what happens to its files later has no effect.

    Its videos are numbered segment after segment. Deleted ones keep their numbers, and `alive` says which are not.
    `rows` has the passages of each field, and `dense` their vectors: by field, for each encoder of the manifest.
    `parts` says for each encoder what each passage adds to the vector of its whole video. `seen` has the pictures of
    the videos, if a vision model has seen them. `copies` says which videos are copies of the same one. `state` is that
    of the files when they were read, see `generation_state`.

    Args:
        again: read segments again that are open in this process.
        part: some of its segments, and what the scores of their videos are relative to. Everything but `manifest` is
            of these alone then: the first of their videos has the number 0.

    Raises:
        GenerationError: it does not exist, has another format, a file differs from the manifest, or a vector does not
            have the length 1.
    """

    def __init__(self, folder: Path, *, again: bool = False, part: GenerationPart | None = None) -> None:
        self.folder = folder
        self.state = generation_state(folder)
        own = own_files(folder)
        self.manifest, self._part = own.manifest, part
        own = part.of(own) if part else own
        self.hubs, self.alive = own.hubs, own.alive
        self.segments: list[Segment] = [
            open_segment(segments_of(folder), entry, again=again).load(check=again) for entry in own.manifest.segments
        ]
        encoders = tuple((used.key, used.dimension) for used in self.manifest.encoders)
        if any(segment.manifest.encoders != encoders for segment in self.segments):
            raise GenerationError(f"{folder} has a segment by other encoders: {REBUILD}")
        self.starts: NDArray[np.int64] = np.cumsum([0, *(segment.videos for segment in self.segments)])
        self.ids = VideoIds([segment.of_videos for segment in self.segments], self.alive)
        self.positions = Positions(self.ids)
        self.copies = CopyGroups(own.copies, self.ids)
        self.seen = seen_index(segments_of(folder).parent, own.manifest, self.starts.tolist(), self.alive)
        try:
            self._join()
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise GenerationError(f"{folder} cannot be loaded ({error}): {REBUILD}") from error

    def _join(self) -> None:
        """Make the components of all videos from those of the segments."""
        self.passages = Passages([one.passages for one in self.segments])
        facts = self._part.facts if self._part else None
        samples = facts.samples if facts else {}
        self.rows = {
            field: PassageRows(self.passages.starts(field), self.alive, *samples.get(field, ())) for field in FIELDS
        }
        self.dense = [
            {
                field: DenseIndex(
                    [one.dense[number].fields[field] for one in self.segments],
                    self.starts.tolist(),
                    rows,
                    hubs if field == OVERVIEW else None,
                    [one.dense[number].sketches.get(field) for one in self.segments],
                )
                for field, rows in self.rows.items()
            }
            for number, hubs in enumerate(self.hubs)
        ]
        self.parts = [WholeVideoParts([one.parts[number] for one in self.segments]) for number in range(len(self.hubs))]
        self.keyword = {
            name: KeywordIndex(
                [one.keyword[name] for one in self.segments], self.alive, facts.keyword[name] if facts else None
            )
            for name in TERMS
        }
        self.phrases = PhraseIndex([one.phrases for one in self.segments], self.alive)
        self.metadata = MetadataIndex([one.metadata for one in self.segments], self.alive)

    @cached_property
    def spreads(self) -> list[Spread]:
        """How the passages of each encoder are spread."""
        return [Spread(of_encoder) for of_encoder in self.dense]

    @property
    def name(self) -> str:
        return self.manifest.name


def open_current(indexes: Path) -> Generation:
    """Open the current generation.

    Raises:
        GenerationError: there is none, or it cannot be opened.
    """
    return Generation(generations_folder(indexes) / current_name(indexes))


def open_named(indexes: Path, name: str, *, again: bool = False) -> Generation:
    """Open a finished generation by name.

    Raises:
        GenerationError: there is none of this name, or it cannot be opened.
    """
    if name not in generation_names(indexes):
        raise GenerationError(f"no generation {name[:80]!r} in {indexes}")
    return Generation(generations_folder(indexes) / name, again=again)


def read_manifest(indexes: Path, name: str) -> Manifest:
    """Read the manifest of a generation without checking its files."""
    return manifest_in(generations_folder(indexes) / name)


def generation_state(folder: Path) -> State:
    """Return the state of the files of a generation and of its segments, see `state_of`."""
    try:
        named = [segments_of(folder) / entry.name for entry in manifest_in(folder).segments]
    except GenerationError:
        named = []
    return state_of(folder, *named)


def videos_with(field: str, folder: Path) -> set[str]:
    """Return the ids of the videos of a generation that have a passage of a field, without opening the rest of it.

    Raises:
        GenerationError: a file is missing or damaged.
    """
    own, first, found = own_files(folder), 0, set[str]()
    for entry in own.manifest.segments:
        segment = open_segment(segments_of(folder), entry)
        alive = own.alive[first : first + entry.videos]
        found.update(segment.ids[number] for number in np.flatnonzero(alive & segment.rows[field].present).tolist())
        first += entry.videos
    return found


def size_on_disk(folder: Path) -> int:
    """Return how many bytes a generation and its segments have. Other generations may share the segments.

    Raises:
        GenerationError: its manifest cannot be read.
    """
    folders = [folder, *(segments_of(folder) / entry.name for entry in manifest_in(folder).segments)]
    seen = [folder.parent.parent / SEEN / f"{entry.name}{SUFFIX}" for entry in manifest_in(folder).seen]
    return sum(path.stat().st_size for path in [*(path for one in folders for path in one.iterdir()), *seen])


def verified_manifest(folder: Path) -> Manifest:
    """Read a generation's manifest and check every file of it and of its segments.

    Raises:
        GenerationError: a manifest cannot be read, or a file is missing or different.
    """
    manifest = manifest_in(folder)
    for name, wanted in manifest.files.items():
        check_file(folder / name, wanted)
    for entry in manifest.segments:
        of_segment = segments_of(folder) / entry.name
        for name, wanted in segment_manifest(of_segment, entry).files.items():
            check_file(of_segment / name, wanted)
    for seen in manifest.seen:
        check_file(folder.parent.parent / SEEN / f"{seen.name}{SUFFIX}", seen.sha256)
    return manifest
