"""A recording of shim.c -> the folders that a power cut could have left behind at each point of it.

A file keeps what was written before its last sync. Later writes are kept whole, torn at a sector, or lost, each by
itself. A new, renamed or deleted name is safe when its folder is synced. Until then a disk may keep the first few
changes of a folder and lose the others. A rename is never half of one.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

ENTRY = struct.Struct("=c7xQqII")  # struct entry of shim.c
SECTOR = 512
WRITES = b"WT"

Part = Literal["none", "all", "some"]
WAYS: tuple[tuple[Part, Part], ...] = (("none", "none"), ("all", "none"), ("none", "all"), ("all", "all"))
Tree = dict[str, bytes | None]  # by path in the folder; a folder has no content


@dataclass(frozen=True)
class Entry:
    """A recorded call."""

    operation: str  # the letter in shim.c
    inode: int
    offset: int
    first: bytes
    second: bytes


def read(recording: Path) -> list[Entry]:
    """Read a recording."""
    raw, at, entries = recording.read_bytes(), 0, []
    while at < len(raw):
        operation, inode, offset, first, second = ENTRY.unpack_from(raw, at)
        at += ENTRY.size
        parts = raw[at : at + first], raw[at + first : at + first + second]
        entries.append(Entry(operation.decode(), inode, offset, *parts))
        at += first + second
    return entries


@dataclass
class _File:
    safe: bytes = b""
    later: list[tuple[int, bytes | None]] = field(default_factory=list)  # offset and data; None: the size is `offset`

    def content(self, part: Part, chance: random.Random) -> bytes:
        made = bytearray(self.safe)
        for offset, data in self.later if part != "none" else ():
            kept = len(data or b"") if part == "all" else chance.choice([0, len(data or b""), _torn(data, chance)])
            if data is None:
                if part == "all" or chance.random() < 0.5:
                    made = made[:offset].ljust(offset, b"\0")
            elif kept:
                made = made.ljust(offset + kept, b"\0")
                made[offset : offset + kept] = data[:kept]
        return bytes(made)


def _torn(data: bytes | None, chance: random.Random) -> int:
    return chance.randrange(0, len(data or b"") + 1, SECTOR)


@dataclass(frozen=True)
class _Change:
    """Names of folders that change together: (folder, name, what it names then)."""

    names: tuple[tuple[int, str, int | None], ...]


class Disk:
    """A folder as it was before a recording, to which the entries are applied one by one."""

    def __init__(self, root: Path) -> None:
        self._ids = count()  # a deleted file's inode is used again: each file has a number of its own
        self._by_inode: dict[int, int] = {}
        self._files: dict[int, _File] = {}
        self._safe: dict[int, dict[str, int]] = {}
        self._now: dict[int, dict[str, int]] = {}
        self._changes: list[_Change] = []
        self._root = root.resolve()
        self._top = self._load(self._root)

    def _load(self, path: Path) -> int:
        number = self._new(path.stat().st_ino)
        if path.is_dir():
            names = {one.name: self._load(one) for one in sorted(path.iterdir())}
            self._safe[number], self._now[number] = dict(names), names
        else:
            self._files[number] = _File(path.read_bytes())
        return number

    def _new(self, inode: int) -> int:
        number = self._by_inode[inode] = next(self._ids)
        return number

    def apply(self, entry: Entry) -> None:
        """Carry out a call. What it changes is not safe yet, except for the two kinds of sync."""
        known = self._by_inode.get(entry.inode)
        match entry.operation:
            case "W" | "T":
                if known in self._files:
                    data = entry.first if entry.operation == "W" else None
                    self._files[known].later.append((entry.offset, data))
            case "S":
                if known in self._files:
                    whole = self._files[known].content("all", random.Random())
                    self._files[known] = _File(whole)
            case "F":
                if known in self._now:
                    self._flush(known)
            case _:
                self._rename(entry)

    def _rename(self, entry: Entry) -> None:
        from_folder, from_name = self._place(entry.first)
        match entry.operation:
            case "C":
                number = self._new(entry.inode)
                self._files[number] = _File()
                self._change((from_folder, from_name, number))
            case "M":
                number = self._new(entry.inode)
                self._safe[number], self._now[number] = {}, {}
                self._change((from_folder, from_name, number))
            case "U" | "D":
                self._change((from_folder, from_name, None))
            case "R" | "L":
                moved = self._now[from_folder][from_name]
                gone = [(from_folder, from_name, None)] if entry.operation == "R" else []
                self._change(*gone, (*self._place(entry.second), moved))
            case other:
                raise ValueError(f"unknown operation {other}")

    def _place(self, path: bytes) -> tuple[int, str]:
        *folders, name = Path(path.decode()).relative_to(self._root).parts
        place = self._top
        for folder in folders:
            place = self._now[place][folder]
        return place, name

    def _change(self, *names: tuple[int, str, int | None]) -> None:
        _apply(names, self._now)
        self._changes.append(_Change(names))

    def _flush(self, folder: int) -> None:
        left = []
        for change in self._changes:
            if any(place == folder for place, _, _ in change.names):
                _apply(change.names, self._safe)
            else:
                left.append(change)
        self._changes = left

    def after_power_cut(self, names: Part, contents: Part, chance: random.Random | None = None) -> Tree:
        """Return the files that are left if these parts of what is not safe are kept."""
        chance = chance or random.Random(18)
        folders = {number: dict(of) for number, of in self._safe.items()}
        for change in self._kept(names, chance):
            _apply(change.names, folders)
        tree: Tree = {}
        self._walk(self._top, "", folders, tree, contents, chance)
        return tree

    def _kept(self, part: Part, chance: random.Random) -> Iterator[_Change]:
        places = [place for change in self._changes for place, _, _ in change.names]
        most = {place: places.count(place) for place in set(places)}
        cut = {place: chance.randint(0, most[place]) if part == "some" else most[place] for place in sorted(most)}
        for change in self._changes if part != "none" else ():
            for place, _, _ in change.names:
                cut[place] -= 1
            if all(cut[place] >= 0 for place, _, _ in change.names):
                yield change
            else:
                cut |= {place: -1 for place, _, _ in change.names}  # what follows in these folders needs it

    def _walk(
        self, number: int, path: str, folders: dict[int, dict[str, int]], tree: Tree, part: Part, chance: random.Random
    ) -> None:
        if number in self._files:
            tree[path] = self._files[number].content(part, chance)
            return
        if path:
            tree[path] = None
        for name, inside in folders[number].items():
            self._walk(inside, f"{path}/{name}" if path else name, folders, tree, part, chance)


def _apply(names: tuple[tuple[int, str, int | None], ...], folders: dict[int, dict[str, int]]) -> None:
    for place, name, number in names:
        if number is None:
            folders[place].pop(name, None)
        else:
            folders[place][name] = number


@dataclass(frozen=True)
class State:
    """What a power cut has left, and how: after which call, and what of the rest was kept."""

    after: int
    of: int
    names: Part
    contents: Part
    tree: Tree

    def __str__(self) -> str:
        return f"after call {self.after} of {self.of} with names: {self.names}, contents: {self.contents}"

    def write(self, folder: Path) -> None:
        """Make the files in an empty folder."""
        for path, content in self.tree.items():
            target = folder / path
            if content is None:
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)


def states(disk: Disk, entries: list[Entry], *, mixed: int, seed: int = 18) -> Iterator[State]:
    """Yield the different folders that a power cut between any two calls could leave.

    Between two writes only each eighth is looked at. The folders at the very end come last.

    Args:
        mixed: how many random mixtures of what is kept to make at each point, besides all and nothing.
    """
    chance, seen = random.Random(seed), set[bytes]()
    mixture: tuple[Part, Part] = ("some", "some")
    ways = (*WAYS, *[mixture] * mixed)
    for done, entry in enumerate(entries, 1):
        disk.apply(entry)
        among_writes = entry.operation in "WT" and done < len(entries) and entries[done].operation in "WT"
        if among_writes and done % 8:
            continue
        for names, contents in ways:
            tree = disk.after_power_cut(names, contents, chance)
            digest = hashlib.sha256()
            for path, content in sorted(tree.items()):
                digest.update(f"{path}\0{content is None}\0{len(content or b'')}\0".encode() + (content or b""))
            if digest.digest() not in seen:
                seen.add(digest.digest())
                yield State(done, len(entries), names, contents, tree)
