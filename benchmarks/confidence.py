"""How well the confidence model recognises that there is no good match, on questions held out from the fit.

    python -m benchmarks.confidence --queries queries.json --off-topic scifact/queries.jsonl --data data \\
        --sample data/demo --known-items title_to_transcript --known-items caption_to_speech \\
        --cache vectors.sqlite --curve docs/images/confidence.svg

retrieval/evaluation/calibrate.py describes the cases and writes the coefficients; this prints the figures of
docs/explanation/confidence.md and draws its curve.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from ingest.settings import Settings
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.evaluation.calibrate import (
    COST,
    FOUND,
    Case,
    CaseSets,
    Features,
    answerable,
    confidences,
    fit,
    fit_mode,
    load_sets,
    mode_of,
)
from retrieval.search.answer import Ranking
from retrieval.search.confidence import JUDGED, MODELS, query_terms
from retrieval.search.fusion import Mode
from retrieval.search.searcher import Searcher

REPOSITORY = Path(__file__).parent.parent
BASELINE = ("top cosine", "word share", "fused", "lead")


def main(
    queries: Annotated[Path, typer.Option(help="Development questions with targets in the catalog.")],
    off_topic: Annotated[Path, typer.Option(help='JSON lines of {"text"}: claims that no video is about.')],
    sample: Annotated[Path, typer.Option(help="Folder of the sample's catalog: data/demo after `make demo`.")],
    known_items: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the catalog.")] = None,
    cache: Annotated[Path, typer.Option(help="Vector cache; a second run encodes nothing.")] = Path("vectors.sqlite"),
    curve: Annotated[Path | None, typer.Option(help="Draw the curve to this SVG file.")] = None,
) -> None:
    """Print JSON: what each model loses and recognises at the cut-off that the costs of both sets allow."""
    settings = Settings()
    encoders = [SentenceEncoder(name) for name in settings.encoder]
    sample_queries = REPOSITORY / "data" / "sample" / "queries.json"
    sets = load_sets(
        queries, off_topic, sample, sample_queries, known_items or [], data or settings.data, cache, encoders, baseline
    )
    report: dict[str, Any] = {"claims": sum(case.kind == "claim" for case in sets.own)}
    fits = {}
    for name, kinds in {"baseline": BASELINE, **MODELS}.items():
        mode = mode_of(name)
        fits[name] = found = fit_mode(sets, mode, kinds, with_others=name != "baseline")
        allowed = {"cut-offs that each set allows": [round(value, 3) for value in found.cut_offs]}
        report[name] = allowed | both(sets, found.held_out, mode, found.model.cut_off)
    if sets.others:
        unseen = fit(sets.others, "hybrid", MODELS["hybrid"])
        scored = [confidences(unseen, cases, "hybrid") for cases in sets.held]
        report["hybrid, fitted on the other sets alone"] = both(sets, scored, "hybrid", fits["hybrid"].model.cut_off)
    print(json.dumps(report, indent=1))
    if curve:
        curve.write_text(drawn(sets.own, sets.sample, fits["baseline"].held_out[0], *fits["hybrid"].held_out))


def baseline(searcher: Searcher, ranking: Ranking, order: NDArray[np.int64], known: Features) -> Features:
    """Return the signals of the plain regression. They are those of the first hit, repeated for every hit."""
    idfs, present = query_terms(searcher.generation, ranking, "stems", order[:1])
    best, second = ranking.scores[order[:2]]
    values = {
        "top cosine": known["cosine"][0],
        "word share": idfs @ present[:, 0] / (idfs.sum() or 1.0),
        "fused": best,
        "lead": best - second,
    }
    return {name: np.full(JUDGED, value) for name, value in values.items()}


def both(sets: CaseSets, confidence: Sequence[NDArray[np.float64]], mode: Mode, cut: float) -> dict[str, Any]:
    """Return the figures of both sets at one cut-off."""
    return {
        "cut_off": cut,
        "own": figures(sets.own, confidence[0], mode, cut),
        "sample": figures(sets.sample, confidence[1], mode, cut),
    }


def figures(cases: Sequence[Case], confidence: NDArray[np.float64], mode: Mode, cut: float) -> dict[str, Any]:
    """Return what is lost and recognised at a cut-off, and the AUC of found against unanswerable, without a cut-off."""
    kind = np.array([case.kind for case in cases])
    there, found = (answerable(cases, mode, within) for within in (None, FOUND))
    result: dict[str, Any] = {
        "lost": f"{int((confidence[there] < cut).sum())} of {int(there.sum())}",
        f"lost, found in {FOUND}": f"{int((confidence[found] < cut).sum())} of {int(found.sum())}",
    }
    for name in ("removed", "claim"):
        against = found | (kind == name)
        result[name] = {
            "recognised": round(float((confidence[kind == name] < cut).mean()), 3),
            "auc": round(float(roc_auc_score(found[against], confidence[against])), 3),
        }
    return result


def drawn(
    own: Sequence[Case],
    sample: Sequence[Case],
    baseline: NDArray[np.float64],
    own_confidence: NDArray[np.float64],
    sample_confidence: NDArray[np.float64],
) -> str:
    """Return the curves of hybrid mode as SVG: share of unanswerable cases recognised by share of answerable lost."""
    left, top, side = 70, 20, 360

    def line(cases: Sequence[Case], values: NDArray[np.float64], within: int | None, negative: str, style: str) -> str:
        kind = np.array([case.kind for case in cases])
        positive = answerable(cases, "hybrid", within)
        cuts = [*np.unique(values), np.inf]
        lost = [float((values[positive] < cut).mean()) for cut in cuts]
        recognised = [float((values[kind == negative] < cut).mean()) for cut in cuts]
        points = " ".join(
            f"{left + side * x:.1f},{top + side * (1 - y):.1f}" for x, y in zip(lost, recognised, strict=True)
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    shown = (
        ("claims", own, own_confidence, None, "claim", 'stroke="#2a9d5c" stroke-width="2"'),
        ("removed, sample", sample, sample_confidence, FOUND, "removed", 'stroke="#1f6feb" stroke-width="2"'),
        ("removed", own, own_confidence, None, "removed", 'stroke="#d1495b" stroke-width="2"'),
        ("removed, plain regression", own, baseline, None, "removed", 'stroke="#8a8a8a" stroke-dasharray="4 3"'),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + side + 20} {top + side + 60}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        x, y = left + side * tick, top + side * (1 - tick)
        parts.append(f'<path d="M{x} {top}V{top + side}M{left} {y}H{left + side}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{top + side + 16}" text-anchor="middle">{tick:.0%}</text>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:.0%}</text>')
    at = left + side * COST
    parts.append(f'<path d="M{at} {top}V{top + side}" stroke="black" stroke-dasharray="2 3"/>')
    for number, (label, cases, values, within, negative, style) in enumerate(shown):
        y = top + side - 84 + 20 * number
        parts.append(line(cases, values, within, negative, style))
        parts.append(f'<path d="M{left + 150} {y}h24" {style}/><text x="{left + 182}" y="{y + 4}">{label}</text>')
    middle = left + side / 2
    parts.append(f'<text x="{middle}" y="{top + side + 40}" text-anchor="middle">answerable questions lost</text>')
    parts.append(
        f'<text transform="rotate(-90 18 {top + side / 2})" x="18" y="{top + side / 2}" text-anchor="middle">'
        "unanswerable questions recognised</text></svg>\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    typer.run(main)
