"""What was measured of several models -> one comparison: means with intervals, tests of pairs, breakdowns, losses."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel

from retrieval.embedding.registry import offered
from retrieval.errors import EvaluationError
from retrieval.evaluation.measures import DEEPEST, MEAN_RANK, QueryOutcome, Values, holm, interval, measured, paired_p
from retrieval.evaluation.queries import Property, Query
from retrieval.evaluation.trial import ALONE, LANE, WITHOUT, Costs, Trial
from retrieval.search.fusion import MODES

TESTED = ("RR", "Success@1")  # measures that every pair is tested on, each a family of its own for Holm
SIGNIFICANT = 0.05
MAX_VALUES = 12  # of a property that is broken down; more would leave a question or two in each
MAX_NUMBERS = 6  # of a property of numbers; more are a scale, not groups
MAX_PLACE = 1_000_000  # of a target under another search; as many ids are made up around it
WORST = 5  # losses listed a model


class Figure(BaseModel):
    """A mean over questions with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


class Contender(BaseModel):
    """What was compared: a model, the keywords alone, or places known from elsewhere (these have no costs)."""

    name: str
    label: str  # short and unique, also the run file's name
    encoder: str
    sha256: str
    dimension: int
    precision: str
    prompts: dict[str, str]
    licence: str
    lane: str
    measures: dict[str, Figure]
    costs: Costs | None


class Pair(BaseModel):
    """A paired randomisation test; `difference` is `first` minus `second`, `p_holm` is p corrected over all pairs."""

    measure: str
    first: str
    second: str
    difference: float
    better: int
    worse: int
    p: float
    p_holm: float


class Line(BaseModel):
    """A line of a breakdown: RR of each contender by label; `questions` it is the mean over."""

    name: str
    questions: int
    figures: dict[str, Figure]


class Asked(BaseModel):
    """A question: the place of its right video under every contender, and by lane; the best videos of each."""

    id: str
    text: str
    targets: list[str]
    properties: dict[str, Property]
    ranks: dict[str, int]
    lanes: dict[str, dict[str, int]]
    tops: dict[str, list[str]]


class Loss(BaseModel):
    """A question that another contender answers better, by how much RR."""

    label: str
    question: str
    rank: int
    best: str
    best_rank: int
    loss: float


class Card(BaseModel):
    """What a person knows a video by. Scraped: every letter of it is to be escaped."""

    title: str
    link: str = ""


class About(BaseModel):
    """What was compared on what, when and where."""

    created: str
    took_s: float
    command: str
    machine: dict[str, str]
    corpus: str
    videos: int
    passages: int
    query_file: str
    cards: dict[str, Card]


class Comparison(About):
    """All that the report shows. Labels name the contenders throughout."""

    contenders: list[Contender]
    pairs: list[Pair]
    lanes: list[Line]
    fields_alone: list[Line]
    fields_left_out: list[Line]
    properties: dict[str, list[Line]]
    notes: list[str]
    losses: list[Loss]
    questions: list[Asked]


@dataclass(frozen=True)
class Row:
    """A contender with its values per question, by settings and measure."""

    label: str
    values: dict[str, dict[str, Values]]
    main: str
    places: list[QueryOutcome]
    trial: Trial | None = None
    tops: list[list[str]] = field(default_factory=list)


def known_places(baseline: str, queries: Sequence[Query]) -> Row:
    """Places that a property tells, as a contender of their own."""
    places = []
    for query in queries:
        try:
            place = int(str(query.properties[baseline]))
        except (KeyError, ValueError):
            place = 0
        if not 1 <= place <= MAX_PLACE or len(query.relevant) > 1:
            raise EvaluationError(
                f"--baseline {baseline}: question {query.id} has no such place (a whole number from 1 on, of its one"
                " right video)"
            )
        target = next(iter(query.relevant))
        others = [f"{target}-{number}" for number in range(1, max(place, DEEPEST))]  # any ids that are not the target
        places.append(QueryOutcome(query, [*others[: place - 1], target, *others[place - 1 :]], place, target))
    return Row(baseline, {"": measured(places)}, "", places)


def from_trial(label: str, trial: Trial) -> Row:
    return Row(
        label,
        {settings: measured(outcomes) for settings, outcomes in trial.outcomes.items()},
        f"{LANE}{trial.lane}",
        trial.main,
        trial,
        [[video for video, _ in top] for top in trial.tops],
    )


def compared(about: About, rows: Sequence[Row], queries: Sequence[Query], baseline: str | None) -> Comparison:
    """Everything that can be said of the contenders."""
    groups, notes = _groups(queries, baseline)
    return Comparison(
        **about.model_dump(),
        contenders=[_contender(row) for row in rows],
        pairs=_pairs(rows),
        lanes=_by_settings(rows, [f"{LANE}{lane}" for lane in MODES]),
        fields_alone=_by_settings(rows, _settings(rows, ALONE)),
        fields_left_out=_by_settings(rows, _settings(rows, WITHOUT)),
        properties={
            name: [_line(value, rows, members) for value, members in values.items()] for name, values in groups.items()
        },
        notes=notes,
        losses=_losses(rows, queries),
        questions=[_asked(number, query, rows) for number, query in enumerate(queries)],
    )


def _figure(values: Values) -> Figure:
    low, high = interval(values)
    return Figure(value=float(values.mean()), low=low, high=high)


def _contender(row: Row) -> Contender:
    trial = row.trial
    known = offered(trial.model) if trial else None
    return Contender(
        name=trial.model if trial else row.label,
        label=row.label,
        encoder=trial.encoder if trial else "places told by the query file",
        sha256=trial.sha256 if trial else "",
        dimension=trial.dimension if trial else 0,
        precision=trial.precision if trial else "",
        prompts={kind: prompt for kind, prompt in (trial.prompts if trial else {}).items() if prompt},
        licence=known.licence if known else "",
        lane=trial.lane if trial else "",
        measures={name: _figure(values) for name, values in row.values[row.main].items()},
        costs=trial.costs if trial else None,
    )


def _pairs(rows: Sequence[Row]) -> list[Pair]:
    pairs = []
    for measure in TESTED:
        both = list(itertools.combinations(rows, 2))
        values = [(one.values[one.main][measure], two.values[two.main][measure]) for one, two in both]
        ps = [paired_p(one, two) for one, two in values]
        pairs += [
            Pair(
                measure=measure,
                first=one.label,
                second=two.label,
                difference=float((left - right).mean()),
                better=int((left > right).sum()),
                worse=int((left < right).sum()),
                p=p,
                p_holm=corrected,
            )
            for (one, two), (left, right), p, corrected in zip(both, values, ps, holm(ps), strict=True)
        ]
    return pairs


def _settings(rows: Sequence[Row], prefix: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.values if name.startswith(prefix)))


def _by_settings(rows: Sequence[Row], settings: Sequence[str]) -> list[Line]:
    lines = []
    for name in settings:
        of = {row.label: row.values[name]["RR"] for row in rows if name in row.values}
        if of:
            figures = {label: _figure(values) for label, values in of.items()}
            lines.append(Line(name=name.partition(":")[2], questions=len(next(iter(of.values()))), figures=figures))
    return lines


def _groups(queries: Sequence[Query], baseline: str | None) -> tuple[dict[str, dict[str, list[int]]], list[str]]:
    """Questions by the value of each property that makes groups, and what was left out and why."""
    groups: dict[str, dict[str, list[int]]] = {}
    notes = []
    for name in dict.fromkeys(name for query in queries for name in query.properties if name != baseline):
        values = [query.properties.get(name) for query in queries]
        distinct = {value for value in values if value is not None}
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct)
        if len(distinct) > (MAX_NUMBERS if numbers else MAX_VALUES):
            notes.append(f"The property {name} has {len(distinct)} different values: too many to break down by.")
            continue
        by_value: dict[str, list[int]] = {}
        for row, value in enumerate(values):
            shown = "not given" if value is None else str(value)
            shown = {"True": "yes", "False": "no"}[shown] if isinstance(value, bool) else shown
            by_value.setdefault(shown, []).append(row)
        groups[name] = dict(sorted(by_value.items()))
    return groups, notes


def _line(name: str, rows: Sequence[Row], members: Sequence[int]) -> Line:
    picked = np.array(members)
    figures = {row.label: _figure(row.values[row.main]["RR"][picked]) for row in rows}
    return Line(name=name, questions=len(members), figures=figures)


def _losses(rows: Sequence[Row], queries: Sequence[Query]) -> list[Loss]:
    """For each contender the questions where another one is furthest ahead of it, worst first."""
    losses = []
    for row in rows:
        own: list[Loss] = []
        for number, query in enumerate(queries):
            best = max(rows, key=lambda other: float(other.values[other.main]["RR"][number]))
            loss = float(best.values[best.main]["RR"][number] - row.values[row.main]["RR"][number])
            if loss > 0:
                own.append(
                    Loss(
                        label=row.label,
                        question=query.id,
                        rank=row.places[number].place,
                        best=best.label,
                        best_rank=best.places[number].place,
                        loss=loss,
                    )
                )
        losses += sorted(own, key=lambda one: -one.loss)[:WORST]
    return losses


def _asked(number: int, query: Query, rows: Sequence[Row]) -> Asked:
    def lanes(row: Row) -> Mapping[str, int]:
        return {
            name.partition(":")[2]: int(values[MEAN_RANK][number])
            for name, values in row.values.items()
            if name.startswith(LANE)
        }

    return Asked(
        id=query.id,
        text=query.text,
        targets=list(query.relevant),
        properties=query.properties,
        ranks={row.label: row.places[number].place for row in rows},
        lanes={row.label: dict(lanes(row)) for row in rows if row.trial},
        tops={row.label: row.tops[number] for row in rows if row.tops},
    )
