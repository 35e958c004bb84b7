"""Questions with and without an answer -> the coefficients of the confidence model, retrieval/search/confidence.json.

    python -m retrieval.evaluation.calibrate --queries queries.json --off-topic scifact/queries.jsonl --data data \\
        --sample data/demo --known-items title_to_transcript \\
        --known-items xquad/hi --known-items xquad/ru --known-items xquad/vi --cache vectors.sqlite

Every question is asked once with its target ("answerable") and once without it ("removed"): the target is taken out of
the ranking and of what the signals compare with. Claims of other subjects are answerable nowhere. All are asked of the
whole corpus and of small ones, random samples of it, because signals depend on the number of videos. The cut-off of a
model is the highest that loses at most COST of the questions of each set whose target is found, held out from the fit
(ten folds by question, five times). The coefficients are then fitted on all questions. benchmarks/confidence.py
measures how well it works.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from ingest.catalog import Catalog
from ingest.language import language_of
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.embedding.registry import only_language
from retrieval.evaluation.queries import Query, read_beir, read_queries
from retrieval.index.builder import build
from retrieval.index.documents import OVERVIEW, Document, document
from retrieval.index.generation import open_current
from retrieval.search.answer import Ranking
from retrieval.search.confidence import (
    ASSET,
    JUDGED,
    KEYWORDS,
    LEARNED,
    OTHER,
    Calibration,
    LearnedEncoder,
    Model,
    signals,
)
from retrieval.search.fusion import MODES, Mode
from retrieval.search.scoring import QueryVectors
from retrieval.search.searcher import Searcher
from retrieval.search.understanding import reads

FOLDS, REPEATS = 10, 5
MAX_QUESTIONS = 400  # of a known-item set: enough to fit five signals
MAX_QUESTIONS_OF_FEW = 160  # the same for each size of small corpora
MAX_CLAIMS = 150
SIZES = (20, 50, 190)  # of small corpora, in videos
MIN_FOUND = (
    20  # questions with a found target that a model may judge, from which a set counts: all have the same weight
)
FOUND = 10  # a target is found if it has this rank or a better one
COST = 0.05  # share of the answerable questions that may be called "no good match"
SAMPLE_COST = 0.1  # the same for the sample's questions, which are all paraphrases, most across languages
C = 0.3  # regularisation: mild, as the signals are few and correlated; not tuned
ENGLISH = "en"
KEYWORD_MODEL, OTHER_MODEL = "keyword", "other"  # names of models that are of no encoder
SAMPLE_QUERIES = (Path("data/sample/queries.json"), Path("data/sample/queries_by_language.json"))

Features = dict[str, NDArray[np.float64]]  # by signal, shape (JUDGED,): the first hits; the last of fewer is repeated


@dataclass(frozen=True)
class Case:
    """A question, with its target or without.

    Attributes:
        kind: "answerable", "removed" or "claim".
        language: of the question, "" if it is uncertain.
        size: of the corpus, one of SIZES, or 0 for all videos.
        ranks: of the target by mode, None if there is none.
        signals: by mode and by the name of a model (an encoder, KEYWORD_MODEL) that may judge it.
    """

    group: str
    kind: str
    language: str
    ranks: dict[Mode, int | None]
    signals: dict[Mode, dict[str, Features]]
    size: int = 0

    def found(self, mode: Mode) -> bool:
        """Return whether the target is among the first FOUND."""
        return self.kind == "answerable" and (self.ranks[mode] or FOUND + 1) <= FOUND


@dataclass(frozen=True)
class CaseSet:
    """The cases of a set of questions. It limits the cut-off if it has a `cost`: the share of found ones to lose."""

    name: str
    cases: list[Case]
    cost: float | None = None


@dataclass(frozen=True)
class Asked:
    """A corpus and what it is asked; for `size` see Case."""

    documents: Sequence[Document]
    questions: Sequence[Query]
    claims: Sequence[str]
    size: int

    @property
    def texts(self) -> list[str]:
        return [*(question.text for question in self.questions), *self.claims]


@dataclass(frozen=True)
class Fit:
    """A fitted model, its confidence in each case of each set when held out, and the cut-offs that the sets allow."""

    model: Model
    held_out: dict[str, NDArray[np.float64]]
    cut_offs: dict[str, float]


def main(
    queries: Annotated[Path, typer.Option(help="Development questions with targets in the catalog.")],
    off_topic: Annotated[Path, typer.Option(help='JSON lines of {"text"}: claims that no video is about.')],
    sample: Annotated[Path, typer.Option(help="Folder of the sample's catalog: data/demo after `make demo`.")],
    known_items: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the catalog.")] = None,
    cache: Annotated[Path, typer.Option(help="Vector cache; a second run encodes nothing.")] = Path("vectors.sqlite"),
) -> None:
    """Learn the confidence model and write it into the package."""
    settings = Settings()
    encoders = [SentenceEncoder(name) for name in settings.encoder]
    sets = load_sets(queries, off_topic, sample, known_items or [], data or settings.data, cache, encoders)
    target = Path(__file__).parent.parent / "search" / ASSET
    target.write_text(learn(sets, encoders).model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")


def learn(sets: Sequence[CaseSet], encoders: Sequence[Encoder]) -> Calibration:
    """Fit all models: of each encoder, of other encoders, and of keywords alone."""
    modes: tuple[Mode, ...] = ("hybrid", "dense")
    return Calibration(
        encoders=tuple(
            LearnedEncoder(
                name=encoder.name,
                sha256=encoder.sha256,
                language=language,
                models={
                    mode: fit_model(in_language(sets, language), mode, encoder.name, LEARNED).model for mode in modes
                },
            )
            for encoder in encoders
            for language in languages_of_models(encoder.name)
        ),
        others={mode: fit_model(sets, mode, OTHER_MODEL, OTHER).model for mode in modes},
        keyword=fit_model(sets, "keyword", KEYWORD_MODEL, KEYWORDS).model,
    )


def languages_of_models(name: str) -> tuple[str, ...]:
    """Return for which languages models of an encoder are learned: its only one, or English and the others ("")."""
    return (only_language(name),) if only_language(name) else (ENGLISH, "")


def in_language(sets: Sequence[CaseSet], language: str) -> list[CaseSet]:
    """Return the cases in English, or with "" those in other languages. Uncertain ones are among both."""
    return [
        replace(
            one, cases=[case for case in one.cases if not case.language or (case.language == ENGLISH) == bool(language)]
        )
        for one in sets
    ]


def load_sets(
    queries: Path,
    off_topic: Path,
    sample: Path,
    known_items: Sequence[Path],
    data: Path,
    cache: Path,
    encoders: Sequence[Encoder],
) -> list[CaseSet]:
    """Ask all questions. The arguments are those of `main`."""
    lines = off_topic.read_text(encoding="utf-8").splitlines()
    claims = [json.loads(line)["text"] for line in lines[:MAX_CLAIMS]]
    own = ask(_documents(data), read_queries(queries), claims, encoders, cache)
    sets = [CaseSet("own", own, COST)]
    about_sample = [question for path in SAMPLE_QUERIES for question in read_queries(path)]
    sets.append(CaseSet("sample", ask(_documents(sample), about_sample, claims, encoders, cache), SAMPLE_COST))
    for folder in known_items:
        documents, questions = read_beir(folder)
        sets.append(CaseSet(folder.name, ask(documents, questions, claims, encoders, cache)))
    return sets


def _documents(data: Path) -> list[Document]:
    with Catalog(data, read_only=True) as catalog:
        return [document(entry) for entry in catalog.entries(catalog.ids(usable=True))]


def ask(
    documents: Sequence[Document],
    questions: Sequence[Query],
    claims: Sequence[str],
    encoders: Sequence[Encoder],
    cache: Path,
) -> list[Case]:
    """Return the cases of every question, with and without its target, and of every claim, by size of the corpus.

    A question that has no target is a claim.
    """
    if len(questions) > MAX_QUESTIONS:
        chosen = np.random.default_rng(1).permutation(len(questions))[:MAX_QUESTIONS]
        questions = [questions[i] for i in sorted(chosen)]
    asked = [Asked(documents, questions, claims, 0)]
    for size in SIZES:
        if size < len(documents):
            asked += small_corpora(asked[0], size)
    cases: list[Case] = []
    known: dict[str, QueryVectors] = {}
    for one in asked:
        with tempfile.TemporaryDirectory() as folder:
            build(one.documents, Path(folder), *encoders, cache=cache)
            searcher = Searcher(open_current(Path(folder)), *encoders)
            if not known:
                texts = one.texts
                known = dict(zip(texts, searcher.vectors(texts), strict=True))
            cases += _cases(searcher, one, known)
    return cases


def small_corpora(whole: Asked, size: int) -> list[Asked]:
    """Share the questions out to random samples of `size` videos, at most half of which are targets."""
    random = np.random.default_rng(size)
    chosen = [whole.questions[i] for i in random.permutation(len(whole.questions))[:MAX_QUESTIONS_OF_FEW]]
    parts = -(-2 * len(chosen) // size)
    found = []
    for part in range(parts):
        questions = chosen[part::parts]
        targets = {target for question in questions for target in question.relevant}
        others = [one for one in whole.documents if one.id not in targets]
        documents = [one for one in whole.documents if one.id in targets]
        documents += [others[i] for i in random.permutation(len(others))[: max(0, size - len(documents))]]
        found.append(Asked(documents, questions, whole.claims[part::parts], size))
    return found


def _cases(searcher: Searcher, asked: Asked, known: Mapping[str, QueryVectors]) -> list[Case]:
    positions = searcher.generation.positions
    cases: list[Case] = []
    for number, text in enumerate(asked.texts):
        wanted = asked.questions[number].relevant if number < len(asked.questions) else {}
        targets = {positions[target] for target in wanted if target in positions}
        rankings = {mode: searcher.rank(text, mode=mode, vectors=known[text]) for mode in MODES}
        if targets:
            cases.append(_case(searcher, text, rankings, "answerable", targets, set()))
        cases.append(_case(searcher, text, rankings, "removed" if wanted else "claim", set(), targets))
    return [replace(case, size=asked.size) for case in cases]


def _case(
    searcher: Searcher, text: str, rankings: dict[Mode, Ranking], kind: str, targets: set[int], removed: set[int]
) -> Case:
    generation, language = searcher.generation, language_of(text)
    ranks: dict[Mode, int | None] = {}
    by_mode: dict[Mode, dict[str, Features]] = {}
    for mode, ranking in rankings.items():
        order = np.array([video for video in ranking.order() if video not in removed])
        first = np.resize(order[:JUDGED], JUDGED)
        ranks[mode] = next((rank for rank, video in enumerate(order, 1) if video in targets), None)
        judges = [
            number
            for number, encoder in enumerate(generation.manifest.encoders)
            if OVERVIEW in ranking.best[number] and reads(encoder, language)
        ]
        names = {generation.manifest.encoders[number].name: number for number in judges}
        others = {OTHER_MODEL: judges[-1]} if judges else {}
        by_mode[mode] = {
            name: signals(generation, ranking, first, number, removed)
            for name, number in (names | others | {KEYWORD_MODEL: None}).items()
        }
    return Case(text, kind, language, ranks, by_mode)


def fit_model(sets: Sequence[CaseSet], mode: Mode, name: str, names: Sequence[str]) -> Fit:
    """Fit the model `name` on the signals `names`, with the cut-off that the cost of every set allows."""
    judged = [replace(one, cases=[case for case in one.cases if name in case.signals[mode]]) for one in sets]
    judged = [one for one in judged if len({case.group for case in one.cases if case.found(mode)}) >= MIN_FOUND]
    held_out = cross_validated(judged, mode, name, names)
    cut_offs = {one.name: cut_off(one, held_out[one.name], mode) for one in judged if one.cost is not None}
    cut = float(np.floor(min(cut_offs.values(), default=0.5) * 1e4) / 1e4)
    model = fit([one.cases for one in judged], mode, name, names).model_copy(update={"cut_off": cut})
    return Fit(model, held_out, cut_offs)


def fit(sets: Sequence[Sequence[Case]], mode: Mode, name: str, names: Sequence[str]) -> Model:
    """Fit a logistic regression on the first hits: questions whose target is found against removed ones and claims.

    Questions whose target has a lower rank are left out. Each set and size of corpus has the same weight; in each,
    answerable cases weigh as much as unanswerable ones, and claims as much as removed ones.
    """
    rows, labels, weights = [], [], []
    for cases in sets:
        used = [case for case in cases if case.kind != "answerable" or case.found(mode)]
        counts = Counter((case.size, case.kind) for case in used)
        rows += [[case.signals[mode][name][one][0] for one in names] for case in used]
        labels += [case.kind == "answerable" for case in used]
        weights += [(2 if case.kind == "answerable" else 1) / counts[case.size, case.kind] for case in used]
    scaler = StandardScaler().fit(rows)
    regression = LogisticRegression(C=C, max_iter=1000)
    regression.fit(scaler.transform(rows), labels, sample_weight=np.array(weights) / np.mean(weights))
    coefficients = regression.coef_[0] / scaler.scale_  # for signals that are not scaled
    return Model(
        coefficients={one: round(float(value), 5) for one, value in zip(names, coefficients, strict=True)},
        intercept=round(float(regression.intercept_[0] - coefficients @ scaler.mean_), 5),
        cut_off=0.5,
    )


def confidences(model: Model, cases: Sequence[Case], mode: Mode, name: str) -> NDArray[np.float64]:
    """Return the confidence of each answer, the highest of its first hits, shape (cases,)."""
    return np.array([model.confidence(case.signals[mode][name]).max() for case in cases])


def cross_validated(
    sets: Sequence[CaseSet], mode: Mode, name: str, names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return for each set the confidence of each case by models fitted on the other folds of all sets.

    It is the mean of REPEATS cross-validations.
    """
    totals = {one.name: np.zeros(len(one.cases)) for one in sets}
    for repeat in range(REPEATS):
        folds = {}
        for one in sets:
            groups = sorted({case.group for case in one.cases})
            fold_of = dict(zip(groups, np.random.default_rng(repeat).permutation(len(groups)) % FOLDS, strict=True))
            folds[one.name] = np.array([fold_of[case.group] for case in one.cases])
        for fold in range(FOLDS):
            seen = [[one.cases[i] for i in np.flatnonzero(folds[one.name] != fold).tolist()] for one in sets]
            model = fit(seen, mode, name, names)
            for one in sets:
                out = np.flatnonzero(folds[one.name] == fold).tolist()
                if out:
                    totals[one.name][out] += confidences(model, [one.cases[i] for i in out], mode, name)
    return {of: total / REPEATS for of, total in totals.items()}


def cut_off(one: CaseSet, confidence: NDArray[np.float64], mode: Mode) -> float:
    """Return the highest cut-off with at most the share of the found cases below it that the set may lose."""
    values = np.sort(confidence[[case.found(mode) for case in one.cases]])
    return float(values[int((one.cost or 0) * len(values))]) if len(values) else 1.0


if __name__ == "__main__":
    typer.run(main)
