"""A video that is known by its content only gets the id that the site gave it."""

import contextlib
import sqlite3

from ingest.catalog.database import Database

# tables whose lines move, without those that `put_video` made for the new id
_MOVED = ("media", "texts", "segments", "encounters", "origins", "judgements", "files")


def with_content(database: Database, sha256: str) -> str | None:
    """Return the id of the video whose video file has this content, the site's id if there are several; or None."""
    rows = database.execute(
        "SELECT video_id FROM media WHERE kind = 'video' AND sha256 = ? ORDER BY length(video_id), video_id", (sha256,)
    ).fetchall()
    return rows[0]["video_id"] if rows else None


def move(database: Database, old: str, new: str, folder: str) -> None:
    """Move everything that hangs on `old` to `new`, which is in the catalog, and delete `old`.

    Args:
        folder: the media folder of `new`, relative to the data folder. It exists.
    """
    with database.transaction():
        moved: list[tuple[str, str]] = []
        own = {(row["kind"], row["position"]) for row in _files(database, new)}
        for row in _files(database, old):
            if (row["kind"], row["position"]) in own:  # the file of `new` stays: it is the one that its row describes
                moved.append((row["path"], ""))
                continue
            target = f"{folder}/{row['path'].rpartition('/')[2]}"
            database.execute(
                "UPDATE media SET path = ? WHERE video_id = ? AND kind = ? AND position = ?",
                (target, old, row["kind"], row["position"]),
            )
            moved.append((row["path"], target))
        for table in _MOVED:
            database.execute(f"UPDATE OR IGNORE {table} SET video_id = ? WHERE video_id = ?", (new, old))
        database.execute("DELETE FROM ledger WHERE video_id = ? AND stage != 'download'", (new,))
        database.execute("UPDATE OR IGNORE ledger SET video_id = ? WHERE video_id = ?", (new, old))
        database.execute("DELETE FROM videos WHERE id = ?", (old,))
        for before, after in moved:
            if not after:
                (database.data / before).unlink(missing_ok=True)
            elif (database.data / before).is_file():
                (database.data / before).replace(database.data / after)
            with contextlib.suppress(OSError):  # other files are in it
                (database.data / before).parent.rmdir()


def _files(database: Database, video_id: str) -> list[sqlite3.Row]:
    return database.execute("SELECT kind, position, path FROM media WHERE video_id = ?", (video_id,)).fetchall()
