"""Search folders byte by byte for words, also inside databases, arrays and archives, in several encodings."""

import gzip
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path


def forms(word: str) -> set[bytes]:
    """Return how a word may lie in a file: in any case, in UTF-8 and UTF-16, and escaped as in JSON."""
    found: set[bytes] = set()
    for written in {word, word.lower(), word.upper()}:
        found |= {written.encode(), written.encode("utf-16-le"), written.encode("utf-16-be")}
        found.add(json.dumps(written)[1:-1].encode())
    return found


def find(folders: Iterable[Path], words: Iterable[str], allowed: Iterable[tuple[str, str]] = ()) -> dict[str, set[str]]:
    """Return where each word is found: names of files in `folders`.

    `allowed` are pairs (word, table of the catalog): there the word may be. The catalog is then searched without this
    table, in a copy that is made for it.
    """
    wanted = {word: forms(word) for word in words}
    found: dict[str, set[str]] = {}
    for name, content in _contents(folders):
        for word, written in wanted.items():
            if any(one in content for one in written):
                found.setdefault(word, set()).add(name)
    for word, table in allowed:
        for name in [one for one in found.get(word, set()) if one.endswith("catalog.sqlite")]:
            if _only_in(Path(name), word, table):
                found[word].discard(name)
    return {word: names for word, names in found.items() if names}


def _contents(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            yield str(path), str(path.relative_to(folder)).encode()  # its name
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            yield str(path), content
            if zipfile.is_zipfile(path):  # .npz as well
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        yield str(path), archive.read(name)
            elif content.startswith(b"\x1f\x8b"):
                yield str(path), gzip.decompress(content)


def _only_in(catalog: Path, word: str, table: str) -> bool:
    """Whether a word is in no other table of the catalog, and as often in the file as in that table's rows."""
    content = catalog.read_bytes()
    with closing(sqlite3.connect(catalog)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: [str(row) for row in database.execute(f"SELECT * FROM {name}")] for name in names}  # noqa: S608
    elsewhere = any(word in row for name, of_table in rows.items() if name != table for row in of_table)
    return not elsewhere and content.count(word.encode()) == sum(word in row for row in rows[table])
