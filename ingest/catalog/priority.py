"""The order in which a person most likely looks for their videos: the one in which media are processed."""

import json
from collections.abc import Collection

from ingest.catalog.database import Database


def by_priority(database: Database, ids: Collection[str]) -> list[str]:
    """Sort `ids`: own files first (they need no network), then favorites and collections, likes, other lists, history.

    A video that is in no list was given by itself, and counts like a favorite. A video in several lists counts by the
    first of them. Within a list, what the person met last comes first.
    """
    rows = database.execute(
        "SELECT value AS id FROM json_each(?) LEFT JOIN ("
        " SELECT video_id, max(at) AS at, min("
        "  CASE list WHEN 'favorites' THEN 0 WHEN 'collection' THEN 0 WHEN 'likes' THEN 1 WHEN 'history' THEN 3"
        "  ELSE 2 END) AS rank FROM encounters GROUP BY video_id"
        ") AS met ON met.video_id = value"
        " ORDER BY NOT EXISTS (SELECT 1 FROM media WHERE media.video_id = value AND source = 'imported'),"
        " ifnull(rank, 0), ifnull(at, '') DESC, value",
        (json.dumps(sorted(ids)),),
    )
    return [row["id"] for row in rows]
