"""The cost of typos: measures of questions with one random typo, with and without spelling correction.

    python benchmarks/typos.py --queries queries.json --indexes indexes --seeds 10

A typo is one letter deleted, inserted, changed or transposed in a random word of 4 or more letters; all four are
equally likely. `--beir FOLDER` takes the questions of a BEIR folder; `--indexes` must be built from its corpus.
"""

import json
import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import regex
import typer
from numpy.typing import NDArray

from ingest.settings import Settings
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.index.analysis import plain, terms
from retrieval.search.query import parse
from retrieval.search.searcher import Searcher

_settings = Settings()
_WORD = regex.compile(r"[A-Za-z]{4,}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOP = 10


def typo(text: str, rng: random.Random) -> str:
    """Return the text with one typo in one word, or unchanged if no word has four letters."""
    if not (words := list(_WORD.finditer(text))):
        return text
    match = rng.choice(words)
    word = match[0]
    while True:
        at, letter = rng.randrange(len(word)), rng.choice(_LETTERS)
        before, after = word[:at], word[at + 1 :]
        swapped = before + after[:1] + word[at] + after[1:]
        made = rng.choice([before + after, before + letter + word[at:], before + letter + after, swapped])
        if made.lower() != word.lower():
            return text[: match.start()] + made + text[match.end() :]


def ranks(searcher: Searcher, queries: list[Query], texts: list[str], *, corrected: bool) -> NDArray[np.int64]:
    """Return the rank of each question's first relevant video; `texts` are the questions as typed."""
    found = []
    for query, text in zip(queries, texts, strict=True):
        question = parse(text)
        if not corrected:
            question = replace(question, literal=frozenset(terms(question.text, plain)))
        order = searcher.rank(question).order()
        rank_of = {searcher.generation.ids[video]: n + 1 for n, video in enumerate(order)}
        found.append(min(rank_of[video] for video in query.relevant if video in rank_of))
    return np.array(found)


def summary(found: list[NDArray[np.int64]]) -> dict[str, float]:
    """Return the mean measures over runs, and the lowest number of questions with a target in the first TOP."""
    hits = [int((run <= TOP).sum()) for run in found]
    return {
        f"success@{TOP}": round(float(np.mean(np.concatenate(found) <= TOP)), 4),
        "RR": round(float(np.mean(1 / np.concatenate(found))), 4),
        f"in the first {TOP}, mean": round(float(np.mean(hits)), 2),
        f"in the first {TOP}, worst seed": min(hits),
    }


def main(
    queries: Annotated[Path | None, typer.Option(help='JSON list of {"text", "target"}.')] = None,
    beir: Annotated[Path | None, typer.Option(help="BEIR folder with the questions.")] = None,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs, each with another typo in every question.")] = 10,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of questions, drawn at random.")] = 400,
) -> None:
    """Print JSON: measures without typos and with, each with and without correction."""
    if (queries is None) == (beir is None):
        raise typer.BadParameter("give either --queries or --beir")
    asked = list(read_queries(queries)) if queries else list(read_beir(beir)[1])  # type: ignore[arg-type]
    asked = [query for query in asked if query.relevant]
    random.Random(0).shuffle(asked)
    asked = asked[:limit]
    searcher = Searcher.open(indexes)
    clean = [query.text for query in asked]
    runs: dict[str, list[NDArray[np.int64]]] = {
        "no typo, not corrected": [ranks(searcher, asked, clean, corrected=False)],
        "no typo, corrected": [ranks(searcher, asked, clean, corrected=True)],
        "typo, not corrected": [],
        "typo, corrected": [],
    }
    for seed in range(seeds):
        rng = random.Random(seed)
        wrong = [typo(text, rng) for text in clean]
        runs["typo, not corrected"].append(ranks(searcher, asked, wrong, corrected=False))
        runs["typo, corrected"].append(ranks(searcher, asked, wrong, corrected=True))
    changed = sum(bool(searcher.speller.correct(text)[1]) for text in clean)
    print(
        json.dumps(
            {
                "date": date.today().isoformat(),
                "questions": len(asked),
                "seeds": seeds,
                "videos": searcher.generation.manifest.videos,
                "corrected without a typo": changed,
                **{name: summary(found) for name, found in runs.items()},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    typer.run(main)
