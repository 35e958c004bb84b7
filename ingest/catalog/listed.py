"""The catalog -> what a list of all its videos shows and filters, read in a few statements."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.catalog import languages
from ingest.catalog.database import Database
from ingest.catalog.removals import LISTED, REMOVED
from scraper.records import ListKind


@dataclass(frozen=True)
class ListedVideo:
    """A video as a list shows it. Unknown values are empty.

    Attributes:
        languages: ISO 639-1 codes, the main one first.
        posted: an ISO date.
        imported_at: unix seconds.
        met: in which lists, when (UTC) and in which collection a person met it.
        is_kept: whether there is a video file.
    """

    id: str
    username: str = ""
    nickname: str = ""
    description: str = ""
    file_name: str = ""
    hashtags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    posted: str = ""
    duration_s: float | None = None
    likes: int | None = None
    sources: tuple[str, ...] = ()
    imported_at: float = 0.0
    met: tuple[tuple[ListKind, str, str], ...] = field(default=())
    is_kept: bool = False


def listed_videos(database: Database) -> Iterator[ListedVideo]:
    """Yield every video that is not removed, in the order of their ids. A damaged record is one without values."""
    with database.snapshot():
        met: dict[str, list[tuple[ListKind, str, str]]] = {}
        for row in database.execute(f"SELECT video_id, list, at, name FROM encounters WHERE {LISTED} ORDER BY at"):
            met.setdefault(row["video_id"], []).append((row["list"], row["at"], row["name"]))
        kept = {row["video_id"] for row in database.execute("SELECT video_id FROM media WHERE kind = 'video'")}
        read: dict[str, dict[str, tuple[str, ...]]] = {}
        for row in database.execute("SELECT video_id, kind, languages FROM texts WHERE languages != ''"):
            read.setdefault(row["video_id"], {})[row["kind"]] = languages.split(row["languages"])
        for row in database.execute(
            "SELECT id, record, imported_at, description_languages AS description, comment_languages AS comments"
            f" FROM videos WHERE id NOT IN {REMOVED} ORDER BY id"
        ):
            video_id = row["id"]
            of = {name: languages.split(row[name] or "") for name in ("description", "comments")}
            yield _listed(
                _fields(row["record"]),
                id=video_id,
                languages=languages.of_video(of | read.get(video_id, {})),
                imported_at=row["imported_at"],
                met=tuple(met.get(video_id, ())),
                is_kept=video_id in kept,
            )


def _fields(record: str) -> dict[str, Any]:
    try:
        fields = json.loads(record)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _listed(fields: dict[str, Any], **known: Any) -> ListedVideo:
    return ListedVideo(
        username=fields.get("creator_username") or "",
        nickname=fields.get("creator_nickname") or "",
        description=fields.get("description") or "",
        file_name=fields.get("file_name") or "",
        hashtags=tuple(fields.get("hashtags") or ()),
        posted=fields.get("posted") or "",
        duration_s=fields.get("duration_s"),
        likes=fields.get("likes"),
        sources=tuple(part for source in (fields.get("source") or "").split(",") if (part := source.strip())),
        **known,
    )
