"""Does it help to search for the clauses of a long, rambling question as well? The same questions at several weights.

    python -m benchmarks.clauses --queries data/sample/queries_long.json --indexes indexes/demo
    python -m benchmarks.clauses --queries queries.dev.json --indexes indexes --remarks 4
    python -m benchmarks.clauses --data data --indexes indexes --made-up 150

With --remarks, short questions become rambling ones: each among so many remarks that say nothing. With --wrong, one
other question is among them as well: what is remembered wrongly. With --made-up, the questions are made from English
videos: of each, one clause of up to three fields, without its rarest words, among remarks and one clause of another
video. The weight is also chosen on four fifths of the questions and measured on the fifth left out.
"""

import os
import platform
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.presets import FIELDS, made_up
from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.evaluation.queries import answerable, read_queries
from retrieval.evaluation.significance import interval
from retrieval.index.documents import document
from retrieval.search import clauses
from retrieval.search.searcher import Searcher

_settings = Settings()
FOLDS, TIMES = 5, 4
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0)
REMARKS = (
    "I was half asleep so bear with me", "ok so this was ages ago", "my sister sent it to me while I was on the train",
    "I think it was raining where I was", "you know the sort of thing I mean", "I have been looking for it for weeks",
    "honestly it was the best thing I saw that week", "no wait that was another one", "sorry that is all I have",
    "a colleague showed it to me at lunch", "I can't remember the name", "my flatmate swears it doesn't exist",
)  # fmt: skip
Asked = tuple[str, Sequence[str]]  # a question, and the ids of its videos


def rambling(data: Path, searcher: Searcher, count: int, rng: random.Random) -> Iterator[Asked]:
    """Yield made-up questions."""
    with Catalog(data, read_only=True) as catalog:
        documents = [document(entry) for entry in catalog.entries(searcher.generation.ids)]
    of_video: dict[str, list[str]] = {}
    for field in FIELDS:
        for text, target in made_up(documents, field, rng):
            of_video.setdefault(target, []).append(text)
    several = [(target, texts) for target, texts in of_video.items() if len(texts) > 1]
    rng.shuffle(several)
    for target, texts in several[:count]:
        wrong = rng.choice(several)[1][0]
        parts = [*rng.sample(texts, min(3, len(texts))), *rng.sample(REMARKS, 4), wrong]
        rng.shuffle(parts)
        yield ", ".join(parts), [target]


def among_remarks(questions: Sequence[str], remarks: int, wrong: bool, rng: random.Random) -> list[str]:
    """Return each question among remarks that say nothing, and if wanted, another question."""
    found = []
    for number, question in enumerate(questions):
        others = [other for other in range(len(questions)) if other != number]
        parts = [question, *rng.sample(REMARKS, remarks), *([questions[rng.choice(others)]] if wrong else [])]
        rng.shuffle(parts)
        found.append(", ".join(parts))
    return found


def reciprocal_ranks(searcher: Searcher, asked: Sequence[Asked], weight: float) -> NDArray[np.float64]:
    """Return 1 / rank of the first of each question's videos."""
    found = []
    with patch.object(clauses, "WEIGHT", weight):
        for (text, targets), vectors in zip(asked, searcher.vectors([text for text, _ in asked]), strict=True):
            order, _ = searcher.order(text, vectors=vectors)
            positions = [searcher.generation.positions[target] for target in targets]
            found.append(1.0 / (1 + int(np.flatnonzero(np.isin(order, positions))[0])))
    return np.array(found)


def held_out(by_weight: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return for each question what the weight that is best on four fifths of the others has."""
    values = np.array(by_weight)
    count = values.shape[1]
    total = np.zeros(count)
    for _ in range(TIMES):
        fold = rng.permutation(count) % FOLDS
        for out in range(FOLDS):
            best = int(values[:, fold != out].mean(axis=1).argmax())
            total[fold == out] += values[best, fold == out]
    return total / TIMES


def main(
    queries: Annotated[Path | None, typer.Option()] = None,
    data: Annotated[Path, typer.Option()] = _settings.data,
    indexes: Annotated[Path, typer.Option()] = _settings.indexes,
    remarks: Annotated[int, typer.Option(help="Put each of the queries among so many remarks.", max=12)] = 0,
    wrong: Annotated[bool, typer.Option(help="And one other query.")] = False,
    made: Annotated[int, typer.Option("--made-up", help="Number of made-up questions.")] = 0,
    seed: Annotated[int, typer.Option()] = 21,
) -> None:
    """Print RR by weight, with the 95 % interval of the difference from none, and of a weight chosen on others."""
    searcher, rng = Searcher.open(indexes, complete=True), random.Random(seed)
    asked: list[Asked]
    if queries:
        read, _ = answerable(read_queries(queries), "the clauses")
        texts = [query.text for query in read]
        if remarks or wrong:
            texts = among_remarks(texts, remarks, wrong, rng)
        asked = [(text, list(query.relevant)) for text, query in zip(texts, read, strict=True)]
    else:
        asked = list(rambling(data, searcher, made, rng))
    number = np.mean([len(clauses.clauses(text)) for text, _ in asked])
    typer.echo(
        f"{len(asked)} questions, {number:.1f} clauses each, {len(searcher.generation.ids)} videos,"
        f" {searcher.generation.manifest.encoder}, {platform.machine()}, {os.cpu_count()} cores"
    )
    by_weight = [reciprocal_ranks(searcher, asked, weight) for weight in WEIGHTS]
    chosen = held_out(by_weight, np.random.default_rng(seed))
    for name, values in [*zip(map(str, WEIGHTS), by_weight, strict=True), ("chosen on others", chosen)]:
        low, high = interval(values - by_weight[0])
        gain = float((values - by_weight[0]).mean())
        typer.echo(f"{name:18}{values.mean():>8.3f}{gain:>+9.3f}   {low:+.3f} to {high:+.3f}")


if __name__ == "__main__":
    typer.run(main)
