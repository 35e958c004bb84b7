"""Generations of another format -> what to run, how long that takes, and how much disk it needs."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.index.verified import REBUILD
from scraper.disk import size_of

SECONDS_PER_VIDEO = 0.012  # of a build that finds every vector in the cache, on two cores


def refusal(folder: Path, manifest: Mapping[str, Any], wanted: int) -> str:
    """Return the message for a generation of another format than `wanted`."""
    found, videos = manifest.get("format"), manifest.get("videos")
    message = f"{folder} has format {found}, not {wanted}: {REBUILD}"
    if not isinstance(found, int) or found >= wanted or not isinstance(videos, int):
        return message
    minutes = math.ceil(max(videos, 1) * SECONDS_PER_VIDEO / 60)
    try:
        needed = size_of(sum(path.stat().st_size for path in folder.iterdir()))
    except OSError:
        return message
    return (
        f"{folder} was built by an earlier version (format {found}, not {wanted}): run `tiktok-retrieval build`. That"
        f" takes about {minutes} min for its {videos:,} videos, because their vectors are in the cache, and needs about"
        f" {needed}. The earlier generations stay until `tiktok-retrieval prune`"
    )
