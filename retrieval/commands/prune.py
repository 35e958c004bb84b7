"""tiktok-retrieval prune: delete old generations."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("prune", "prune --keep 3")


def prune(
    keep: Annotated[
        int, typer.Option(min=0, help="Number of newest generations to keep besides the current one.", metavar="N")
    ] = 2,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Delete old generations; the current one always stays."""
    from retrieval.index.publish import prune as run

    settings = load_settings(data=data, indexes=indexes)
    deleted = run(settings.indexes, keep)
    answer(
        as_json,
        {"deleted": deleted},
        lambda: print(f"deleted {', '.join(deleted)}" if deleted else "nothing to delete"),
    )
