"""A comparison -> files to share: JSON, Markdown, and one self-contained HTML page.

The page needs no network: it contains its styles and its plots, as SVG. The template escapes all scraped text.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from retrieval.evaluation.measures import MEAN_RANK
from retrieval.evaluation.pairs import compared
from retrieval.evaluation.pairs import verdict as verdict_of
from retrieval.evaluation.results import TESTED, BreakdownRow, Comparison, Contender
from retrieval.evaluation.significance import CONFIDENCE, POWER, RESAMPLES, SEED, SIGNIFICANT
from retrieval.evaluation.trial import Costs
from retrieval.index.documents import ALL_FIELD_NAMES, FIELD_NAMES

ASSETS = Path(__file__).resolve().parent
MAIN = "RR"
SHOWN = ("RR", "Success@1", "Success@5", "Success@10", "nDCG@10", "R@100", MEAN_RANK)


def write_report(comparison: Comparison, out: Path) -> None:
    """Write comparison.json, comparison.md and report.html into `out`, replacing those of an earlier run."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.json").write_text(comparison.model_dump_json(indent=1), encoding="utf-8")
    (out / "comparison.md").write_text(markdown(comparison), encoding="utf-8")
    (out / "report.html").write_text(html(comparison), encoding="utf-8")


def html(comparison: Comparison) -> str:
    """Return the report as an HTML page."""
    page = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page.filters.update(rank=_rank, size=_size, seconds=_seconds, p=_p, link=_link)
    best = _best(comparison)
    return page.get_template("report.html.j2").render(
        c=comparison,
        field_names=ALL_FIELD_NAMES,
        best=best,
        verdict=verdict(comparison),
        shown=SHOWN,
        forest=_forest(comparison),
        plots=[
            ("milliseconds per question", _pareto(comparison, lambda cost: cost.query_ms, _milliseconds)),
            ("seconds to encode the corpus", _pareto(comparison, lambda cost: cost.whole_s, _seconds)),
        ],
        pairs={measure: [pair for pair in comparison.pairs if pair.measure == measure] for measure in TESTED},
        anchors={asked.id: f"q{number}" for number, asked in enumerate(comparison.questions, start=1)},
        worst_first=_worst_first(comparison),
        significant=SIGNIFICANT,
        confidence=f"{CONFIDENCE:.0%}",
        resamples=f"{RESAMPLES:,}",
        seed=SEED,
        power=f"{POWER:.0%}",
    )


def verdict(comparison: Comparison) -> str:
    """Return the result in a few sentences that claim only what the tests show: the best model, and its best mode."""
    best, questions = _best(comparison), len(comparison.questions)
    means = {one.label: one.measures[MAIN].value for one in comparison.contenders}
    result = verdict_of("model", means, [pair for pair in comparison.pairs if pair.measure == MAIN], questions)
    by_mode = {row.name: row.figures[best.label].value for row in comparison.modes if best.label in row.figures}
    if len(by_mode) < 2:
        return result
    mode = max(by_mode, key=lambda name: (by_mode[name], name == best.mode))
    tests = [pair for pair in comparison.mode_pairs.get(best.label, []) if mode in (pair.first, pair.second)]
    said = compared(mode, tests, questions)
    return f"{result} With {best.label}, the mode {mode} has the highest RR, {by_mode[mode]:.3f}. {said}".strip()


def markdown(comparison: Comparison, *, brief: bool = False) -> str:
    """Return the figures as Markdown; with `brief`, only the main table and the verdict."""
    lines = [*_main_table(comparison), "", verdict(comparison), ""]
    if brief:
        return "\n".join(lines)
    title = [f"# Comparison of {len(comparison.contenders)} models", ""]
    return "\n".join([*title, *lines, *_setup(comparison), *_tests(comparison), *_breakdowns(comparison)]) + "\n"


def _main_table(comparison: Comparison) -> list[str]:
    lines = [_cells(["", *SHOWN, "query ms", "encode s", "index", "peak memory"]), "|---" * (len(SHOWN) + 5) + "|"]
    for one in comparison.contenders:
        figures = [
            _rank(one.measures[name].value) if name == MEAN_RANK else f"{one.measures[name].value:.3f}"
            for name in SHOWN
        ]
        cost = one.costs
        spent = (
            [f"{cost.query_ms:.1f}", _seconds(cost.whole_s), _size(cost.index_bytes), _size(cost.peak_bytes)]
            if cost
            else ["", "", "", ""]
        )
        lines.append(_cells([one.label, *figures, *spent]))
    return lines


def _setup(comparison: Comparison) -> list[str]:
    return [
        f"{len(comparison.questions)} questions of `{comparison.query_file}` over {comparison.videos} videos"
        f" ({comparison.passages} passages) of `{comparison.corpus}`; {comparison.created};"
        f" took {_seconds(comparison.took_s)}.",
        "",
        "Encode s: the time for all texts at the speed of this run. Machine: "
        + ", ".join(f"{name} {value}" for name, value in comparison.machine.items())
        + ".",
        "",
        f"    {comparison.command}",
        "",
    ]


def _tests(comparison: Comparison) -> list[str]:
    return [
        "## RR with 95% bootstrap intervals",
        "",
        *[
            f"- {one.label}: {one.measures[MAIN].value:.3f} ({one.measures[MAIN].low:.3f} to"
            f" {one.measures[MAIN].high:.3f})"
            for one in comparison.contenders
        ],
        "",
        "## Paired randomisation tests",
        "",
        _cells(["measure", "pair", "difference", "95% interval", "better / worse", "p", "p (Holm)", "would show"]),
        "|---" * 8 + "|",
        *[
            _cells(
                [
                    pair.measure,
                    f"{pair.first} - {pair.second}",
                    f"{pair.difference:+.3f}",
                    "" if pair.low is None or pair.high is None else f"{pair.low:+.3f} to {pair.high:+.3f}",
                    f"{pair.better} / {pair.worse}",
                    _p(pair.p),
                    _p(pair.p_holm),
                    "" if pair.smallest is None else f"{pair.smallest:.3f}",
                ]
            )
            for pair in comparison.pairs
        ],
        "",
        f"Would show: the difference that such questions show with probability {POWER}. {RESAMPLES:,} resamples, seed"
        f" {SEED}.",
    ]


def _breakdowns(comparison: Comparison) -> list[str]:
    parts: list[tuple[str, list[BreakdownRow], dict[str, str]]] = [
        ("By mode", comparison.modes, {}),
        ("Each field alone", comparison.fields_alone, FIELD_NAMES),
        ("Each field left out", comparison.fields_left_out, FIELD_NAMES),
        *((f"By {name}", found, {}) for name, found in comparison.properties.items()),
    ]
    labels = [one.label for one in comparison.contenders]
    lines = []
    for title, found, names in parts:
        if found:
            lines += ["", f"## {_flat(title)} (RR)", "", _cells(["", "questions", *labels])]
            lines += ["|---" * (len(labels) + 2) + "|"]
            lines += [
                _cells(
                    [
                        names.get(line.name, line.name),
                        str(line.questions),
                        *(f"{line.figures[label].value:.3f}" if label in line.figures else "" for label in labels),
                    ]
                )
                for line in found
            ]
    lines += ["", *comparison.notes, "", "## Rank of the relevant video", "", _cells(["question", *labels])]
    lines += ["|---" * (len(labels) + 1) + "|"]
    lines += [_cells([asked.text, *(str(asked.ranks[label]) for label in labels)]) for asked in comparison.questions]
    return lines


def _best(comparison: Comparison) -> Contender:
    return max(comparison.contenders, key=lambda one: one.measures[MAIN].value)


def _worst_first(comparison: Comparison) -> list[str]:
    """Return the ids of the questions, those whose RR differs most between the contenders first."""

    def spread(ranks: dict[str, int]) -> float:
        return max(1 / rank for rank in ranks.values()) - min(1 / rank for rank in ranks.values())

    return [asked.id for asked in sorted(comparison.questions, key=lambda one: -spread(one.ranks))]


# ---- plots: coordinates for the template, in units of the SVG's view box --------------------------------------


def _forest(comparison: Comparison) -> dict[str, object]:
    """Return RR with its interval, one line per contender."""
    low = min(one.measures[MAIN].low for one in comparison.contenders)
    high = max(one.measures[MAIN].high for one in comparison.contenders)
    left, right = max(0.0, math.floor(low * 10 - 0.5) / 10), min(1.0, math.ceil(high * 10 + 0.5) / 10)
    step = 0.1 if right - left > 0.35 else 0.05

    def x(value: float) -> float:
        return 190 + 420 * (value - left) / ((right - left) or 1.0)

    ticks = [left + step * number for number in range(round((right - left) / step) + 1)]
    return {
        "height": 34 * len(comparison.contenders) + 40,
        "ticks": [(x(tick), f"{tick:.2f}") for tick in ticks],
        "lines": [
            {
                "label": one.label,
                "y": 24 + 34 * row,
                "low": x(one.measures[MAIN].low),
                "x": x(one.measures[MAIN].value),
                "high": x(one.measures[MAIN].high),
                "text": f"{one.measures[MAIN].value:.3f}",
            }
            for row, one in enumerate(comparison.contenders)
        ],
    }


def _pareto(
    comparison: Comparison, cost: Callable[[Costs], float], shown: Callable[[float], str]
) -> dict[str, object] | None:
    """Return RR against a cost on a logarithmic axis, with the Pareto front. Those without cost are on the left."""
    points = [(cost(one.costs), one.measures[MAIN].value, one.label) for one in comparison.contenders if one.costs]
    paid = [spent for spent, _, _ in points if spent > 0]
    if len(points) < 2 or not paid:
        return None
    first, last = math.floor(math.log10(min(paid))), math.ceil(math.log10(max(paid)))
    last = max(last, first + 1)
    free = any(spent <= 0 for spent, _, _ in points)
    low, high = min(rr for _, rr, _ in points), max(rr for _, rr, _ in points)
    margin = max(0.02, (high - low) * 0.15)
    low, high = max(0.0, low - margin), min(1.0, high + margin)
    start = 130.0 if free else 60.0

    def x(spent: float) -> float:
        return 64.0 if spent <= 0 else start + (560 - start) * (math.log10(spent) - first) / (last - first)

    def y(rr: float) -> float:
        return 210 - 190 * (rr - low) / ((high - low) or 1.0)

    ticks = [(x(10.0**power), shown(10.0**power)) for power in range(first, last + 1)]
    drawn: list[dict[str, Any]] = []
    for spent, rr, label in sorted(points):
        front = not any(
            other <= spent and quality >= rr and (other, quality) != (spent, rr) for other, quality, _ in points
        )
        text_y = y(rr) - 9
        while any(abs(text_y - one["text_y"]) < 13 and abs(x(spent) - one["x"]) < 190 for one in drawn):
            text_y += 13
        drawn.append(
            {
                "x": x(spent),
                "y": y(rr),
                "text_y": text_y,
                "label": label,
                "front": front,
                "end": x(spent) > 420,
                "tooltip": f"{label}: RR {rr:.3f}, {shown(spent)}",
            }
        )
    return {
        "ticks": [*([(64.0, "none")] if free else []), *ticks],
        "levels": [(y(low + (high - low) * part / 4), f"{low + (high - low) * part / 4:.2f}") for part in range(5)],
        "points": drawn,
        "path": " ".join(f"{one['x']:.1f},{one['y']:.1f}" for one in drawn if one["front"]),
    }


# ---- numbers as text ------------------------------------------------------------------------------------------


def _rank(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _milliseconds(value: float) -> str:
    return f"{value:g} ms" if value >= 1 else f"{value:.1g} ms"


def _seconds(value: float) -> str:
    if value <= 0:
        return "none"
    if value < 10:
        return f"{value:.2g} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _size(value: int | None) -> str:
    if value is None:
        return "unknown"
    return (
        f"{value / 1e9:.1f} GB"
        if value >= 1e9
        else f"{value / 1e6:.0f} MB"
        if value >= 1e6
        else f"{value / 1e3:.0f} kB"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _link(value: str) -> str:
    """Return a scraped link if it is an https address, else nothing."""
    return value if value.startswith("https://") else ""


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_flat(cell) for cell in cells) + " |"
