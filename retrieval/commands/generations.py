"""tiktok-retrieval generations: list what was built."""

from typing import Any

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("generations", "generations --indexes indexes/demo --json")


def generations(data: Data = None, indexes: Indexes = None, as_json: Json = False) -> None:
    """List the generations of the index; * marks the current one."""
    from retrieval.errors import GenerationError
    from retrieval.index.generation import read_manifest
    from retrieval.index.layout import current_name, generation_names

    settings = load_settings(data=data, indexes=indexes)
    try:
        current = current_name(settings.indexes)
    except GenerationError:
        current = ""
    rows: list[dict[str, Any]] = []
    described: dict[str, str] = {}
    for name in generation_names(settings.indexes):
        try:
            manifest = read_manifest(settings.indexes, name)
            described[name] = " + ".join(used.describe() for used in manifest.encoders)
            rows.append({"current": name == current, **manifest.model_dump(exclude={"files"})})
        except GenerationError as error:
            rows.append({"current": name == current, "name": name, "error": str(error)})

    def show() -> None:
        for row in rows:
            detail = row.get("error") or f"{row['videos']} videos, {described.get(row['name']) or row['encoder']}"
            print(f"{'*' if row['current'] else ' '} {row['name']}  {detail}")
        if not rows:
            print(f"none in {settings.indexes}: build one with `tiktok-retrieval build`")

    answer(as_json, rows, show)
