"""Is the passage that a card shows the one that a person would point at?

    python benchmarks/evidence.py --queries data/sample/queries.json --indexes indexes/demo

The questions say where their evidence is: in which fields, and if need be, at which second or in a comment with which
words. The passage is right if it is there. `strongest` is the passage of the strongest reason besides description,
creator and whole video, which cards showed before 2026-11-27. `shown` is the one that they show now.
"""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.settings import Settings
from retrieval.search.answer import Hit, Reason, Why
from retrieval.search.searcher import Searcher

_settings = Settings()
ALWAYS_SHOWN = ("description", "creator", "overview")
NEAR_S = 5.0  # of the second, which is where the words begin


def strongest(hit: Hit) -> Reason | None:
    """Return the reason whose passage cards showed before. The description, if it is that of the whole video."""
    for reason in hit.explanation:
        evidence = reason.contribution > 0 and (reason.matches or reason.retriever == "dense")
        if reason.field not in ALWAYS_SHOWN and evidence:
            return reason
    return next((reason for reason in hit.explanation if reason.field == "description"), None)


def is_right(shown: Reason | Why | None, evidence: Sequence[dict[str, Any]], *, at_second: bool = False) -> bool:
    """Return whether a passage is one of the evidence of a question, with `at_second` at the right second as well."""

    def fits(known: dict[str, Any]) -> bool:
        assert shown
        second = known.get("at_s") if at_second else None
        return (
            shown.field == known["field"]
            and known.get("text", "") in shown.passage
            and (second is None or (shown.start_s is not None and abs(shown.start_s - second) <= NEAR_S))
        )

    return shown is not None and any(map(fits, evidence))


def main(
    queries: Annotated[Path, typer.Option()],
    indexes: Annotated[Path, typer.Option()] = _settings.indexes,
    misses: Annotated[bool, typer.Option(help="List the questions whose passage is another one.")] = False,
) -> None:
    """Print the share of right passages, of first cards and of the cards of all targets."""
    asked = [query for query in json.loads(queries.read_text(encoding="utf-8")) if query.get("evidence")]
    searcher = Searcher.open(indexes, complete=True)
    found: dict[str, list[tuple[bool, bool]]] = {"strongest": [], "shown": [], "shown, at the second": []}
    for query in asked:
        hits = searcher.search(query["text"], len(searcher.generation.ids)).hits
        hit = next(hit for hit in hits if hit.id == query["target"])
        first = hit.rank == 1
        known = query["evidence"]
        found["strongest"].append((first, is_right(strongest(hit), known)))
        found["shown"].append((first, is_right(hit.why, known)))
        found["shown, at the second"].append((first, is_right(hit.why, known, at_second=True)))
        if misses and not found["shown"][-1][1] and hit.why:
            typer.echo(f"{hit.rank}  {query['text']}\n   {hit.why.sentence}")
    typer.echo(
        f"{len(asked)} questions, {searcher.generation.manifest.encoder}, {platform.machine()}, {os.cpu_count()} cores"
    )
    typer.echo(f"{'passage':24}{'first cards':>14}{'all targets':>14}")
    for name, outcomes in found.items():
        right = [right for _, right in outcomes]
        of_first = [right for first, right in outcomes if first]
        shares = (f"{sum(some)}/{len(some)} {sum(some) / max(1, len(some)):.3f}" for some in (of_first, right))
        typer.echo(f"{name:24}" + "".join(f"{share:>14}" for share in shares))


if __name__ == "__main__":
    typer.run(main)
