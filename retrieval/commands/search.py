"""tiktok-retrieval search: a question -> the best videos, each with the passages that speak for it."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer
from ingest.settings import FusionMethod, SearchMode, SortOrder, load_settings
from retrieval.commands.options import Reranker, load_reranker

EXAMPLES = (
    'search "dog that answers the phone" -k 5',
    """search '"not your phone" @barkley.says -cat after:2022'""",
    "search soup --in favorites --seen 2024-03",
    'search --saved "last winter" --length ">1m" --sort seen',
    "search sourdough --mode keyword -w comments=0 --json",
)


def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help='What you remember of the video. "exact phrase", by:@creator, tag:name, -word, field:word,'
            " before:2023, after:2022-06, lang:en, in:favorites and seen:2024-03 narrow the search. Among words,"
            " @creator and #tag count more.",
            show_default=False,
        ),
    ] = "",
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
    in_list: Annotated[
        str,
        typer.Option("--in", help="Only videos in favorites, likes, history, shares or a collection.", metavar="LIST"),
    ] = "",
    seen: Annotated[
        str,
        typer.Option(help='Only videos in any list at this time: 2024-03, 2024.. or "last winter".', metavar="WHEN"),
    ] = "",
    liked: Annotated[str, typer.Option(help="Only videos liked at this time.", metavar="WHEN")] = "",
    saved: Annotated[
        str, typer.Option(help="Only videos added to favorites or a collection at this time.", metavar="WHEN")
    ] = "",
    watched: Annotated[str, typer.Option(help="Only videos watched at this time.", metavar="WHEN")] = "",
    shared: Annotated[str, typer.Option(help="Only videos shared at this time.", metavar="WHEN")] = "",
    length: Annotated[str, typer.Option(help="Only videos of this length: <30s, 1m..3m, >5m.", metavar="RANGE")] = "",
    likes: Annotated[str, typer.Option(help="Only videos with so many likes: >10k, 1k..5k.", metavar="RANGE")] = "",
    source: Annotated[
        str, typer.Option(help="Only videos with a record from this source, such as data export.", metavar="SOURCE")
    ] = "",
    sort: Annotated[
        SortOrder,
        typer.Option(help="Order: relevance, date of posting (newest, oldest), or when you last saw the video (seen)."),
    ] = "relevance",
    exact: Annotated[bool, typer.Option("--exact", help="Search for the words as typed: correct no spelling.")] = False,
    reranker: Reranker = None,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Search the current index."""
    from retrieval.console import print_answer
    from retrieval.corpus.removal import hidden_videos
    from retrieval.errors import BadFilter, BadWeights
    from retrieval.search.filter_values import filters
    from retrieval.search.fusion import parse_weights
    from retrieval.search.searcher import Searcher

    settings = load_settings(data=data, indexes=indexes)
    try:
        weights = parse_weights(weight or [])
    except BadWeights as error:
        raise typer.BadParameter(str(error), param_hint="--weight") from error
    times = {"seen": seen, "liked": liked, "saved": saved, "watched": watched, "shared": shared}
    try:
        conditions = filters(**times, **{"in": in_list, "length": length, "likes": likes, "source": source})
    except BadFilter as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.filter}") from error
    if not query.strip() and not conditions:
        raise typer.BadParameter("say what you remember, or give a filter", param_hint="QUERY")
    searcher = Searcher.open(settings.indexes, load_reranker(reranker))
    found = searcher.search(
        query,
        k,
        offset=offset,
        mode=lane or mode,
        method=fusion,
        weights=weights,
        hidden=hidden_videos(settings.data),
        filters=conditions,
        sort=sort,
        exact=exact,
    )
    answer(as_json, found, lambda: print_answer(found, settings.data))
