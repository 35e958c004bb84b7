"""Answers, evaluations and tunings -> terminal text."""

from pathlib import Path

from retrieval.evaluation.evaluate import Evaluation
from retrieval.evaluation.tune import Tuning
from retrieval.search.answer import Answer


def _print_answer(answer: "Answer", data: Path) -> None:
    from ingest.catalog import Catalog, CatalogError

    try:
        catalog = Catalog(data)
    except CatalogError:
        catalog = None
    for note in answer.notes:
        print(_line(note, 0, 300))
    if answer.conditions:
        told = ", ".join(condition.describe() for condition in answer.conditions)
        print(_line(f"{answer.total} videos {told}", 0, 300))
    if answer.hits and not answer.good:
        print(f"no good match (confidence {answer.confidence:.2f}), the nearest are")
    for hit in answer.hits:
        entry = catalog.get(hit.id) if catalog else None
        where = entry.video.permalink if entry else ""
        print(f"{hit.rank:>3}. {hit.score:7.3f}  {_line(where or hit.id, 0, 200)}")
        if entry and entry.video.description:
            print(f"     {_line(entry.video.description, 0, 90)}")
        for reason in hit.explanation[:3]:
            second = "" if reason.start_s is None else f" at {int(reason.start_s // 60)}:{int(reason.start_s % 60):02}"
            start = reason.span[0] if reason.span else 0
            passage = _line(reason.passage, max(0, start - 20), 80)
            print(f"     {reason.contribution:+7.3f}  {reason.field} ({reason.lane}){second}: {passage}")
    if catalog:
        catalog.close()
    if not answer.hits and not answer.conditions:
        print("no video to show for an empty question")


def _line(text: str, start: int, width: int) -> str:
    """A stretch of a scraped text as one harmless line: what is not printable would speak to the terminal."""
    flat = "".join(c if c.isprintable() else " " for c in text[start : start + width])
    return f"{'...' if start else ''}{flat}{'...' if start + width < len(text) else ''}"


def _print_evaluation(result: "Evaluation", per_query: bool) -> None:
    print(f"{len(result.queries)} questions, {result.videos} videos, {result.encoder}, generation {result.generation}")
    names = list(result.measures)
    print(f"{'lane':10}" + "".join(f"{name:>12}" for name in names))
    for lane, measures in result.lanes.items():
        print(f"{lane:10}" + "".join(f"{measures[name]:12.3f}" for name in names))
    if per_query:
        for query in result.queries:
            print(f"{query.rank:>6}  {query.target}  {_line(query.text, 0, 100)}")


def _print_tuning(tuning: "Tuning") -> None:
    from retrieval.search.fusion import PARTS

    print(f"{tuning.questions} questions")
    print(f"{'':10}{'RR':>8}{'95 %':>16}{'Success@1':>11}{'Success@10':>12}{'mean rank':>11}")
    for name in ("learned", "today", "dense", "keyword"):
        told = getattr(tuning, name)
        low, high = told.interval
        print(
            f"{name:10}{told.RR:8.3f}{f'{low:.3f} to {high:.3f}':>16}{told.success_1:11.3f}{told.success_10:12.3f}"
            f"{told.mean_rank:11.1f}"
        )
    print(f"learned against today's: p {tuning.p:.3f} (paired randomisation test)")
    for name, weights in (("learned", tuning.weights), ("today's", tuning.today_weights)):
        print(f"{name:8}" + ", ".join(f"{part} {getattr(weights, part):.3f}" for part in PARTS))
    for note in tuning.notes:
        print(f"note: {note}")
