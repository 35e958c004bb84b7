"""Questions with and without an answer -> the coefficients of the confidence model, retrieval/search/confidence.json.

    python -m retrieval.evaluation.calibrate --queries queries.json --off-topic scifact/queries.jsonl --data data \\
        --sample data/demo --known-items title_to_transcript --known-items caption_to_speech --cache vectors.sqlite

For each set of questions, five corpora are indexed, each without the targets of a fifth of the questions. A question is
"removed" in the corpus that lacks its target and "answerable" in the next one, so that both are measured on corpora of
the same size. Claims of other subjects are answerable in none. The cut-off is the highest that loses at most COST of
the answerable questions, held out from the fit (ten folds by question, five times). The coefficients are then fitted on
all questions. benchmarks/confidence.py measures how well it works.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.index.builder import build
from retrieval.index.documents import Document, document
from retrieval.index.generation import open_current
from retrieval.search.answer import Ranking
from retrieval.search.confidence import ASSET, JUDGED, MODELS, Calibration, Model, signals
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import QueryVectors, Searcher

CORPORA = 5  # a fifth of the targets is missing from each
FOLDS, REPEATS = 10, 5
MAX_QUESTIONS = 400  # of a known-item set: enough to fit four signals
FOUND = 10  # a target is found if it has this rank or a better one
COST = 0.05  # share of the answerable questions that may be called "no good match"
SAMPLE_COST = 0.1  # the same for the sample's questions, which are all paraphrases, if their target is found
C = 0.3  # regularisation: mild, as the signals are few and correlated; not tuned

Features = dict[str, NDArray[np.float64]]  # by signal, shape (JUDGED,): the first hits; the last of fewer is repeated
MoreSignals = Callable[[Searcher, Ranking, NDArray[np.int64], Features], Features]


@dataclass(frozen=True)
class Case:
    """A question in one corpus; `ranks` has the rank of its target by mode, None if the corpus does not have it."""

    group: str
    kind: str  # "answerable", "removed" or "claim"
    ranks: dict[Mode, int | None]
    signals: dict[Mode, Features]


@dataclass(frozen=True)
class CaseSets:
    """The cases of the development questions, of the sample's questions, and of the known-item sets."""

    own: list[Case]
    sample: list[Case]
    others: list[list[Case]]

    @property
    def held(self) -> list[list[Case]]:
        """The sets that are held out fold by fold, and that decide the cut-off."""
        return [self.own, self.sample]


@dataclass(frozen=True)
class Fit:
    """A fitted model, its confidence in each case of `held` when held out, and the cut-offs that both sets allow."""

    model: Model
    held_out: list[NDArray[np.float64]]
    cut_offs: tuple[float, float]


def main(
    queries: Annotated[Path, typer.Option(help="Development questions with targets in the catalog.")],
    off_topic: Annotated[Path, typer.Option(help='JSON lines of {"text"}: claims that no video is about.')],
    sample: Annotated[Path, typer.Option(help="Folder of the sample's catalog: data/demo after `make demo`.")],
    sample_queries: Annotated[Path, typer.Option(help="Questions of the sample.")] = Path("data/sample/queries.json"),
    known_items: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the catalog.")] = None,
    cache: Annotated[Path, typer.Option(help="Vector cache; a second run encodes nothing.")] = Path("vectors.sqlite"),
) -> None:
    """Learn the confidence model and write it into the package."""
    settings = Settings()
    encoders = [SentenceEncoder(name) for name in settings.encoder]
    sets = load_sets(
        queries, off_topic, sample, sample_queries, known_items or [], data or settings.data, cache, encoders
    )
    models = {name: fit_mode(sets, mode_of(name), kinds).model for name, kinds in MODELS.items()}
    target = Path(__file__).parent.parent / "search" / ASSET
    learned = Calibration(encoder=encoders[0].name, encoder_sha256=encoders[0].sha256, models=models)
    target.write_text(learned.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")


def load_sets(
    queries: Path,
    off_topic: Path,
    sample: Path,
    sample_queries: Path,
    known_items: Sequence[Path],
    data: Path,
    cache: Path,
    encoders: Sequence[Encoder],
    more_signals: MoreSignals | None = None,
) -> CaseSets:
    """Ask all questions. The arguments are those of `main`; `more_signals` adds signals in hybrid mode."""
    claims = [json.loads(line)["text"] for line in off_topic.read_text(encoding="utf-8").splitlines()]

    def cases(documents: Sequence[Document], questions: Sequence[Query]) -> list[Case]:
        return ask(documents, questions, claims, encoders, cache, more_signals)

    return CaseSets(
        own=cases(_documents(data), read_queries(queries)),
        sample=cases(_documents(sample), read_queries(sample_queries)),
        others=[cases(*read_beir(folder)) for folder in known_items],
    )


def _documents(data: Path) -> list[Document]:
    with Catalog(data, read_only=True) as catalog:
        return [document(entry) for entry in catalog.entries(catalog.ids(usable=True))]


def ask(
    documents: Sequence[Document],
    questions: Sequence[Query],
    claims: Sequence[str],
    encoders: Sequence[Encoder],
    cache: Path,
    more_signals: MoreSignals | None = None,
) -> list[Case]:
    """Return the cases of every question, once with and once without its target, and of every claim."""
    random = np.random.default_rng(1)
    if len(questions) > MAX_QUESTIONS:
        questions = [questions[i] for i in sorted(random.permutation(len(questions))[:MAX_QUESTIONS])]
    targets = sorted({target for question in questions for target in question.relevant})
    random.shuffle(targets)
    missing_from = {target: number % CORPORA for number, target in enumerate(targets)}
    texts = [*(question.text for question in questions), *claims]
    vectors: list[QueryVectors] = []
    cases: list[Case] = []
    for number in range(CORPORA):
        with tempfile.TemporaryDirectory() as folder:
            build([d for d in documents if missing_from.get(d.id) != number], Path(folder), *encoders, cache=cache)
            searcher = Searcher(open_current(Path(folder)), *encoders)
            vectors = vectors or searcher.vectors(texts)
            for question, vector in zip(questions, vectors[: len(questions)], strict=True):
                lacks = [missing_from[target] for target in question.relevant]
                if lacks[0] == number:
                    cases.append(_case(searcher, question.text, vector, "removed", set(), more_signals))
                elif (lacks[0] + 1) % CORPORA == number:
                    targets_here = set(question.relevant)
                    cases.append(_case(searcher, question.text, vector, "answerable", targets_here, more_signals))
            for claim, vector in list(zip(claims, vectors[len(questions) :], strict=True))[number::CORPORA]:
                cases.append(_case(searcher, claim, vector, "claim", set(), more_signals))
            searcher.generation.close()
    return cases


def _case(
    searcher: Searcher,
    text: str,
    vectors: QueryVectors,
    kind: str,
    targets: set[str],
    more_signals: MoreSignals | None,
) -> Case:
    by_mode: dict[Mode, Features] = {}
    ranks: dict[Mode, int | None] = {}
    for mode in MODES:
        ranking = searcher.rank(text, mode=mode, vectors=vectors)
        order = ranking.order()
        ranks[mode] = next((n for n, video in enumerate(order, 1) if searcher.generation.ids[video] in targets), None)
        by_mode[mode] = signals(searcher.generation, ranking, np.resize(order[:JUDGED], JUDGED))
        if mode == "hybrid" and more_signals:
            by_mode[mode] |= more_signals(searcher, ranking, order, by_mode[mode])
    return Case(text, kind, ranks, by_mode)


def mode_of(name: str) -> Mode:
    """Return the mode that a model of MODELS is for."""
    return next((mode for mode in MODES if name.startswith(mode)), MODES[0])


def fit_mode(sets: CaseSets, mode: Mode, names: Sequence[str], *, with_others: bool = True) -> Fit:
    """Fit a model on the signals `names`, with the cut-off that the costs of both held-out sets allow."""
    others = sets.others if with_others else []
    held_out = cross_validated(sets.held, others, mode, names)
    cut_offs = (
        cut_off(sets.own, held_out[0], mode, COST, None),
        cut_off(sets.sample, held_out[1], mode, SAMPLE_COST, FOUND),
    )
    cut = float(np.floor(min(cut_offs) * 1e4) / 1e4)
    model = fit([*sets.held, *others], mode, names).model_copy(update={"cut_off": cut})
    return Fit(model, held_out, cut_offs)


def fit(sets: Sequence[Sequence[Case]], mode: Mode, names: Sequence[str]) -> Model:
    """Fit a logistic regression on the first hits: questions whose target is found against removed ones and claims.

    Questions whose target has a lower rank are left out. Each set has the same weight; in each, answerable cases weigh
    as much as unanswerable ones, and claims as much as removed ones.
    """
    rows, labels, weights = [], [], []
    for cases in sets:
        used = [case for case in cases if case.kind != "answerable" or (case.ranks[mode] or FOUND + 1) <= FOUND]
        counts = {kind: sum(case.kind == kind for case in used) for kind in ("answerable", "removed", "claim")}
        rows += [[case.signals[mode][name][0] for name in names] for case in used]
        labels += [case.kind == "answerable" for case in used]
        weights += [(2 if case.kind == "answerable" else 1) / counts[case.kind] for case in used]
    scaler = StandardScaler().fit(rows)
    regression = LogisticRegression(C=C, max_iter=1000)
    regression.fit(scaler.transform(rows), labels, sample_weight=np.array(weights) / np.mean(weights))
    coefficients = regression.coef_[0] / scaler.scale_  # for signals that are not scaled
    return Model(
        coefficients={name: round(float(value), 5) for name, value in zip(names, coefficients, strict=True)},
        intercept=round(float(regression.intercept_[0] - coefficients @ scaler.mean_), 5),
        cut_off=0.5,
    )


def confidences(model: Model, cases: Sequence[Case], mode: Mode) -> NDArray[np.float64]:
    """Return the confidence of each answer, the highest of its first hits, shape (cases,)."""
    return np.array([model.confidence(case.signals[mode]).max() for case in cases])


def cross_validated(
    held: Sequence[Sequence[Case]], others: Sequence[Sequence[Case]], mode: Mode, names: Sequence[str]
) -> list[NDArray[np.float64]]:
    """Return for each set in `held` the confidence of each case by models fitted on the other folds and on `others`.

    It is the mean of REPEATS cross-validations.
    """
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
            model = fit([*seen, *others], mode, names)
            for cases, of, total in zip(held, folds, totals, strict=True):
                out = np.flatnonzero(of == fold).tolist()
                total[out] += confidences(model, [cases[i] for i in out], mode)
    return [total / REPEATS for total in totals]


def answerable(cases: Sequence[Case], mode: Mode, within: int | None) -> NDArray[np.bool_]:
    """Return which cases have their target in the corpus, or with `within`, at that rank or a better one."""
    return np.array(
        [c.kind == "answerable" and (within is None or (c.ranks[mode] or within + 1) <= within) for c in cases]
    )


def cut_off(
    cases: Sequence[Case], confidence: NDArray[np.float64], mode: Mode, cost: float, within: int | None
) -> float:
    """Return the highest cut-off with at most the share `cost` of the answerable cases below it."""
    values = np.sort(confidence[answerable(cases, mode, within)])
    return float(values[int(cost * len(values))])


if __name__ == "__main__":
    typer.run(main)
