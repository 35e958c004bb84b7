"""Options that several commands of this package share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.settings import Settings, default

if TYPE_CHECKING:
    from retrieval.embedding.encoder import SentenceEncoder
    from retrieval.search.reranker import Reranker as LoadedReranker

Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="Embedding model: a name or a local folder.",
        metavar="MODEL",
        show_default=f"the one of the index, otherwise {default('encoder')}",
    ),
]
Qrels = Annotated[Path | None, typer.Option(help="TREC qrels, if --queries is a file of TREC topics.", metavar="FILE")]
Reranker = Annotated[
    str | None,
    typer.Option(help="Cross-encoder that re-scores the first videos: a name or a local folder.", metavar="MODEL"),
]
OnlyRead = Annotated[bool, typer.Option("--only-read", help="Leave out videos whose OCR or transcript is missing.")]
# The former option, which asked for what is the default now.
Everything = Annotated[bool, typer.Option("--all", hidden=True)]


def chosen_encoder(settings: Settings) -> str:
    """Return the encoder of --encoder or the environment, otherwise that of the index, otherwise the default."""
    from retrieval.index.builder import index_encoder

    if settings.encoder_given:
        return settings.encoder
    return index_encoder(settings.indexes) or settings.encoder


def load_encoder(settings: Settings) -> "SentenceEncoder":
    """Load the chosen encoder.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    from ingest.models.weights import WeightsError
    from retrieval.embedding.encoder import SentenceEncoder

    try:
        return SentenceEncoder(chosen_encoder(settings))
    except WeightsError as error:
        if settings.encoder_given:
            raise
        raise WeightsError(f"{error} --encoder chooses another encoder.") from error


def load_reranker(name: str | None) -> "LoadedReranker | None":
    """Load the cross-encoder of --reranker, if there is one."""
    if name is None:
        return None
    from retrieval.search.reranker import Reranker as LoadedReranker

    return LoadedReranker(name)
