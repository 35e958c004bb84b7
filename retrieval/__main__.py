"""python -m retrieval: build, search, evaluate and keep generations."""

import json
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ingest.settings import Settings
from retrieval.console import _print_answer, _print_evaluation, _print_tuning
from retrieval.embedding.registry import KEYWORDS_ALONE, OFFERED, table

if TYPE_CHECKING:
    from retrieval.search.reranker import Reranker as LoadedReranker

app = typer.Typer(
    help="Build indexes of a catalogue, ask them, measure them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
_settings = Settings()

Data = Annotated[Path, typer.Option(help="Folder of the catalogue.", show_default=True)]
Indexes = Annotated[Path, typer.Option(help="Folder of the generations.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Encoder = Annotated[str, typer.Option(help="Embedding model: a name or a local folder.", show_default=True)]
Qrels = Annotated[Path | None, typer.Option(help="TREC qrels, where --queries is a file of TREC topics.")]
Reranker = Annotated[
    str | None, typer.Option(help="Let a cross-encoder re-score the first videos: a name or a local folder.")
]


@app.command(epilog="Example: python -m retrieval build --data data --indexes indexes")
def build(
    data: Data = _settings.data,
    indexes: Indexes = _settings.indexes,
    encoder: Encoder = _settings.encoder,
    everything: Annotated[
        bool, typer.Option("--all", help="Index videos whose texts are unread or unreadable too, by what is there.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Build a new generation from the usable videos and switch to it; only changed texts are encoded.

    Usable is a video whose cover and speech have both been read (or that has none); `--all` takes the others too.
    """
    with _plain_errors():
        from ingest.catalog import Catalog
        from retrieval.embedding.encoder import SentenceEncoder as Loaded
        from retrieval.index import builder
        from retrieval.index.documents import document

        with Catalog(data) as catalog:
            ids = catalog.ids(usable=not everything)
            total = len(catalog.ids())
            documents = [document(entry) for entry in catalog.entries(ids)]
        if not ids:
            _fail(
                f"none of the {total} videos in {data} is usable: read their media with `python -m ingest run`,"
                " or index what is there with `python -m retrieval build --all`"
            )
        manifest = builder.build(documents, indexes, Loaded(encoder), progress="off" if quiet else "auto")
        if as_json:
            print(manifest.model_dump_json())
            return
        print(f"generation {manifest.name}: {manifest.videos} videos, {sum(manifest.passages.values())} passages,")
        print(f"{manifest.encoded} texts encoded by {manifest.encoder} in {manifest.precision}")
        if len(ids) < total:
            print(
                f"{total - len(ids)} videos left out, their media unread or unreadable (see `python -m ingest status`;"
            )
            print("`--all` indexes them by what is there)")


@app.command(
    epilog='Examples: python -m retrieval search "dog that answers the phone" -k 5;'
    """  python -m retrieval search '"not your phone" @barkley.says -cat after:2022'"""
)
def search(
    query: Annotated[
        str,
        typer.Argument(
            help='What you remember of the video. "exact phrase", @creator, #tag, -word, field:word, before:2023,'
            " after:2022-06 and lang:en narrow it down."
        ),
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1000, help="How many videos.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many first.")] = 0,
    lane: Annotated[str, typer.Option(help="hybrid, dense or keyword.")] = "hybrid",
    fusion: Annotated[str, typer.Option(help="zscore, dbsf or rrf.")] = "zscore",
    weight: Annotated[
        list[str] | None, typer.Option("--weight", "-w", help="FIELD=X, 0 switches off, 1 is normal; repeatable.")
    ] = None,
    reranker: Reranker = None,
    data: Data = _settings.data,
    indexes: Indexes = _settings.indexes,
    as_json: AsJson = False,
) -> None:
    """Ask the current generation."""
    with _plain_errors():
        from retrieval.errors import BadWeights
        from retrieval.search.fusion import METHODS, MODES, parse_weights
        from retrieval.search.searcher import Searcher

        try:
            weights = parse_weights(weight or [])
            chosen_lane = next((known for known in MODES if known == lane), None)
            method = next((known for known in METHODS if known == fusion), None)
        except BadWeights as error:
            _fail(str(error))
        if chosen_lane is None or method is None:
            _fail(f"--lane is one of {', '.join(MODES)}; --fusion one of {', '.join(METHODS)}")
        answer = Searcher.open(indexes, _reranker(reranker)).search(
            query, k, offset=offset, mode=chosen_lane, method=method, weights=weights
        )
        if as_json:
            print(answer.model_dump_json())
        else:
            _print_answer(answer, data)


@app.command(
    epilog="Examples: python -m retrieval evaluate --queries data/sample/queries.json --indexes indexes/sample;"
    "  python -m retrieval evaluate --beir scifact --json"
)
def evaluate(
    queries: Annotated[
        Path | None, typer.Option(help='Questions: JSON [{"text", "target"}], CSV, or TREC topics with --qrels.')
    ] = None,
    qrels: Qrels = None,
    beir: Annotated[Path | None, typer.Option(help="BEIR folder; its own corpus is indexed aside.")] = None,
    per_query: Annotated[bool, typer.Option("--per-query", help="List the place of every target.")] = False,
    indexes: Indexes = _settings.indexes,
    encoder: Annotated[str | None, typer.Option(help="With --beir: another embedding model than the default.")] = None,
    reranker: Reranker = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure the current generation on questions with known answers, or the same code on a BEIR folder."""
    with _plain_errors():
        from retrieval.embedding.encoder import SentenceEncoder as Loaded
        from retrieval.evaluation.evaluate import evaluate as run
        from retrieval.evaluation.evaluate import evaluate_beir
        from retrieval.evaluation.queries import read_queries
        from retrieval.search.searcher import Searcher

        if (queries is None) == (beir is None):
            _fail("give either --queries FILE or --beir FOLDER")
        if queries is not None and encoder is not None:
            _fail("--encoder goes with --beir; questions are asked of the current generation with its own encoder")
        if queries is not None:
            searcher = Searcher.open(indexes, _reranker(reranker))
            result = run(searcher, read_queries(queries, qrels), progress="off" if quiet else "auto")
        elif beir is not None:
            loaded = Loaded(encoder or _settings.encoder)
            result = evaluate_beir(beir, indexes, loaded, _reranker(reranker), progress="off" if quiet else "auto")
        if as_json:
            print(result.model_dump_json())
        else:
            _print_evaluation(result, per_query)


@app.command(
    epilog="Examples: python -m retrieval compare --models bm25 all-MiniLM-L6-v2 all-mpnet-base-v2"
    " --queries data/sample/queries.json --out comparison;  python -m retrieval compare --list"
)
def compare(
    more: Annotated[list[str] | None, typer.Argument(metavar="", show_default=False, hidden=True)] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL...",
            help=f"Names or local folders, several in a row. {KEYWORDS_ALONE} is the keywords alone; offered by name: "
            + ", ".join(model.alias for model in OFFERED),
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help="Questions: JSON, CSV, TREC topics with --qrels, or a BEIR folder with its own corpus."),
    ] = None,
    qrels: Qrels = None,
    out: Annotated[Path, typer.Option(help="Folder of the report, the figures as JSON and the TREC runs.")] = Path(
        "comparison"
    ),
    baseline: Annotated[
        str | None, typer.Option(help="A property of the questions that holds the place under another search.")
    ] = None,
    fields: Annotated[bool, typer.Option(help="Ask with each field alone and each left out, too.")] = True,
    data: Data = _settings.data,
    indexes: Indexes = _settings.indexes,
    everything: Annotated[bool, typer.Option("--all", help="Videos whose texts are unread or unreadable too.")] = False,
    offers: Annotated[bool, typer.Option("--list", help="Show the models offered by name, and no more.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare embedding models on questions with known answers; the current generation is not touched.

    Each is measured in a process of its own. Vectors are kept in the cache of --indexes: a second run, or the promotion
    of the winner, encodes nothing anew. See docs/how-to/compare-models.md.
    """
    with _plain_errors():
        if offers:
            print(json.dumps([model.describe() for model in OFFERED]) if as_json else table())
            return
        if queries is None or not models:
            _fail("give --models MODEL... and --queries FILE; `python -m retrieval compare --list` shows the models")
        from retrieval.evaluation.compare import catalogue_corpus, plain_corpus
        from retrieval.evaluation.compare import compare as run
        from retrieval.evaluation.queries import read_beir, read_queries
        from retrieval.evaluation.report import markdown, write_report

        if queries.is_dir():
            documents, asked = read_beir(queries)
            corpus = plain_corpus(queries.name, documents)
        else:
            asked = read_queries(queries, qrels)
            corpus = catalogue_corpus(data, everything)
        result = run(
            [*models, *(more or [])],
            corpus,
            asked,
            indexes,
            out,
            query_file=str(queries),
            baseline=baseline,
            fields=fields,
            command=shlex.join(["python", "-m", "retrieval", *sys.argv[1:]]),
            progress="off" if quiet else "auto",
        )
        write_report(result, out)
        print(result.model_dump_json() if as_json else markdown(result, brief=True))
        if not as_json:
            print(f"report: {out / 'report.html'}")


@app.command(epilog="Example: python -m retrieval tune --queries data/sample/queries.json --indexes indexes/demo")
def tune(
    queries: Annotated[Path, typer.Option(help="Query file: JSON, CSV/TSV, or TREC topics with --qrels.")],
    qrels: Annotated[Path | None, typer.Option(help="TREC qrels; --queries is then a file of topics.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Answer with the learned weights from now on, if they are better.")
    ] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="With --write: even if they may be better by luck.")] = False,
    indexes: Indexes = _settings.indexes,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Learn how much dense lane, words, 4-grams and pairs of words should count, from your own questions.

    The figures of the learned weights come from questions that they were not learned on (nested cross-validation).
    """
    with _plain_errors():
        from retrieval.evaluation.queries import read_queries
        from retrieval.evaluation.tune import tune as run
        from retrieval.index.builder import reweight
        from retrieval.search.searcher import Searcher

        tuning = run(Searcher.open(indexes), read_queries(queries, qrels), progress="off" if quiet else "auto")
        written = write and (tuning.better or anyway)
        name = reweight(indexes, tuning.weights).name if written else None
        if as_json:
            print(json.dumps(tuning.model_dump() | {"written": name}))
            return
        _print_tuning(tuning)
        if name:
            print(f"current is now {name}, with the learned weights; `rollback` undoes it")
        elif write:
            print("nothing written; --anyway writes them all the same")


@app.command(epilog="Example: python -m retrieval promote all-mpnet-base-v2 --data data --indexes indexes")
def promote(
    model: Annotated[str, typer.Argument(help="The winner: a name or a local folder, as it was compared.")],
    data: Data = _settings.data,
    indexes: Indexes = _settings.indexes,
    everything: Annotated[bool, typer.Option("--all", help="Videos whose texts are unread or unreadable too.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a compared model the current one: an ordinary build, whose vectors the comparison left in the cache."""
    with _plain_errors():
        from retrieval.embedding.encoder import SentenceEncoder as Loaded
        from retrieval.evaluation.compare import catalogue_corpus
        from retrieval.index import builder

        if model == KEYWORDS_ALONE:
            _fail(f"{KEYWORDS_ALONE} is no embedding model: ask any generation with `--lane keyword`")
        documents = catalogue_corpus(data, everything).documents
        manifest = builder.build(documents, indexes, Loaded(model), progress="off" if quiet else "auto")
        if as_json:
            print(manifest.model_dump_json())
            return
        print(f"current is now {manifest.name}: {manifest.videos} videos by {manifest.encoder}")
        print(f"({manifest.encoded} texts had to be encoded). That later builds keep the model, set")
        print(f"TIKTOK_RETRIEVAL_ENCODER={shlex.quote(manifest.encoder)}")


@app.command(epilog="Example: python -m retrieval generations")
def generations(indexes: Indexes = _settings.indexes, as_json: AsJson = False) -> None:
    """List the generations, the current one marked."""
    with _plain_errors():
        from retrieval.errors import GenerationError
        from retrieval.index.generation import current_name, generation_names, read_manifest

        try:
            current = current_name(indexes)
        except GenerationError:
            current = ""
        rows: list[dict[str, Any]] = []
        for name in generation_names(indexes):
            try:
                rows.append({"current": name == current, **read_manifest(indexes, name).model_dump(exclude={"files"})})
            except GenerationError as error:
                rows.append({"current": name == current, "name": name, "error": str(error)})
        if as_json:
            print(json.dumps(rows))
        for row in [] if as_json else rows:
            told = row.get("error") or f"{row['videos']} videos, {row['encoder']} in {row['precision']}"
            print(f"{'*' if row['current'] else ' '} {row['name']}  {told}")
        if not rows and not as_json:
            print(f"none in {indexes}: make one with `python -m retrieval build`")


@app.command(epilog="Example: python -m retrieval rollback")
def rollback(
    to: Annotated[
        str | None, typer.Argument(help="A generation's name; by default the one before the current.")
    ] = None,
    indexes: Indexes = _settings.indexes,
    as_json: AsJson = False,
) -> None:
    """Answer from an earlier generation again."""
    with _plain_errors():
        from retrieval.index.builder import rollback as run

        current = run(indexes, to)
        print(json.dumps({"current": current}) if as_json else f"current is now {current}")


@app.command(epilog="Example: python -m retrieval prune --keep 3")
def prune(
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest to keep, beside the current one.")] = 2,
    indexes: Indexes = _settings.indexes,
    as_json: AsJson = False,
) -> None:
    """Delete old generations; the current one always stays."""
    with _plain_errors():
        from retrieval.index.builder import prune as run

        deleted = run(indexes, keep)
        told = f"deleted {', '.join(deleted)}" if deleted else "nothing to delete"
        print(json.dumps({"deleted": deleted}) if as_json else told)


def _reranker(name: str | None) -> "LoadedReranker | None":
    if name is None:
        return None
    from retrieval.search.reranker import Reranker as LoadedReranker

    return LoadedReranker(name)


def _fail(message: str) -> NoReturn:
    # what a file holds may stand in it: nothing that a terminal obeys, and no line that looks like another
    print("error: " + "".join(char if char.isprintable() else " " for char in message), file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What can go wrong becomes one line on stderr and exit code 1; anything else is a bug and keeps its traceback."""
    from ingest.catalog import CatalogError
    from ingest.models.weights import WeightsError
    from retrieval.errors import RetrievalError

    try:
        yield
    except (RetrievalError, CatalogError, WeightsError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("stopped; nothing is half done, and vectors that are encoded are kept", file=sys.stderr)
        raise typer.Exit(130) from None
    except sqlite3.Error as error:
        _fail(f"a database file is damaged ({error}); vectors.sqlite may be deleted, a catalogue imported again")


if __name__ == "__main__":
    app(prog_name="python -m retrieval")
