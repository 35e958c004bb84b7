"""tiktok-retrieval rollback: an earlier generation becomes the current one."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("rollback", "rollback 20261126T101500123456-0a1b2c")


def rollback(
    to: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of a generation.", show_default="the one before the current"),
    ] = None,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Switch back to an earlier generation."""
    from retrieval.index.publish import rollback as run

    settings = load_settings(data=data, indexes=indexes)
    current = run(settings.indexes, to)
    answer(as_json, {"current": current}, lambda: print(f"The current generation is now {current}."))
