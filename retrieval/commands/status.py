"""tiktok-retrieval status: what the catalog and the index hold, and how far each stage is."""

from pathlib import Path
from typing import Any

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.status import EXAMPLES as EXAMPLES
from ingest.commands.status import Failures, report


def status(data: Data = None, indexes: Indexes = None, failures: Failures = False, as_json: Json = False) -> None:
    """Show the folders, the index with its encoders, the progress of each stage, and errors."""
    report(data, indexes, failures, as_json, _index_in)


def _index_in(indexes: Path) -> tuple[dict[str, Any], str]:
    """Return the current generation with its encoders, for JSON and as a line."""
    from retrieval.errors import GenerationError
    from retrieval.index.generation import read_manifest
    from retrieval.index.layout import current_name

    try:
        manifest = read_manifest(indexes, current_name(indexes))
    except GenerationError as error:
        return {"error": str(error)}, str(error)
    encoders = [used.summary() for used in manifest.encoders]
    named = " and ".join(used.describe() for used in manifest.encoders) or "words only, no encoder"
    return (
        {"generation": manifest.name, "videos": manifest.videos, "encoders": encoders},
        f"{manifest.name}, {manifest.videos} videos, {named}",
    )
