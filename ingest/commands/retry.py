"""tiktok-retrieval retry: failed items become due again."""

from typing import Annotated, Literal

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import load_settings

EXAMPLES = ("retry", "retry --stage download", "retry --error expired", "retry 7123456789012345678")


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Retry only these videos.")] = None,
    stage: Annotated[
        Literal["download", "ocr", "transcribe", "pictures"] | None, typer.Option(help="Retry only this stage.")
    ] = None,
    error: Annotated[str, typer.Option(help="Retry only failures whose error contains this.", metavar="TEXT")] = "",
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Make failed items due again; the next run processes them."""
    from ingest.catalog import Catalog
    from ingest.catalog.picture_store import PictureStore

    settings = load_settings(data=data, indexes=indexes)
    with Catalog(settings.data) as catalog, PictureStore(settings.data) as pictures:
        count = 0 if stage == "pictures" else catalog.ledger.retry(stage, ids or (), error)
        count += pictures.retry(ids or (), error) if stage in ("pictures", None) else 0
    answer(as_json, {"due": count}, lambda: print(f"{count} due again"))
