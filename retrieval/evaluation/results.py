"""The outcomes of several models -> one comparison: means with intervals, paired tests, breakdowns, losses.

The statistics are in retrieval/evaluation/significance.py, the paired tests in retrieval/evaluation/pairs.py.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import AliasChoices, BaseModel, Field, computed_field

from ingest.settings import model_names
from retrieval.embedding.registry import offered
from retrieval.errors import EvaluationError
from retrieval.evaluation.breakdown import groups_by_label
from retrieval.evaluation.measures import DEEPEST, MEAN_RANK, QueryOutcome, Values, values_by_measure
from retrieval.evaluation.pairs import PairedTest, paired_tests
from retrieval.evaluation.queries import Property, Query
from retrieval.evaluation.significance import interval
from retrieval.evaluation.trial import ALONE, MODE, WITHOUT, Costs, Trial
from retrieval.search.fusion import MODES

TESTED = ("RR", "Success@1")  # measures that every pair is tested on; Holm's correction is per measure
MAX_RANK = 1_000_000  # of a target in another search; a ranking of this length is made up for it
WORST = 5  # losses listed per model


class Figure(BaseModel):
    """A mean over questions with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


class Contender(BaseModel):
    """What is compared: a model, keywords only, or the ranks of another search (which have no costs)."""

    name: str
    label: str  # short and unique, also the run file's name
    encoder: str
    sha256: str
    dimension: int
    precision: str
    prompts: dict[str, str]
    licence: str
    mode: str = Field(validation_alias=AliasChoices("mode", "lane"))
    measures: dict[str, Figure]
    costs: Costs | None

    @computed_field(deprecated=True, description="The older name of `mode`.")  # type: ignore[prop-decorator]
    @property
    def lane(self) -> str:
        return self.mode


class BreakdownRow(BaseModel):
    """A row of a breakdown: the RR of each contender by label, and the number of questions."""

    name: str
    questions: int
    figures: dict[str, Figure]


class QuestionResult(BaseModel):
    """A question: the rank of its target by contender, and by contender and mode; the first videos by contender."""

    id: str
    text: str
    targets: list[str]
    properties: dict[str, Property]
    ranks: dict[str, int]
    modes: dict[str, dict[str, int]] = Field(validation_alias=AliasChoices("modes", "lanes"))
    tops: dict[str, list[str]]

    @computed_field(deprecated=True, description="The older name of `modes`.")  # type: ignore[prop-decorator]
    @property
    def lanes(self) -> dict[str, dict[str, int]]:
        return self.modes


class Loss(BaseModel):
    """A question that another contender answers better; `loss` is the difference in RR."""

    label: str
    question: str
    rank: int
    best: str
    best_rank: int
    loss: float


class Card(BaseModel):
    """How the report shows a video. The text is scraped and must be escaped."""

    title: str
    link: str = ""


class ComparisonSetup(BaseModel):
    """The corpus, questions, machine and time of a comparison."""

    created: str
    took_s: float
    command: str
    machine: dict[str, str]
    corpus: str
    videos: int
    passages: int
    query_file: str
    cards: dict[str, Card]


class Comparison(ComparisonSetup):
    """Everything that the report shows. Labels identify the contenders."""

    contenders: list[Contender]
    pairs: list[PairedTest]
    mode_pairs: dict[str, list[PairedTest]] = {}  # by label: the RR of its mode against that of each other mode
    modes: list[BreakdownRow] = Field(validation_alias=AliasChoices("modes", "lanes"))
    fields_alone: list[BreakdownRow]
    fields_left_out: list[BreakdownRow]
    properties: dict[str, list[BreakdownRow]]
    notes: list[str]
    losses: list[Loss]
    questions: list[QuestionResult]

    @computed_field(deprecated=True, description="The older name of `modes`.")  # type: ignore[prop-decorator]
    @property
    def lanes(self) -> list[BreakdownRow]:
        return self.modes


@dataclass(frozen=True)
class ContenderOutcomes:
    """A contender with its values per question, by settings and measure. `main` names the settings to compare."""

    label: str
    values: dict[str, dict[str, Values]]
    main: str
    outcomes: list[QueryOutcome]
    trial: Trial | None = None
    tops: list[list[str]] = field(default_factory=list)


def from_known_ranks(baseline: str, queries: Sequence[Query]) -> ContenderOutcomes:
    """Return the contender whose ranks are in the questions' property `baseline`.

    Raises:
        EvaluationError: a question has no such rank, or several relevant videos.
    """
    outcomes = []
    for query in queries:
        try:
            rank = int(str(query.properties[baseline]))
        except (KeyError, ValueError):
            rank = 0
        if not 1 <= rank <= MAX_RANK or len(query.relevant) > 1:
            raise EvaluationError(
                f"--baseline {baseline}: question {query.id} must have exactly one relevant video and its rank, a whole"
                " number from 1 on"
            )
        target = next(iter(query.relevant))
        others = [f"{target}-{number}" for number in range(1, max(rank, DEEPEST))]  # made-up ids
        outcomes.append(QueryOutcome(query, [*others[: rank - 1], target, *others[rank - 1 :]], rank, target))
    return ContenderOutcomes(baseline, {"": values_by_measure(outcomes)}, "", outcomes)


def from_trial(label: str, trial: Trial) -> ContenderOutcomes:
    """Return the contender of a trial."""
    return ContenderOutcomes(
        label,
        {settings: values_by_measure(outcomes) for settings, outcomes in trial.outcomes.items()},
        f"{MODE}{trial.mode}",
        trial.main_outcomes,
        trial,
        [[video for video, _ in top] for top in trial.tops],
    )


def build_comparison(
    setup: ComparisonSetup, rows: Sequence[ContenderOutcomes], queries: Sequence[Query], baseline: str | None
) -> Comparison:
    """Return all figures of the contenders. `baseline` is a property that is not broken down by."""
    groups, notes = groups_by_label(queries, baseline)
    return Comparison(
        **setup.model_dump(),
        contenders=[_contender(row) for row in rows],
        pairs=_paired_tests(rows),
        mode_pairs={row.label: tests for row in rows if (tests := _mode_tests(row))},
        modes=_by_settings(rows, [f"{MODE}{mode}" for mode in MODES]),
        fields_alone=_by_settings(rows, _settings(rows, ALONE)),
        fields_left_out=_by_settings(rows, _settings(rows, WITHOUT)),
        properties={
            name: [_breakdown_row(value, rows, members) for value, members in values.items()]
            for name, values in groups.items()
        },
        notes=notes,
        losses=_losses(rows, queries),
        questions=[_question_result(number, query, rows) for number, query in enumerate(queries)],
    )


def _figure(values: Values) -> Figure:
    low, high = interval(values)
    return Figure(value=float(values.mean()), low=low, high=high)


def _contender(row: ContenderOutcomes) -> Contender:
    trial = row.trial
    known = [model for name in model_names(trial.model) if (model := offered(name))] if trial else []
    return Contender(
        name=trial.model if trial else row.label,
        label=row.label,
        encoder=trial.encoder if trial else "ranks from the query file",
        sha256=trial.sha256 if trial else "",
        dimension=trial.dimension if trial else 0,
        precision=trial.precision if trial else "",
        prompts={kind: prompt for kind, prompt in (trial.prompts if trial else {}).items() if prompt},
        licence=" + ".join(model.licence for model in known),
        mode=trial.mode if trial else "",
        measures={name: _figure(values) for name, values in row.values[row.main].items()},
        costs=trial.costs if trial else None,
    )


def _paired_tests(rows: Sequence[ContenderOutcomes]) -> list[PairedTest]:
    return [
        test
        for measure in TESTED
        for test in paired_tests(
            measure,
            {row.label: row.values[row.main][measure] for row in rows},
            itertools.combinations([row.label for row in rows], 2),
        )
    ]


def _mode_tests(row: ContenderOutcomes) -> list[PairedTest]:
    values = {name.removeprefix(MODE): of["RR"] for name, of in row.values.items() if name.startswith(MODE)}
    main = row.main.removeprefix(MODE)
    return paired_tests("RR", values, [(main, mode) for mode in values if mode != main])


def _settings(rows: Sequence[ContenderOutcomes], prefix: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.values if name.startswith(prefix)))


def _by_settings(rows: Sequence[ContenderOutcomes], settings: Sequence[str]) -> list[BreakdownRow]:
    lines = []
    for name in settings:
        of = {row.label: row.values[name]["RR"] for row in rows if name in row.values}
        if of:
            figures = {label: _figure(values) for label, values in of.items()}
            lines.append(
                BreakdownRow(name=name.partition(":")[2], questions=len(next(iter(of.values()))), figures=figures)
            )
    return lines


def _breakdown_row(name: str, rows: Sequence[ContenderOutcomes], members: Sequence[int]) -> BreakdownRow:
    picked = np.array(members)
    figures = {row.label: _figure(row.values[row.main]["RR"][picked]) for row in rows}
    return BreakdownRow(name=name, questions=len(members), figures=figures)


def _losses(rows: Sequence[ContenderOutcomes], queries: Sequence[Query]) -> list[Loss]:
    """Return for each contender the questions where another one is furthest ahead, worst first."""
    losses = []
    for row in rows:
        found: list[Loss] = []
        for number, query in enumerate(queries):
            best = max(rows, key=lambda other: float(other.values[other.main]["RR"][number]))
            loss = float(best.values[best.main]["RR"][number] - row.values[row.main]["RR"][number])
            if loss > 0:
                found.append(
                    Loss(
                        label=row.label,
                        question=query.id,
                        rank=row.outcomes[number].rank,
                        best=best.label,
                        best_rank=best.outcomes[number].rank,
                        loss=loss,
                    )
                )
        losses += sorted(found, key=lambda one: -one.loss)[:WORST]
    return losses


def _question_result(number: int, query: Query, rows: Sequence[ContenderOutcomes]) -> QuestionResult:
    def ranks_by_mode(row: ContenderOutcomes) -> Mapping[str, int]:
        return {
            name.partition(":")[2]: int(values[MEAN_RANK][number])
            for name, values in row.values.items()
            if name.startswith(MODE)
        }

    return QuestionResult(
        id=query.id,
        text=query.text,
        targets=list(query.relevant),
        properties=query.properties,
        ranks={row.label: row.outcomes[number].rank for row in rows},
        modes={row.label: dict(ranks_by_mode(row)) for row in rows if row.trial},
        tops={row.label: row.tops[number] for row in rows if row.tops},
    )
