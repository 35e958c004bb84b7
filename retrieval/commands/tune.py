"""tiktok-retrieval tune: questions with known answers -> weights of the retrievers."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Qrels

EXAMPLES = (
    "tune --queries data/sample/queries.json --indexes indexes/demo",
    "tune --queries my_questions.csv --write",
)


def tune(
    queries: Annotated[
        Path, typer.Option(help="Questions: JSON, CSV/TSV, or TREC topics with --qrels.", metavar="FILE")
    ],
    qrels: Qrels = None,
    write: Annotated[
        bool, typer.Option("--write", help="Use the learned weights from now on if they are significantly better.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: even if the improvement is not significant.")
    ] = False,
    anyway: Annotated[bool, typer.Option("--anyway", hidden=True)] = False,  # the former name of --force
    data: Data = None,
    indexes: Indexes = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Learn better weights from your questions.

    The weights are those of meaning, stems, character 4-grams and bigrams. Their figures come from questions that they
    were not learned from (nested cross-validation).
    """
    from retrieval.console import print_tuning
    from retrieval.evaluation.queries import read_queries
    from retrieval.evaluation.tune import tune as run
    from retrieval.index.publish import reweight
    from retrieval.search.searcher import Searcher

    settings = load_settings(data=data, indexes=indexes)
    notes: list[str] = []
    asked = read_queries(queries, qrels, notes)
    tuning = run(Searcher.open(settings.indexes, complete=True), asked, progress=progress_mode(progress, quiet))
    tuning.notes.extend(notes)
    written = write and (tuning.better or force or anyway)
    name = reweight(settings.indexes, tuning.weights).name if written else None

    def show() -> None:
        print_tuning(tuning)
        if name:
            print(f"The current generation is now {name}, with the learned weights; `rollback` undoes this.")
        elif write:
            print("Nothing is written; --force writes the weights regardless.")

    answer(as_json, tuning.model_dump() | {"written": name}, show)
