"""The text of a qrels file, BEIR's or TREC's -> the grades of the relevant documents by question.

As in trec_eval, decimals are cut off, and a grade of 0 or less is not relevant. Of several judgements of one pair the
last counts, as in pytrec_eval, ir-measures and BEIR. Each of these is counted and reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

Judgements = dict[str, dict[str, int]]


@dataclass(frozen=True)
class _Line:
    number: int
    query: str
    document: str
    grade: str


def beir_judgements(text: str, notes: list[str]) -> Judgements:
    """Read lines query-id, corpus-id, score, separated by tabs. The first may be a header.

    A judged question without a relevant document has no grades. Messages are added to `notes`.

    Raises:
        ValueError: a line does not have three columns, or no number in the third; it is named.
    """
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            columns = [column.strip() for column in line.split("\t")]
            if len(columns) != 3:
                raise ValueError(f"line {number} of the qrels does not have three columns, separated by tabs")
            if number > 1 or _is_number(columns[2]):
                lines.append(_Line(number, *columns))
    return _grades(lines, notes)


def trec_judgements(text: str, notes: list[str]) -> Judgements:
    """Read lines of four columns: topic, iteration, document, grade; see `beir_judgements`."""
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        if columns := line.split():
            if len(columns) != 4:
                raise ValueError(f"line {number} does not have four columns")
            lines.append(_Line(number, columns[0], columns[2], columns[3]))
    return _grades(lines, notes)


def _grades(lines: Iterable[_Line], notes: list[str]) -> Judgements:
    judged: dict[str, dict[str, float]] = {}
    decimals = twice = differing = 0
    for line in lines:
        if not _is_number(line.grade):
            raise ValueError(f"line {line.number}: the grade {line.grade[:40]!r} is not a number")
        grade = float(line.grade)
        before = judged.setdefault(line.query, {}).get(line.document)
        twice += before is not None
        differing += before is not None and before != grade
        decimals += grade != int(grade)
        judged[line.query][line.document] = grade
    negative = sum(grade < 0 for grades in judged.values() for grade in grades.values())
    if decimals:
        notes.append(f"Grades with decimals: {decimals}. Decimals are cut off, as by trec_eval: 0.5 is not relevant.")
    if twice:
        notes.append(
            f"Judgements that repeat an earlier one: {twice}, of these with another grade: {differing}."
            " The last counts. trec_eval itself refuses such a file."
        )
    if negative:
        notes.append(f"Negative grades: {negative}. They are not relevant.")
    return {
        query: {document: int(grade) for document, grade in grades.items() if int(grade) > 0}
        for query, grades in judged.items()
    }


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
