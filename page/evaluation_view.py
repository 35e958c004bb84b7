"""Judgements, a measurement and a comparison -> what the tab Evaluate shows of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pydantic import ValidationError

from ingest.catalog import CatalogError
from page.cards import named
from page.html import MODE_NAMES, notice, text
from page.jobs import Jobs
from page.reports import job_ids, report
from page.tables import interval, name, number, table
from retrieval.evaluation.evaluate import MAIN_MEASURE, Evaluation
from retrieval.evaluation.measures import MEAN_RANK
from retrieval.evaluation.pairs import PairedTest
from retrieval.evaluation.report import verdict
from retrieval.evaluation.results import Comparison, Contender
from retrieval.evaluation.significance import ENOUGH, RESAMPLES, SEED

if TYPE_CHECKING:
    from retrieval.server.service import Service

EVALUATION, COMPARISON = "evaluation.json", "comparison.json"
SHOWN_JUDGEMENTS = 200  # the newest; the query file has all
LUCK = (
    "Intervals (95%) are those that other questions like these would give: {resamples:,} resamples of the questions,"
    " seed {seed}. The p values are those of a paired randomisation test, corrected for all pairs (Holm)."
)


def judgements_html(service: "Service") -> str:
    """Return the judgements as a table, newest first."""
    try:
        judgements = service.judgements()
    except CatalogError as error:
        return notice("No judgements", str(error))
    if not judgements:
        return notice("No judgements yet", "Search for a video that you know, and press “This is the one” on its card.")
    videos = service.summaries(one.video_id for one in judgements[:SHOWN_JUDGEMENTS])

    def video(video_id: str) -> str:
        shown = named(videos[video_id], video_id) if video_id in videos else text(video_id)
        return opened(video_id, f"<bdi>{shown}</bdi>")

    rows = (
        f'<th scope="row" dir="auto"><a href="?{text(urlencode({"q": one.query}))}">{text(one.query)}</a></th>'
        f"<td>{video(one.video_id)}</td>"
        f'<td class=nowrap data-value="{one.made_at!r}">{_when(one.made_at)}</td>'
        f'<td><button type="button" class="delete" data-judgement="{one.id}" '
        f'aria-label="Delete the judgement of {text(one.query)}">Delete</button></td>'
        for one in judgements[:SHOWN_JUDGEMENTS]
    )
    more = len(judgements) - SHOWN_JUDGEMENTS
    rest = f"<p class=muted>and {more:,} older ones</p>" if more > 0 else ""
    few = f" {ENOUGH} or more can tell one search from another." if len(judgements) < ENOUGH else ""
    return (
        f"<h2>Judgements</h2><p>{_plural(len(judgements), 'judgement')}, each of a query and its video.{few} "
        '<a href="api/judgements/queries" download="queries.json">Download as a query file</a></p>'
        f"{table('Judgements', ('Query', 'Video', 'When', ''), rows, 'stack')}{rest}"
    )


def opened(video_id: str, inner: str) -> str:
    """Return a link around `inner` (HTML) that opens a video over the tab."""
    return f'<a href="?tab=Evaluate&amp;id={text(video_id)}" data-open="{text(video_id)}">{inner}</a>'


def evaluation_html(jobs: Jobs) -> str:
    """Return the figures of the last measurement."""
    newest = ((job_id, made) for job_id in job_ids(jobs, EVALUATION) if (made := _evaluation(jobs, job_id)))
    job_id, made = next(newest, ("", None))
    if made is None:
        return ""
    asked = [one for one in made.queries if one.rank]
    heads = ("Mode", *map(_measure, made.measures))
    measures = table("Measures", heads, (_of_mode(mode, made) for mode in made.modes), "numbers")
    ranks = (
        f"{name(one.text)}<td>{opened(one.target, text(one.target))}</td>"
        + "".join(number(one.ranks.get(mode), 0) for mode in made.modes)
        for one in sorted(asked, key=lambda one: -one.rank)
    )
    by_rank = table("Ranks", ("Query", "Video", *map(_mode, made.modes)), ranks)
    figures = measures + differences(made.pairs) + _luck(made.resamples, made.seed)
    if len(asked) < ENOUGH:
        figures = f"<details><summary>Figures of {_plural(len(asked), 'query', 'queries')}</summary>{figures}</details>"
    notes = "".join(f"<p class=muted>{text(note)}</p>" for note in made.notes)
    return (
        f"<h2>Figures</h2><p>{_plural(len(made.queries), 'query', 'queries')}, {_plural(made.videos, 'video')}, "
        f"{text(made.encoder)}, generation {text(made.generation)}; {made_at(job_id)}.</p>"
        f'<p class="verdict">{text(made.verdict)}</p>{notes}{figures}'
        f"<details><summary>The rank of each target</summary>{by_rank}</details>"
    )


def _of_mode(mode: str, made: Evaluation) -> str:
    cells = "".join(
        number(
            value,
            1 if of == MEAN_RANK else 3,
            more=interval(*made.intervals.get(mode, (None, None))) if of == MAIN_MEASURE else "",
            best=value == _best(of, made.modes),
        )
        for of, value in made.modes[mode].items()
    )
    return f"{name(_mode(mode))}{cells}"


def differences(pairs: list[PairedTest]) -> str:
    """Return the paired tests as a table."""
    if not pairs:
        return ""
    heads = ("Pair", "Measure", "Difference", "Better", "Worse", "p", "These questions would show")
    rows = (
        f"{name(f'{_mode(one.first)} − {_mode(one.second)}')}<td>{text(one.measure)}</td>"
        f"{number(one.difference, sign=True, more=interval(one.low, one.high, sign=True), best=one.significant)}"
        f"{number(one.better, 0)}{number(one.worse, 0)}{number(one.p_holm)}{number(one.smallest)}"
        for one in pairs
    )
    return table("Differences", heads, rows, "numbers")


def report_html(jobs: Jobs, job_id: str | None) -> str:
    """Return a comparison's verdict and tables, and its report in a frame that runs no scripts."""
    if not job_id or not report(jobs, job_id):
        return ""
    return (
        f'{_comparison_html(jobs, job_id)}<p><a href="reports/{job_id}" target="_blank" rel="noopener">Open the report'
        f' in a new tab ↗</a></p><iframe src="reports/{job_id}" title="Report of the comparison {made_at(job_id)}" '
        'sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
    )


def _comparison_html(jobs: Jobs, job_id: str) -> str:
    """Return a comparison's verdict and tables; nothing if it was made by a version that did not keep its figures."""
    path = report(jobs, job_id, COMPARISON)
    try:
        made = Comparison.model_validate_json(path.read_bytes()) if path else None
    except (OSError, ValidationError):
        made = None
    if made is None:
        return ""
    measures = list(made.contenders[0].measures)
    means = {one.label: {of: figure.value for of, figure in one.measures.items()} for one in made.contenders}
    heads = ("Model", *map(_measure, measures), "ms a question")
    rows = (_of_contender(one, means) for one in made.contenders)
    by_mode = [test for tests in made.mode_pairs.values() for test in tests]
    return (
        f'<p class="verdict">{text(verdict(made))}</p>{table("Models", heads, rows, "numbers")}'
        f"{differences(made.pairs)}{differences(by_mode) if len(made.mode_pairs) == 1 else ''}{_luck(RESAMPLES, SEED)}"
    )


def _of_contender(one: Contender, means: Mapping[str, Mapping[str, float]]) -> str:
    cells = "".join(
        number(
            figure.value,
            1 if of == MEAN_RANK else 3,
            more=interval(figure.low, figure.high) if of == MAIN_MEASURE else "",
            best=figure.value == _best(of, means),
        )
        for of, figure in one.measures.items()
    )
    return f"{name(one.label)}{cells}{number(one.costs.query_ms if one.costs else None, 1)}"


def _best(measure: str, means: Mapping[str, Mapping[str, float]]) -> float | None:
    """Return the lowest mean rank, else the highest value; None if all are equal."""
    column = {values[measure] for values in means.values()}
    return None if len(column) == 1 else min(column) if measure == MEAN_RANK else max(column)


def _luck(resamples: int, seed: int) -> str:
    return f"<p class=muted>{LUCK.format(resamples=resamples, seed=seed)}</p>"


def _evaluation(jobs: Jobs, job_id: str) -> Evaluation | None:
    """Return the result of a measurement; None if it was stopped before its end."""
    try:
        return Evaluation.model_validate_json((jobs.folder / job_id / EVALUATION).read_bytes())
    except (OSError, ValidationError):
        return None


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _measure(measure: str) -> str:
    return "Mean rank" if measure == MEAN_RANK else measure


def _mode(mode: str) -> str:
    return MODE_NAMES.get(mode, mode)


def made_at(job_id: str) -> str:
    """Return when the job was started."""
    made = datetime.strptime(job_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    return f"{made:%Y-%m-%d %H:%M} UTC"


def _when(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M}"
