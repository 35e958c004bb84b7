"""Options that several commands of this package share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.settings import Settings, default

if TYPE_CHECKING:
    from retrieval.embedding.encoder import SentenceEncoder
    from retrieval.search.reranker import Reranker as LoadedReranker

Encoder = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        help="Embedding model: a name or a local folder. May be given several times.",
        metavar="MODEL",
        show_default=f"those of the index, otherwise {default('encoder')}",
    ),
]
Vision = Annotated[
    str | None,
    typer.Option(
        "--vision",
        help="Vision model for search by what videos show: a name or a local folder; `off` for none.",
        metavar="MODEL",
        show_default="that of the index, otherwise none",
    ),
]
Qrels = Annotated[Path | None, typer.Option(help="TREC qrels, if --queries is a file of TREC topics.", metavar="FILE")]
Reranker = Annotated[
    str | None,
    typer.Option(help="Cross-encoder that re-scores the first videos: a name or a local folder.", metavar="MODEL"),
]
OnlyRead = Annotated[bool, typer.Option("--only-read", help="Leave out videos whose OCR or transcript is missing.")]
HALF = ("bf16", "fp16")  # precisions of which each computer uses the one that it is fastest in
# The former option, which asked for what is the default now.
Everything = Annotated[bool, typer.Option("--all", hidden=True)]


def chosen_encoders(settings: Settings) -> tuple[str, ...]:
    """Return the encoders of --encoder or the environment, otherwise those of the index, otherwise the default."""
    from retrieval.embedding.registry import full_name
    from retrieval.index.publish import index_encoders

    names = settings.encoder if settings.encoder_given else index_encoders(settings.indexes) or settings.encoder
    return tuple(dict.fromkeys(map(full_name, names)))


def chosen_vision(settings: Settings) -> str:
    """Return the vision model of --vision or the environment, otherwise that of the index; "" for none."""
    from retrieval.corpus.seen import OFF, index_vision

    return "" if settings.vision == OFF else settings.vision or index_vision(settings.indexes)


def load_encoders(settings: Settings) -> "list[SentenceEncoder]":
    """Load the chosen encoders.

    Raises:
        WeightsError: the weights of one cannot be loaded.
    """
    from ingest.models.weights import WeightsError
    from retrieval.embedding.encoder import SentenceEncoder

    kept = _half_precisions(settings)
    try:
        return [SentenceEncoder(name, precision=kept.get(name)) for name in chosen_encoders(settings)]
    except WeightsError as error:
        if settings.encoder_given:
            raise
        raise WeightsError(f"{error} --encoder chooses another encoder.") from error


def _half_precisions(settings: Settings) -> dict[str, str]:
    """Return the half precision of each encoder of the index that has one: what is added to an index that was built on
    a graphics card must have the same, or its vectors would all be encoded again on a computer without one."""
    from retrieval.errors import GenerationError
    from retrieval.index.generation import read_manifest
    from retrieval.index.layout import current_name

    try:
        encoders = read_manifest(settings.indexes, current_name(settings.indexes)).encoders
    except (GenerationError, OSError):
        return {}
    return {used.name: used.precision for used in encoders if used.precision in HALF}


def load_reranker(name: str | None) -> "LoadedReranker | None":
    """Load the cross-encoder of --reranker, if there is one."""
    if name is None:
        return None
    from retrieval.search.reranker import Reranker as LoadedReranker

    return LoadedReranker(name)
