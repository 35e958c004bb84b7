"""What a person names (ids, creators, a source, a list) -> the videos to remove, and what they should know before."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from ingest.catalog import Catalog
from retrieval.corpus.words import count_of
from scraper import links
from scraper.errors import UserError
from scraper.records import ListKind

NAMES = 5  # of videos, to show before they are removed
NAME_CHARS = 60


class SelectionError(UserError):
    """Nothing can be removed. The message says why."""


@dataclass
class Selection:
    """The videos to remove. With `membership`, that of a list ends for them, and for `staying` others."""

    videos: list[str] = field(default_factory=list)
    membership: tuple[ListKind, str] | None = None
    staying: int = 0
    problems: list[str] = field(default_factory=list)  # what was named and not found
    notes: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.videos or self.staying)


def named(catalog: Catalog, names: Sequence[str]) -> Selection:
    """Select videos by their ids or links, and all videos of @creators."""
    chosen: dict[str, None] = {}
    problems: list[str] = []
    for name in names:
        if name.startswith("@"):
            found = catalog.removals.of_creator(name)
        else:
            video_id = name if re.fullmatch(links.VIDEO_ID, name) else links.video_id(name)
            found = catalog.removals.known([video_id])
        chosen.update(dict.fromkeys(found))
        if not found:
            problems.append(f"no video in the catalog {'by' if name.startswith('@') else 'has the id'} {name[:100]}")
    return Selection(list(chosen), problems=problems)


def of_source(catalog: Catalog, source: Path) -> Selection:
    """Select the videos that were imported from a file or folder, and from nowhere else."""
    found, others = catalog.removals.of_source(source)
    problems = [] if found or others else [f"no video in the catalog is known to come from {source}"]
    notes = [f"{count_of(others)} came from other files as well and will stay."] if others else []
    return Selection(found, problems=problems, notes=notes)


def of_list(catalog: Catalog, name: str) -> Selection:
    """Select the videos that only this list has. The others stay, but are no longer in the list.

    Raises:
        SelectionError: there is no such list.
    """
    kind, collection = list_named(catalog, name)
    inside = catalog.removals.of_list(kind, collection)
    alone = catalog.removals.only_in_list(kind, collection)
    staying = len(inside) - len(alone)
    if not inside:
        raise SelectionError(f"no video is in {name!r}")
    notes = []
    if staying:
        notes.append(
            f"{count_of(staying)} of this list will stay, because other lists have them or you saved or collected them;"
            " only their membership of this list ends."
        )
    return Selection(alone, (kind, collection), staying, notes=notes)


def list_named(catalog: Catalog, name: str) -> tuple[ListKind, str]:
    """Return a list, and the name if it is a collection.

    Raises:
        SelectionError: there is no such list.
    """
    collections = {known.casefold(): known for known in catalog.removals.collections()}
    wanted = name.strip().casefold()
    if wanted in get_args(ListKind):
        return cast(ListKind, wanted), ""
    if wanted in collections:
        return "collection", collections[wanted]
    lists = ", ".join(kind for kind in get_args(ListKind) if kind != "collection")
    named = f"; your collections are {', '.join(sorted(collections.values())[:20])}" if collections else ""
    raise SelectionError(f"there is no list {name!r}: the lists are {lists}{named}")


def titles(catalog: Catalog, ids: Sequence[str]) -> list[str]:
    """Return how to show the first of some videos to a person."""
    shown = []
    for entry in catalog.entries(ids[:NAMES]):
        video = entry.video
        words = " ".join((video.description or video.file_name).split())[:NAME_CHARS]
        by = f"@{video.creator_username[:40]}" if video.creator_username else ""
        shown.append(": ".join(filter(None, (by, words))) or video.id)
    return shown
