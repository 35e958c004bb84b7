"""tiktok-retrieval edit: correct a text by hand."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ingest.commands.options import Data, Indexes
from ingest.settings import load_settings

if TYPE_CHECKING:
    from ingest.catalog.entries import TextKind

EXAMPLES = (
    "edit 7123456789012345678 speech",
    "edit 7123456789012345678 onscreen --text 'POV: my cat'",
    "edit 7123456789012345678 onscreen --undo",
)

LABELS: dict["TextKind", str] = {"cover": "on-screen text", "transcript": "speech"}
KINDS: dict[str, "TextKind"] = {  # by the names of the fields, and by those that are stored
    "onscreen": "cover",
    "speech": "transcript",
    "cover": "cover",
    "transcript": "transcript",
}


def edit(
    video_id: Annotated[str, typer.Argument(metavar="ID", help="ID of the video.")],
    field: Annotated[
        Literal["onscreen", "speech", "cover", "transcript"],
        typer.Argument(metavar="onscreen|speech", help="Text to correct: on-screen text or speech."),
    ],
    text: Annotated[
        str | None, typer.Option(help="The text; without this option, an editor opens.", metavar="TEXT")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Drop the edited text; the next run makes it again.")] = False,
    data: Data = None,
    indexes: Indexes = None,
) -> None:
    """Correct the on-screen text or the speech of a video by hand.

    Later runs do not overwrite it.
    """
    import click

    from ingest.catalog import Catalog, CatalogError
    from ingest.catalog.editing import EditError, from_lines, to_lines

    settings = load_settings(data=data, indexes=indexes)
    kind = KINDS[field]
    with Catalog(settings.data) as catalog:
        entry = catalog.get(video_id)
        if not entry:
            raise CatalogError(f"no video {video_id} in {catalog.data}")
        if undo:
            dropped = catalog.forget_text(video_id, kind)
            print(f"The {LABELS[kind]} is due again." if dropped else "There was no text.")
            return
        try:
            lines = text if text is not None else click.edit(to_lines(entry.texts.get(kind)))
        except click.ClickException as error:
            raise CatalogError(f"the editor did not work ({error.message}): set EDITOR, or use --text") from error
        if lines is None:
            print("Nothing is changed.")
            return
        try:
            catalog.put_text(video_id, kind, from_lines(lines, kind))
        except EditError as error:
            raise CatalogError(f"{error}; nothing is changed") from error
        print(f"The {LABELS[kind]} of {video_id} is changed. Run `tiktok-retrieval build` to index it.")
