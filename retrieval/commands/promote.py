"""tiktok-retrieval promote: a compared model, or several -> the encoders of the index."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Everything, OnlyRead
from retrieval.embedding.registry import KEYWORDS_ALONE

EXAMPLES = ("promote all-mpnet-base-v2 --data data --indexes indexes",)


def promote(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model, by the name or folder that was compared; A+B are two.")
    ],
    only_read: OnlyRead = False,
    everything: Everything = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Make a compared model the encoder of the index, or A+B its two encoders.

    Builds a new generation with the vectors that the comparison cached. Later builds keep the models.
    """
    if model == KEYWORDS_ALONE:
        raise typer.BadParameter(
            f"{KEYWORDS_ALONE} is not an embedding model; any index answers with `search --mode keyword`",
            param_hint="MODEL",
        )
    from retrieval.corpus.build import build
    from retrieval.corpus.erasure import finish
    from retrieval.embedding.encoder import SentenceEncoder

    settings = load_settings(data=data, indexes=indexes)
    encoders = [SentenceEncoder(name) for name in load_settings(encoder=model).encoder]
    only_read, shown = only_read and not everything, progress_mode(progress, quiet)
    manifest = build(settings, encoders, only_read=only_read, progress=shown).manifest

    finish(settings.data, settings.indexes)  # what was erased since the documents were read

    def show() -> None:
        print(f"The current generation is now {manifest.name}: {manifest.videos} videos by {manifest.encoder}")
        kept = "these encoders" if len(manifest.encoders) > 1 else "this encoder"
        print(f"({manifest.encoded} texts encoded). Later builds keep {kept}.")

    answer(as_json, manifest, show)
