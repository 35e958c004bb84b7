"""Print answers, evaluations and tunings as text for a terminal."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.catalog import Catalog, CatalogError
from ingest.commands.output import printable
from retrieval.embedding.registry import alias
from retrieval.index.documents import ALL_FIELD_NAMES
from retrieval.search.answer import Answer
from retrieval.search.fusion import DENSE_PART, KEYWORD_PARTS
from retrieval.search.lists import describe_encounters

if TYPE_CHECKING:  # they import much that the command `search` does not need
    from retrieval.evaluation.evaluate import Evaluation, LabelRow
    from retrieval.evaluation.tune import Tuning

PART_LABELS = {DENSE_PART: "meaning", "stems": "stems", "char_ngrams": "4-grams", "bigrams": "bigrams"}
MAX_REASONS = 3  # per result
BREAKDOWN = ("RR", "Success@10")  # the measures of a breakdown by label


def print_answer(answer: Answer, data: Path) -> None:
    """Print the results, with links and descriptions if there is a catalog in `data`."""
    try:
        with Catalog(data, read_only=True) as catalog:
            found = catalog.entries((hit.id for hit in answer.hits), whole=False)
            entries = {entry.video.id: entry for entry in found}
    except (CatalogError, sqlite3.Error):
        entries = {}
    for note in answer.notes:
        print(_excerpt(note, 0, 300))
    if answer.corrections:
        print("--exact searches for exactly what you typed.")
    if answer.conditions:
        conditions = ", ".join(condition.describe() for condition in answer.conditions)
        print(_excerpt(f"{answer.total} video{'s' * (answer.total != 1)} {conditions}", 0, 300))
    if answer.hits and not answer.good:
        print(f"No good match (confidence {answer.confidence:.2f}). The nearest are:")
    for hit in answer.hits:
        entry = entries.get(hit.id)
        link, name = (entry.video.permalink, entry.video.file_name) if entry else ("", "")
        print(f"{hit.rank:>3}. {hit.score:7.3f}  {_excerpt(link or name or hit.id, 0, 200)}")
        if entry and entry.video.description:
            print(f"     {_excerpt(entry.video.description, 0, 90)}")
        if entry and (met := describe_encounters(entry.encounters)):
            print(f"     {_excerpt('; '.join(met), 0, 150)}")
        if hit.copies:
            copies = f"{len(hit.copies) + 1} copies; the others: {', '.join(hit.copies)}"
            print(f"     {_excerpt(copies, 0, 150)}")
        for reason in hit.explanation[:MAX_REASONS]:
            second = "" if reason.start_s is None else f" at {int(reason.start_s // 60)}:{int(reason.start_s % 60):02}"
            start = reason.span[0] if reason.span else 0
            passage = _excerpt(reason.passage, max(0, start - 20), 80)
            named = reason.encoder and reason.encoder != answer.encoder  # one of several
            retriever = f"{reason.retriever}, {alias(reason.encoder)}" if named else reason.retriever
            where = f"{ALL_FIELD_NAMES[reason.field]} ({retriever}){second}"
            print(f"     {reason.contribution:+7.3f}  {where}{': ' if passage else ''}{passage}")
    if not answer.hits and not answer.conditions:
        print("No results: the question is empty.")


def print_evaluation(result: "Evaluation", per_query: bool, labels: Sequence[str] = ()) -> None:
    """Print the measures of each mode, those by value of each of the `labels`, and if asked, every target's rank."""
    print(f"{len(result.queries)} questions, {result.videos} videos, {result.encoder}, generation {result.generation}")
    names = list(result.measures)
    print(f"{'mode':10}" + "".join(f"{name:>12}" for name in names))
    for mode, measures in result.modes.items():
        print(f"{mode:10}" + "".join(f"{measures[name]:12.3f}" for name in names))
    print(result.verdict)
    if result.confidence:
        of = result.confidence
        print(
            f'"no good match" for {of.recognised} of {of.unanswerable} unanswerable questions,'
            f" and for {of.lost} of {of.answerable} that have an answer"
        )
    for label in labels:
        _print_breakdown(label, result.by_label[label])
    if per_query:
        for query in result.queries:
            print(f"{query.rank or '-':>6}  {query.target or '-'}  {_excerpt(query.text, 0, 100)}")
    for note in result.notes:
        print(f"note: {note}")


def _print_breakdown(label: str, rows: "Sequence[LabelRow]") -> None:
    """Print a table with a row for each value of a label."""
    counted = any(row.confidence for row in rows)
    width = max(16, *(len(text) + 2 for text in (label, *(row.value for row in rows))))
    heads = ("no answer", "recognised", "lost") if counted else ()
    print("\n" + f"{label:{width}}" + "".join(f"{head:>12}" for head in ("questions", *BREAKDOWN, *heads)))
    for row in rows:
        figures = [f"{row.measures[name]:12.3f}" if row.measures else f"{'-':>12}" for name in BREAKDOWN]
        counts = (row.confidence.unanswerable, row.confidence.recognised, row.confidence.lost) if row.confidence else ()
        print(f"{row.value:{width}}{row.questions:12}{''.join(figures)}{''.join(f'{count:12}' for count in counts)}")


def print_tuning(tuning: "Tuning") -> None:
    """Print the estimates of the learned weights next to the present ones, and the weights."""
    print(f"{tuning.questions} questions")
    print(f"{'':10}{'RR':>8}{'95 %':>16}{'Success@1':>11}{'Success@10':>12}{'mean rank':>11}")
    for name, label in (("learned", "learned"), ("today", "current"), ("dense", "dense"), ("keyword", "keyword")):
        estimate = getattr(tuning, name)
        low, high = estimate.interval
        print(
            f"{label:10}{estimate.RR:8.3f}{f'{low:.3f} to {high:.3f}':>16}{estimate.success_1:11.3f}"
            f"{estimate.success_10:12.3f}{estimate.mean_rank:11.1f}"
        )
    print(f"learned against current weights: p {tuning.p:.3f} (paired randomisation test)")
    for name, weights in (("learned", tuning.weights), ("current", tuning.today_weights)):
        parts = {PART_LABELS[part]: weights.of_part(part) for part in (DENSE_PART, *KEYWORD_PARTS)}
        if weights.encoders:
            del parts[PART_LABELS[DENSE_PART]]
            parts |= {f"meaning by {model}": weight for model, weight in weights.encoders.items()}
        print(f"{name:8}" + ", ".join(f"{part} {weight:.3f}" for part, weight in parts.items()))
    for note in tuning.notes:
        print(f"note: {note}")


def _excerpt(text: str, start: int, width: int) -> str:
    """Return a stretch of a scraped text as one line without control characters."""
    return (
        f"{'...' if start else ''}{printable(text[start : start + width])}{'...' if start + width < len(text) else ''}"
    )
