"""How well the confidence model recognises that there is no good match, on questions held out from the fit.

    python -m benchmarks.confidence --queries queries.json --off-topic scifact/queries.jsonl --data data \\
        --sample data/demo --known-items title_to_transcript \\
        --known-items xquad/hi --known-items xquad/ru --known-items xquad/vi \\
        --cache vectors.sqlite --curve docs/images/confidence.svg

retrieval/evaluation/calibrate.py describes the cases and writes the coefficients; this prints the figures of
docs/explanation/confidence.md and draws its curve.
"""

import json
from collections.abc import Mapping, Sequence
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
    KEYWORD_MODEL,
    OTHER_MODEL,
    Case,
    CaseSet,
    Fit,
    fit_model,
    in_language,
    languages_of_models,
    load_sets,
)
from retrieval.search.confidence import KEYWORDS, LEARNED, OTHER
from retrieval.search.fusion import Mode

Values = NDArray[np.float64]


def main(
    queries: Annotated[Path, typer.Option(help="Development questions with targets in the catalog.")],
    off_topic: Annotated[Path, typer.Option(help='JSON lines of {"text"}: claims that no video is about.')],
    sample: Annotated[Path, typer.Option(help="Folder of the sample's catalog: data/demo after `make demo`.")],
    known_items: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the catalog.")] = None,
    cache: Annotated[Path, typer.Option(help="Vector cache; a second run encodes nothing.")] = Path("vectors.sqlite"),
    curve: Annotated[Path | None, typer.Option(help="Draw the curve to this SVG file.")] = None,
) -> None:
    """Print JSON: what each model loses and recognises at its cut-off, by set of questions and by language."""
    settings = Settings()
    encoders = [SentenceEncoder(name) for name in settings.encoder]
    sets = load_sets(queries, off_topic, sample, known_items or [], data or settings.data, cache, encoders)
    print(json.dumps(report(sets, [encoder.name for encoder in encoders]), indent=1))
    if curve:
        curve.write_text(drawn(sets, encoders[-1].name))


def report(sets: Sequence[CaseSet], encoders: Sequence[str]) -> dict[str, Any]:
    """Return the figures of every model."""
    found: dict[str, Any] = {}
    for mode in ("hybrid", "dense"):
        for name in encoders:
            for language in languages_of_models(name):
                chosen = in_language(sets, language)
                fit = fit_model(chosen, mode, name, LEARNED)
                found[f"{mode}, {name}, {language or 'other languages'}"] = described(fit, chosen, mode, name)
        found[f"{mode}, other encoders"] = described(fit_model(sets, mode, OTHER_MODEL, OTHER), sets, mode, OTHER_MODEL)
    keyword = fit_model(sets, "keyword", KEYWORD_MODEL, KEYWORDS)
    return found | {"keyword": described(keyword, sets, "keyword", KEYWORD_MODEL)}


def described(fit: Fit, sets: Sequence[CaseSet], mode: Mode, name: str) -> dict[str, Any]:
    """Return a model, and the figures of each set by number of videos and by language, at the model's cut-off."""
    result: dict[str, Any] = {"cut_off": fit.model.cut_off, "allowed": fit.cut_offs}
    result["coefficients"] = fit.model.coefficients
    for one in sets:
        if one.name not in fit.held_out:
            continue
        cases = [case for case in one.cases if name in case.signals[mode]]
        for size in sorted({case.size for case in cases}):
            label = f"{one.name}, {f'{size} videos' if size else 'all videos'}"
            languages = sorted({case.language for case in cases})
            for language in [None, *(languages if len(languages) > 1 else [])]:
                chosen = np.array([case.size == size and language in (None, case.language) for case in cases])
                some = [case for case, is_chosen in zip(cases, chosen, strict=True) if is_chosen]
                if {case.kind for case in some} >= {"answerable", "removed"}:
                    key = label if language is None else f"{label}, {language or 'uncertain'}"
                    result[key] = figures(some, fit.held_out[one.name][chosen], mode, fit.model.cut_off)
    return result


def figures(cases: Sequence[Case], confidence: Values, mode: Mode, cut: float) -> dict[str, Any]:
    """Return what is lost and recognised at a cut-off, what the set's own cut-off would recognise, and the AUC."""
    kind = np.array([case.kind for case in cases])
    there, found = kind == "answerable", np.array([case.found(mode) for case in cases])
    result: dict[str, Any] = {
        "lost": f"{int((confidence[there] < cut).sum())} of {int(there.sum())}",
        f"lost, found in {FOUND}": f"{int((confidence[found] < cut).sum())} of {int(found.sum())}",
    }
    own = np.sort(confidence[found])[int(COST * found.sum())] if found.any() else 0.0
    for name in ("removed", "claim"):
        of_kind = kind == name
        if of_kind.any() and found.any():
            result[name] = {
                "recognised": round(float((confidence[of_kind] < cut).mean()), 3),
                f"recognised at {COST:.0%} lost of those found": round(float((confidence[of_kind] < own).mean()), 3),
                "auc": round(float(roc_auc_score(found[found | of_kind], confidence[found | of_kind])), 3),
                "n": int(of_kind.sum()),
            }
    return result


STYLES: Mapping[str, str] = {  # by set of questions
    "own": 'stroke="#d1495b" stroke-width="2"',
    "sample": 'stroke="#8250df" stroke-width="2"',
    "hi": 'stroke="#2a9d5c" stroke-width="2"',
    "ru": 'stroke="#2a9d5c" stroke-dasharray="4 3"',
    "vi": 'stroke="#2a9d5c" stroke-dasharray="1 3"',
}
LABELS = {"own": "43 questions", "sample": "sample, 13 languages"}


def drawn(sets: Sequence[CaseSet], name: str) -> str:
    """Return the curves of hybrid mode as SVG: share of removed targets recognised by share of answerable lost."""
    left, top, side = 70, 20, 360
    held_out = fit_model(sets, "hybrid", name, LEARNED).held_out
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
    for number, one in enumerate(one for one in sets if one.name in STYLES and one.name in held_out):
        cases = [case for case in one.cases if name in case.signals["hybrid"]]
        whole = np.array([not case.size for case in cases])
        cases = [case for case in cases if not case.size]
        values, kind = held_out[one.name][whole], np.array([case.kind for case in cases])
        found = np.array([case.found("hybrid") for case in cases])
        cuts = [*np.unique(values), np.inf]
        points = " ".join(
            f"{left + side * float((values[found] < cut).mean()):.1f},"
            f"{top + side * (1 - float((values[kind == 'removed'] < cut).mean())):.1f}"
            for cut in cuts
        )
        y, label = top + side - 124 + 20 * number, LABELS.get(one.name, f"XQuAD, {one.name}")
        parts.append(f'<polyline points="{points}" fill="none" {STYLES[one.name]}/>')
        parts.append(
            f'<path d="M{left + 170} {y}h24" {STYLES[one.name]}/><text x="{left + 202}" y="{y + 4}">{label}</text>'
        )
    middle = left + side / 2
    parts.append(f'<text x="{middle}" y="{top + side + 40}" text-anchor="middle">answerable questions lost</text>')
    parts.append(
        f'<text transform="rotate(-90 18 {top + side / 2})" x="18" y="{top + side / 2}" text-anchor="middle">'
        "unanswerable questions recognised</text></svg>\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    typer.run(main)
