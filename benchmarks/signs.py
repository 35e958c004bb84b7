"""The tags, names, quotes and dashes of a question: what excluding by them costs, and what ranking by them gives.

    python benchmarks/signs.py --beir title_to_transcript
    python benchmarks/signs.py --queries queries.dev.json --indexes indexes

The titles of a BEIR folder are asked as typed, and without operators. To the questions for the current generation, a
tag or name is added: that of the target, the tag with a letter missing, or that of another video.
"""

import html
import platform
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.settings import Settings
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.index.builder import build
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE
from retrieval.search.filters import filter_videos
from retrieval.search.query import Question, parse
from retrieval.search.searcher import Searcher

_settings = Settings()
SEED = 3
TAGS = 5  # added to each question, one at a time


def main(
    beir: Annotated[Path | None, typer.Option(help="BEIR folder; its questions are asked as they are.")] = None,
    queries: Annotated[Path | None, typer.Option(help="Questions for the current generation.")] = None,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations and the vector cache.")] = _settings.indexes,
) -> None:
    """Print RR of each set of questions: excluding, ranking, and without operators."""
    if (queries is None) == (beir is None):
        raise typer.BadParameter("give either --queries or --beir")
    print(f"{date.today()}, {platform.machine()}\n\n| questions | | excluding | ranking | without operators |")
    print("|---|---|---|---|---|")
    if beir:
        documents, asked = read_beir(beir)
        encoders = [SentenceEncoder(name) for name in _settings.encoder]
        indexes.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=indexes) as temporary:
            build(documents, Path(temporary), *encoders, cache=indexes / CACHE_FILE)
            _print(beir.name, Searcher(open_current(Path(temporary)), *encoders), asked)
    elif queries:
        searcher = Searcher.open(indexes)
        for name, variants in _variants(searcher, read_queries(queries)).items():
            _print(name, searcher, variants)


def _print(name: str, searcher: Searcher, queries: Sequence[Query]) -> None:
    rows = np.array([_reciprocal_ranks(searcher, query) for query in queries])
    print(f"| {name} | {len(rows)} | {' | '.join(f'{value:.4f}' for value in rows.mean(axis=0))} |")


def _reciprocal_ranks(searcher: Searcher, query: Query) -> tuple[float, float, float]:
    """Return 1 / rank of a question's target, 0 if it is excluded, as `main` prints them."""
    read, typed = searcher.understood(query.text), parse(html.unescape(query.text))
    excluding = replace(typed, conditions=typed.conditions + typed.preferred, preferred=())
    found = []
    for question in (excluding, read, Question(query.text)):
        mask, _ = filter_videos(searcher.generation, searcher.speller, question.conditions)
        order = searcher.rank(question).order(mask) if question.text else np.flatnonzero(mask)
        rank = next((n for n, video in enumerate(order, 1) if searcher.generation.ids[video] in query.relevant), None)
        found.append(1 / rank if rank else 0.0)
    return found[0], found[1], found[2]


def _variants(searcher: Searcher, queries: Sequence[Query]) -> dict[str, list[Query]]:
    """Return the questions with a tag or name added, by what was added."""
    generation, rng = searcher.generation, random.Random(SEED)
    tags_of = [generation.metadata.hashtags(video) for video in range(len(generation.ids))]
    tags = [tag for own in tags_of for tag in own]
    found: dict[str, list[Query]] = {"nothing added": list(queries)}

    def add(name: str, query: Query, word: str) -> None:
        found.setdefault(name, []).append(replace(query, text=f"{query.text} {word}"))

    for query in queries:
        target = generation.positions[next(iter(query.relevant))]
        own = tags_of[target]
        for _ in range(TAGS):
            if own:
                tag = rng.choice(own)
                gap = rng.randrange(len(tag))
                add("a right tag", query, f"#{tag}")
                add("a tag with a letter missing", query, f"#{tag[:gap]}{tag[gap + 1 :] if len(tag) > 1 else tag}")
            if (other := rng.choice(tags)) not in own:
                add("a tag of another video", query, f"#{other}")
        add("the right name", query, f"@{generation.metadata.username(target)}")
        add("a name of another video", query, f"@{generation.metadata.username(rng.randrange(len(tags_of)))}")
    return found


if __name__ == "__main__":
    typer.run(main)
