"""tiktok-retrieval search: a question -> the best videos, each with the passages that speak for it."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands.options import Data, Indexes, Json
from ingest.commands.output import answer, printable
from ingest.settings import FusionMethod, SearchMode, Settings, SortOrder, load_settings
from retrieval.commands.options import Reranker, load_reranker

if TYPE_CHECKING:
    from retrieval.search.answer import Answer
    from retrieval.server.shell_question import ShellQuestion

EXAMPLES = (
    'search "dog that answers the phone" -k 5',
    """search '"not your phone" @barkley.says -cat after:2022'""",
    "search soup --in favorites --seen 2024-03",
    'search --saved "last winter" --length ">1m" --sort seen',
    "search --image screenshot.png",
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
    posted: Annotated[
        str, typer.Option(help='Only videos posted at this time: 2024-03 or "last winter".', metavar="WHEN")
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
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            help="Search by a picture, such as a screenshot, and the words in it; with the query or without one.",
            metavar="FILE",
        ),
    ] = None,
    reranker: Reranker = None,
    no_server: Annotated[
        bool,
        typer.Option(
            "--no-server",
            help="Search in this process, even if `serve` runs on this machine with the same folders and would answer"
            " at once.",
        ),
    ] = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
) -> None:
    """Search the current index."""
    from retrieval.commands.ask_server import ask_server
    from retrieval.console import print_answer
    from retrieval.errors import BadFilter, BadWeights
    from retrieval.search.fusion import parse_weights
    from retrieval.server.shell_question import ShellQuestion

    settings = load_settings(data=data, indexes=indexes)
    try:
        weights = parse_weights(weight or [])
    except BadWeights as error:
        raise typer.BadParameter(str(error), param_hint="--weight") from error
    times = {"posted": posted, "seen": seen, "liked": liked, "saved": saved, "watched": watched, "shared": shared}
    question = ShellQuestion(
        query=query,
        k=k,
        offset=offset,
        mode=lane or mode,
        weights=weights,
        method=fusion,
        filters={**times, "in": in_list, "length": length, "likes": likes, "source": source},
        sort=sort,
        exact=exact,
    )
    try:
        conditions = question.conditions()
    except BadFilter as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.filter}") from error
    if not query.strip() and not conditions and not image:
        raise typer.BadParameter("say what you remember, or give a filter", param_hint="QUERY")
    if image and not image.is_file():
        raise typer.BadParameter(f"there is no file {image}", param_hint="--image")
    if image:
        question = with_picture(question, image, settings)
    found = ask_server(question, settings) if reranker is None and not no_server else None
    found = found or search_by(question, settings, reranker)
    answer(as_json, found, lambda: print_answer(found, settings.data))


def with_picture(question: "ShellQuestion", image: Path, settings: Settings) -> "ShellQuestion":
    """Return a question with a picture and the words in it.

    Raises:
        NoVision: the index does not know what videos show.
    """
    from ingest.stages.screenshot import read_screenshot
    from retrieval.errors import NoVision
    from retrieval.index.generation import own_files
    from retrieval.index.layout import current_name, generations_folder

    if own_files(generations_folder(settings.indexes) / current_name(settings.indexes)).manifest.vision is None:
        raise NoVision("")
    shown = read_screenshot(image, settings)
    if shown.words:
        print(f"words in the picture: {printable(' '.join(shown.words))}", file=sys.stderr)
    words = " ".join([*shown.words, question.query]).strip()
    return question.model_copy(update={"query": words, "picture": shown.webp})


def search_by(question: "ShellQuestion", settings: Settings, reranker: str | None) -> "Answer":
    """Return the answer of this process.

    Raises:
        NoVision: the question has a picture, and there is no vision model.
    """
    from retrieval.corpus.removal import hidden_videos
    from retrieval.embedding.cached_pictures import opened
    from retrieval.search.searcher import Searcher
    from retrieval.search.seen import look_at

    searcher = Searcher.open(settings.indexes, load_reranker(reranker))
    search = partial(searcher.search, hidden=hidden_videos(settings.data))
    if question.picture:
        vector = look_at(opened(question.picture), searcher.vision, searcher.no_vision)
        search = partial(search, picture=vector)
    return question.answered_by(search)
