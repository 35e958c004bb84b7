"""How often "no good match" is said where there is none, and the coefficients that say it.

    python -m benchmarks.confidence --queries queries.json --off-topic scifact/queries.jsonl --data data \\
        --sample data/demo --known-items title_to_transcript --known-items caption_to_speech \\
        --cache vectors.sqlite --write

Of each set five corpora are indexed aside, each without the videos that a fifth of the questions are after. A question
is unanswerable in the corpus that lacks its video and answerable in the next one, so both are asked of corpora of the
same size; the claims are answerable in none. Figures are of questions held out from the fit (ten folds by question,
five times); `--write` then fits on everything and writes retrieval/search/confidence.json and the curve.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder, SentenceEncoder, Vectors
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.index.builder import build
from retrieval.index.documents import Document, document
from retrieval.index.generation import open_current
from retrieval.search.answer import Ranking
from retrieval.search.confidence import ASSET, JUDGED, MODELS, Calibration, Model, query_terms, signals
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

_settings = Settings()
REPOSITORY = Path(__file__).parent.parent
CORPORA = 5  # a fifth of the targets is missing from each
FOLDS, REPEATS = 10, 5
MAX_QUESTIONS = 400  # of a known-item set: enough to fit four signals
FOUND = 10  # a target within so many places was found
COST = 0.05  # of the answerable questions may be told that there is no good match
SAMPLE_COST = 0.1  # of the sample's questions, all of them paraphrases, whose target was found
SAMPLE_QUERIES = REPOSITORY / "data" / "sample" / "queries.json"
C = 0.3  # of the regularisation: mild, the signals are few and correlated; not tuned
BASELINE = ("top cosine", "word share", "fused", "lead")
Features = dict[str, NDArray[np.float64]]  # by signal, shape (JUDGED,): the first hits, fewer are padded with the last


@dataclass(frozen=True)
class Case:
    """A question asked of a corpus; `ranks` are its target's places, None where the corpus has no target."""

    group: str
    kind: str  # "answerable", "removed" or "claim"
    ranks: dict[Mode, int | None]
    lanes: dict[Mode, Features]


def main(
    queries: Annotated[Path, typer.Option(help="Development questions with targets in the catalogue.")],
    off_topic: Annotated[Path, typer.Option(help='JSON lines of {"text"}: claims that no video is about.')],
    sample: Annotated[Path, typer.Option(help="Folder of the sample corpus's catalogue: data/demo of `make demo`.")],
    known_items: Annotated[list[Path] | None, typer.Option(help="BEIR folder, repeatable.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of the catalogue.")] = _settings.data,
    cache: Annotated[Path, typer.Option(help="Vector cache, so that a second run encodes nothing.")] = Path(
        "vectors.sqlite"
    ),
    write: Annotated[bool, typer.Option("--write", help="Write the coefficients and the curve.")] = False,
) -> None:
    """Print JSON: what is lost and recognised at the cut-off that both sets' costs allow, of each set and model."""
    encoder = SentenceEncoder(_settings.encoder)
    claims = [json.loads(line)["text"] for line in off_topic.read_text(encoding="utf-8").splitlines()]
    with Catalog(data) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids(usable=True))]
    own = ask(documents, read_queries(queries), claims, encoder, cache)
    with Catalog(sample) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids(usable=True))]
    paraphrases = ask(documents, read_queries(SAMPLE_QUERIES), claims, encoder, cache)
    others = [ask(*read_beir(folder), claims, encoder, cache) for folder in known_items or []]

    told: dict[str, Any] = {"claims": len(claims)}
    sure: dict[str, list[NDArray[np.float64]]] = {}
    models: dict[str, Model] = {}
    for name, kinds in {"baseline": BASELINE, **MODELS}.items():
        lane = next((lane for lane in MODES if name.startswith(lane)), MODES[0])
        held_out = cross_validated([own, paraphrases], [] if name == "baseline" else others, lane, kinds)
        cuts = cut_off(own, held_out[0], lane, COST, None), cut_off(paraphrases, held_out[1], lane, SAMPLE_COST, FOUND)
        cut = float(np.floor(min(cuts) * 1e4) / 1e4)
        told[name] = {"cut-offs that each set allows": [round(c, 3) for c in cuts]} | both(
            own, paraphrases, held_out, lane, cut
        )
        sure[name] = held_out
        if name in MODELS:
            models[name] = fit([own, paraphrases, *others], lane, kinds).model_copy(update={"cut_off": cut})
    unseen = fit(others, "hybrid", MODELS["hybrid"]) if others else None
    if unseen:
        scored = [confidences(unseen, cases, "hybrid") for cases in (own, paraphrases)]
        told["hybrid, fitted on the other sets alone"] = both(
            own, paraphrases, scored, "hybrid", models["hybrid"].cut_off
        )
    print(json.dumps(told, indent=1))
    if write:
        learned = Calibration(encoder=encoder.name, encoder_sha256=encoder.sha256, models=models)
        (REPOSITORY / "retrieval" / "assets" / ASSET).write_text(learned.model_dump_json(indent=1) + "\n", "utf-8")
        (REPOSITORY / "docs" / "images" / "confidence.svg").write_text(
            drawn(own, paraphrases, sure["baseline"][0], *sure["hybrid"])
        )


def ask(
    documents: Sequence[Document], questions: Sequence[Query], claims: Sequence[str], encoder: Encoder, cache: Path
) -> list[Case]:
    """Every question with and without its target, and every claim, once each."""
    random = np.random.default_rng(1)
    if len(questions) > MAX_QUESTIONS:
        questions = [questions[i] for i in sorted(random.permutation(len(questions))[:MAX_QUESTIONS])]
    targets = sorted({target for question in questions for target in question.relevant})
    random.shuffle(targets)
    missing_from = {target: number % CORPORA for number, target in enumerate(targets)}
    vectors, claim_vectors = encoder.queries([question.text for question in questions]), encoder.queries(claims)
    cases: list[Case] = []
    for number in range(CORPORA):
        with tempfile.TemporaryDirectory() as aside:
            build([d for d in documents if missing_from.get(d.id) != number], Path(aside), encoder, cache=cache)
            searcher = Searcher(open_current(Path(aside)), encoder)
            for question, vector in zip(questions, vectors, strict=True):
                lacks = [missing_from[target] for target in question.relevant]
                if lacks[0] == number:
                    cases.append(_case(searcher, question.text, vector, "removed", set()))
                elif (lacks[0] + 1) % CORPORA == number:
                    cases.append(_case(searcher, question.text, vector, "answerable", set(question.relevant)))
            for claim, vector in list(zip(claims, claim_vectors, strict=True))[number::CORPORA]:
                cases.append(_case(searcher, claim, vector, "claim", set()))
            searcher.generation.close()
    return cases


def _case(searcher: Searcher, text: str, vector: Vectors, kind: str, targets: set[str]) -> Case:
    lanes: dict[Mode, Features] = {}
    ranks: dict[Mode, int | None] = {}
    for lane in MODES:
        ranking = searcher.rank(text, mode=lane, vector=vector)
        order = ranking.order()
        ranks[lane] = next((n for n, video in enumerate(order, 1) if searcher.generation.ids[video] in targets), None)
        first = np.resize(order[:JUDGED], JUDGED)
        lanes[lane] = signals(searcher.generation, ranking, first)
        if lane == "hybrid":
            lanes[lane] |= _baseline(searcher, ranking, order, lanes[lane]["cosine"][0])
    return Case(text, kind, ranks, lanes)


def _baseline(searcher: Searcher, ranking: Ranking, order: NDArray[np.int64], cosine: float) -> Features:
    """What the plain regression looks at: of the first hit alone, so the same in every place."""
    idfs, held = query_terms(searcher.generation, ranking, "stems", order[:1])
    best, second = ranking.scores[order[:2]]
    values = {
        "top cosine": cosine,
        "word share": idfs @ held[:, 0] / (idfs.sum() or 1.0),
        "fused": best,
        "lead": best - second,
    }
    return {name: np.full(JUDGED, value) for name, value in values.items()}


def fit(sets: Sequence[Sequence[Case]], lane: Mode, names: Sequence[str]) -> Model:
    """A logistic regression on the first hits: questions whose target was found against removed ones and claims.

    A question whose target is there but further down teaches nothing either way. Each set weighs the same; in each
    answerable weighs as unanswerable, and claims as removed.
    """
    rows, labels, weights = [], [], []
    for cases in sets:
        used = [case for case in cases if case.kind != "answerable" or (case.ranks[lane] or FOUND + 1) <= FOUND]
        counts = {kind: sum(case.kind == kind for case in used) for kind in ("answerable", "removed", "claim")}
        rows += [[case.lanes[lane][name][0] for name in names] for case in used]
        labels += [case.kind == "answerable" for case in used]
        weights += [(2 if case.kind == "answerable" else 1) / counts[case.kind] for case in used]
    scaler = StandardScaler().fit(rows)
    regression = LogisticRegression(C=C, max_iter=1000)
    regression.fit(scaler.transform(rows), labels, sample_weight=np.array(weights) / np.mean(weights))
    coefficients = regression.coef_[0] / scaler.scale_  # as of signals that were never scaled
    return Model(
        coefficients={name: round(float(value), 5) for name, value in zip(names, coefficients, strict=True)},
        intercept=round(float(regression.intercept_[0] - coefficients @ scaler.mean_), 5),
        cut_off=0.5,
    )


def confidences(model: Model, cases: Sequence[Case], lane: Mode) -> NDArray[np.float64]:
    """Of each answer, as `search` says it: the surest of its first hits; shape (cases,)."""
    return np.array([model.confidence(case.lanes[lane]).max() for case in cases])


def cross_validated(
    held: Sequence[Sequence[Case]], others: Sequence[Sequence[Case]], lane: Mode, names: Sequence[str]
) -> list[NDArray[np.float64]]:
    """By set in `held`: the mean over REPEATS of each case's confidence, fitted on the others and the other folds."""
    totals = [np.zeros(len(cases)) for cases in held]
    for repeat in range(REPEATS):
        folds = []
        for cases in held:
            groups = sorted({case.group for case in cases})
            fold_of = dict(zip(groups, np.random.default_rng(repeat).permutation(len(groups)) % FOLDS, strict=True))
            folds.append(np.array([fold_of[case.group] for case in cases]))
        for fold in range(FOLDS):
            seen = [
                [cases[i] for i in np.flatnonzero(of != fold).tolist()] for cases, of in zip(held, folds, strict=True)
            ]
            model = fit([*seen, *others], lane, names)
            for cases, of, total in zip(held, folds, totals, strict=True):
                out = np.flatnonzero(of == fold).tolist()
                total[out] += confidences(model, [cases[i] for i in out], lane)
    return [total / REPEATS for total in totals]


def answerable(cases: Sequence[Case], lane: Mode, within: int | None) -> NDArray[np.bool_]:
    """Which cases have their target in the corpus, or among so many first hits; shape (cases,)."""
    return np.array(
        [c.kind == "answerable" and (within is None or (c.ranks[lane] or within + 1) <= within) for c in cases]
    )


def cut_off(cases: Sequence[Case], sure: NDArray[np.float64], lane: Mode, cost: float, within: int | None) -> float:
    """The highest cut-off that at most the share `cost` of the answerable lie below."""
    values = np.sort(sure[answerable(cases, lane, within)])
    return float(values[int(cost * len(values))])


def both(
    own: Sequence[Case], paraphrases: Sequence[Case], sure: Sequence[NDArray[np.float64]], lane: Mode, cut: float
) -> dict[str, Any]:
    """The figures of both sets at one cut-off."""
    return {
        "cut_off": cut,
        "own": figures(own, sure[0], lane, cut),
        "sample": figures(paraphrases, sure[1], lane, cut),
    }


def figures(cases: Sequence[Case], sure: NDArray[np.float64], lane: Mode, cut: float) -> dict[str, Any]:
    """What is lost and recognised at a cut-off, and the AUC, which needs none, of found against unanswerable."""
    kind = np.array([case.kind for case in cases])
    there, found = (answerable(cases, lane, within) for within in (None, FOUND))
    told: dict[str, Any] = {
        "lost": f"{int((sure[there] < cut).sum())} of {int(there.sum())}",
        f"lost, found in {FOUND}": f"{int((sure[found] < cut).sum())} of {int(found.sum())}",
    }
    for name in ("removed", "claim"):
        against = found | (kind == name)
        told[name] = {
            "recognised": round(float((sure[kind == name] < cut).mean()), 3),
            "auc": round(float(roc_auc_score(found[against], sure[against])), 3),
        }
    return told


def drawn(
    own: Sequence[Case],
    paraphrases: Sequence[Case],
    baseline: NDArray[np.float64],
    own_sure: NDArray[np.float64],
    sample_sure: NDArray[np.float64],
) -> str:
    """The hybrid lane's curves as SVG: share of the unanswerable recognised over the share of the answerable lost."""
    left, top, side = 70, 20, 360

    def line(cases: Sequence[Case], values: NDArray[np.float64], within: int | None, negative: str, style: str) -> str:
        kind = np.array([case.kind for case in cases])
        positive = answerable(cases, "hybrid", within)
        cuts = [*np.unique(values), np.inf]
        lost = [float((values[positive] < cut).mean()) for cut in cuts]
        right = [float((values[kind == negative] < cut).mean()) for cut in cuts]
        points = " ".join(f"{left + side * x:.1f},{top + side * (1 - y):.1f}" for x, y in zip(lost, right, strict=True))
        return f'<polyline points="{points}" fill="none" {style}/>'

    shown = (
        ("claims", own, own_sure, None, "claim", 'stroke="#2a9d5c" stroke-width="2"'),
        ("removed, sample", paraphrases, sample_sure, FOUND, "removed", 'stroke="#1f6feb" stroke-width="2"'),
        ("removed", own, own_sure, None, "removed", 'stroke="#d1495b" stroke-width="2"'),
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
