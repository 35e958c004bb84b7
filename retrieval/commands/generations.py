"""tiktok-retrieval generations: list what was built."""

from typing import Any

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("generations", "generations --indexes indexes/demo --json")


def generations(data: Data = None, indexes: Indexes = None, as_json: Json = False) -> None:
    """List the generations of the index; * marks the current one."""
    from retrieval.errors import GenerationError
    from retrieval.index.generation import current_name, generation_names, read_manifest

    settings = load_settings(data=data, indexes=indexes)
    try:
        current = current_name(settings.indexes)
    except GenerationError:
        current = ""
    rows: list[dict[str, Any]] = []
    for name in generation_names(settings.indexes):
        try:
            manifest = read_manifest(settings.indexes, name).model_dump(exclude={"files"})
            rows.append({"current": name == current, **manifest})
        except GenerationError as error:
            rows.append({"current": name == current, "name": name, "error": str(error)})

    def show() -> None:
        for row in rows:
            detail = row.get("error") or f"{row['videos']} videos, {row['encoder']}"
            print(f"{'*' if row['current'] else ' '} {row['name']}  {detail}")
        if not rows:
            print(f"none in {settings.indexes}: build one with `tiktok-retrieval build`")

    answer(as_json, rows, show)
