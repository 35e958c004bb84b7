"""tiktok-retrieval evaluate: questions with known answers -> measures of the current index."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Qrels, Reranker, load_encoders, load_reranker

EXAMPLES = (
    "evaluate --queries data/sample/queries.json --indexes indexes/demo",
    "evaluate --queries data/sample/queries_by_language.json --indexes indexes/demo --by language --by across",
    "evaluate --beir scifact --json",
)


def evaluate(
    queries: Annotated[
        Path | None,
        typer.Option(help='Questions: JSON [{"text", "target"}], CSV, or TREC topics with --qrels.', metavar="FILE"),
    ] = None,
    qrels: Qrels = None,
    beir: Annotated[
        Path | None, typer.Option(help="BEIR folder, whose corpus is indexed separately.", metavar="DIR")
    ] = None,
    per_query: Annotated[bool, typer.Option("--per-query", help="List the rank of every target.")] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Print a table by this label of the questions; repeatable.",
            metavar="LABEL",
            show_default="language, if the questions have it",
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="With --beir: embedding model. May be given several times.",
            metavar="MODEL",
            show_default="those of the index",
        ),
    ] = None,
    reranker: Reranker = None,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure the search quality on questions with known answers.

    The questions go to the current index, or to an index of a BEIR folder's corpus.
    """
    if (queries is None) == (beir is None):
        raise typer.BadParameter("give either --queries FILE or --beir DIR", param_hint="--queries")
    if by and beir is not None:
        raise typer.BadParameter("the questions of a BEIR folder have no labels", param_hint="--by")
    if queries is not None and encoder:
        raise typer.BadParameter(
            "it goes with --beir; questions go to the current index, which has its encoders", param_hint="--encoder"
        )
    from retrieval.console import print_evaluation
    from retrieval.corpus.removal import hidden_videos
    from retrieval.evaluation.breakdown import chosen_labels
    from retrieval.evaluation.evaluate import evaluate as run
    from retrieval.evaluation.evaluate import evaluate_beir
    from retrieval.evaluation.queries import read_queries
    from retrieval.search.searcher import Searcher

    settings = load_settings(data=data, indexes=indexes, encoder=encoder)
    mode = progress_mode(progress, quiet)
    if queries is not None:
        notes: list[str] = []
        asked = read_queries(queries, qrels, notes)
        labels = chosen_labels(asked, by)
        searcher = Searcher.open(settings.indexes, load_reranker(reranker), complete=True)
        result = run(searcher, asked, hidden=hidden_videos(settings.data), notes=notes, progress=mode)
    else:
        assert beir is not None
        labels = []
        loaded = load_encoders(settings)
        result = evaluate_beir(beir, settings.indexes, *loaded, reranker=load_reranker(reranker), progress=mode)
    answer(as_json, result, lambda: print_evaluation(result, per_query, labels))
