"""Questions by the value of a label: the other columns of a query file, such as a language or a kind of memory."""

from collections.abc import Sequence

from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import Query

MAX_VALUES = 12  # of a label, to break down by it, unless each has FEW questions on average
FEW = 4
MAX_NUMBERS = 6  # of a label with numbers; more are a scale, not groups
NOT_GIVEN = "not given"
LANGUAGE = "language"  # the label that is of interest if none is named

Groups = dict[str, dict[str, list[int]]]


def groups_by_label(queries: Sequence[Query], left_out: str | None = None) -> tuple[Groups, list[str]]:
    """Return the positions of the questions by value of each label that has few values, and notes on other labels.

    `left_out` is a label that is not of interest.
    """
    groups: Groups = {}
    notes = []
    for name in dict.fromkeys(name for query in queries for name in query.properties if name != left_out):
        values = [query.properties.get(name) for query in queries]
        distinct = {value for value in values if value is not None}
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct)
        if len(distinct) > (MAX_NUMBERS if numbers else max(MAX_VALUES, len(queries) // FEW)):
            notes.append(f"The property {name} has {len(distinct)} different values, too many to break down by.")
            continue
        by_value: dict[str, list[int]] = {}
        for row, value in enumerate(values):
            shown = NOT_GIVEN if value is None else str(value)
            shown = {"True": "yes", "False": "no"}[shown] if isinstance(value, bool) else shown
            by_value.setdefault(shown, []).append(row)
        groups[name] = dict(sorted(by_value.items()))
    return groups, notes


def chosen_labels(queries: Sequence[Query], named: Sequence[str] | None) -> list[str]:
    """Return the labels to break down by: those that are named, by default the language if the questions have it.

    Raises:
        EvaluationError: the questions do not have a label, or it has too many values.
    """
    groups, notes = groups_by_label(queries)
    if not named:
        return [LANGUAGE] if LANGUAGE in groups else []
    for name in named:
        if name not in groups:
            there_are = f"the labels are {', '.join(groups)}" if groups else "there are no labels"
            raise EvaluationError(
                f"the questions cannot be broken down by {name}: {there_are}. {' '.join(notes)}".strip()
            )
    return list(dict.fromkeys(named))
