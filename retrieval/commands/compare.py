"""tiktok-retrieval compare: models and questions with known answers -> a report."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Everything, OnlyRead, Qrels
from retrieval.embedding.registry import KEYWORDS_ALONE, OFFERED, table

EXAMPLES = (
    "compare bm25 all-MiniLM-L6-v2 all-mpnet-base-v2 --queries data/sample/queries.json --out comparison",
    "compare --list",
)


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Names or local folders of embedding models; --list shows some names. A+B is both in one index."
            f" {KEYWORDS_ALONE} is keyword search without a model.",
        ),
    ] = None,
    first: Annotated[str | None, typer.Option("--models", hidden=True)] = None,  # `--models A B`: the former spelling
    queries: Annotated[
        Path | None,
        typer.Option(
            help="Questions: JSON, CSV, TREC topics with --qrels, or a BEIR folder with its corpus.", metavar="FILE"
        ),
    ] = None,
    qrels: Qrels = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the report, the figures as JSON and the TREC runs.", metavar="DIR")
    ] = Path("comparison"),
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Property of the questions that holds the target's rank under another search.", metavar="NAME"
        ),
    ] = None,
    fields: Annotated[bool, typer.Option(help="Also search each field alone, and without each field.")] = True,
    only_read: OnlyRead = False,
    everything: Everything = False,
    offers: Annotated[bool, typer.Option("--list", help="Show the models offered by name and exit.")] = False,
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Compare embedding models on questions with known answers.

    The current index is not touched. Each model runs in a separate process. Vectors are cached in the index folder, so
    that a second comparison, or `promote`, does not encode anything again.
    """
    if offers:
        answer(as_json, [model.describe() for model in OFFERED], lambda: print(table()))
        return
    models = [*([first] if first else []), *(models or [])]
    if not models:
        raise typer.BadParameter("name at least one model; --list shows some", param_hint="MODEL...")
    if queries is None:
        raise typer.BadParameter("give a file of questions", param_hint="--queries")
    from retrieval.evaluation.compare import catalog_corpus, plain_corpus
    from retrieval.evaluation.compare import compare as run
    from retrieval.evaluation.queries import read_beir, read_queries
    from retrieval.evaluation.report import markdown, write_report

    settings = load_settings(data=data, indexes=indexes)
    notes: list[str] = []
    if queries.is_dir():
        documents, asked = read_beir(queries, notes)
        corpus = plain_corpus(queries.name, documents)
    else:
        asked = read_queries(queries, qrels, notes)
        corpus = catalog_corpus(settings.data, only_read and not everything)
    result = run(
        models,
        corpus,
        asked,
        settings.indexes,
        out,
        query_file=str(queries),
        baseline=baseline,
        fields=fields,
        notes=notes,
        command=shlex.join(["tiktok-retrieval", *sys.argv[1:]]),
        progress=progress_mode(progress, quiet),
    )
    write_report(result, out)

    def show() -> None:
        print(markdown(result, brief=True))
        print(f"report: {out / 'report.html'}")

    answer(as_json, result, show)
