"""tiktok-retrieval search: a question -> the best videos, each with the passages that speak for it."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import FusionMethod, SearchMode, load_settings
from retrieval.commands.options import Reranker, load_reranker

EXAMPLES = (
    'search "dog that answers the phone" -k 5',
    """search '"not your phone" @barkley.says -cat after:2022'""",
    "search sourdough --mode keyword -w comments=0 --json",
)


def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help='What you remember of the video. "exact phrase", @creator, #tag, -word, field:word, before:2023,'
            " after:2022-06 and lang:en narrow the search.",
        ),
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1000, help="Number of results.", metavar="N")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="Number of results to skip.", metavar="N")] = 0,
    mode: Annotated[
        SearchMode, typer.Option(help="Search by meaning (dense), by words (keyword), or both (hybrid).")
    ] = "hybrid",
    lane: Annotated[SearchMode | None, typer.Option("--lane", hidden=True)] = None,  # the former name of --mode
    fusion: Annotated[FusionMethod, typer.Option(help="How the scores are combined.")] = "zscore",
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight", "-w", help="Weight of a field: 0 switches it off, 1 is normal; repeatable.", metavar="FIELD=X"
        ),
    ] = None,
    reranker: Reranker = None,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Search the current index."""
    from retrieval.console import print_answer
    from retrieval.corpus.removal import hidden_videos
    from retrieval.errors import BadWeights
    from retrieval.search.fusion import parse_weights
    from retrieval.search.searcher import Searcher

    settings = load_settings(data=data, indexes=indexes)
    try:
        weights = parse_weights(weight or [])
    except BadWeights as error:
        raise typer.BadParameter(str(error), param_hint="--weight") from error
    searcher = Searcher.open(settings.indexes, load_reranker(reranker))
    found = searcher.search(
        query,
        k,
        offset=offset,
        mode=lane or mode,
        method=fusion,
        weights=weights,
        hidden=hidden_videos(settings.data),
    )
    answer(as_json, found, lambda: print_answer(found, settings.data))
