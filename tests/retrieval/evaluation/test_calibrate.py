"""Fitting the confidence model, on made-up cases and on the tiny corpus."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.evaluation.calibrate import (
    COST,
    KEYWORD_MODEL,
    OTHER_MODEL,
    Asked,
    Case,
    CaseSet,
    ask,
    confidences,
    cut_off,
    fit,
    fit_model,
    small_corpora,
)
from retrieval.evaluation.queries import Query
from retrieval.index.documents import Document
from retrieval.search.confidence import ASSET, JUDGED, LEARNED, calibration
from retrieval.search.fusion import MODES
from tests.conftest import REPOSITORY
from tests.retrieval.fake_encoder import FakeEncoder

NAME = "an/encoder"


def cases(kind: str, mean: float, count: int = 60, *, name: str = NAME) -> list[Case]:
    random = np.random.default_rng(len(kind))
    return [
        Case(
            f"{kind} {number}",
            kind,
            "en",
            {"hybrid": 1 if kind == "answerable" else None},
            {"hybrid": {name: {"cosine": np.full(JUDGED, random.normal(mean, 0.1))}}},
        )
        for number in range(count)
    ]


MIXED = [*cases("answerable", 0.8), *cases("removed", 0.3), *cases("claim", 0.2)]


def test_a_fitted_model_separates_answerable_from_unanswerable_questions() -> None:
    model = fit([MIXED], "hybrid", NAME, ["cosine"])
    found = confidences(model, MIXED, "hybrid", NAME)
    assert model.coefficients["cosine"] > 0
    assert found[:60].min() > found[60:].max()


def test_the_cut_off_loses_no_more_than_its_cost() -> None:
    answerable = cases("answerable", 0.8)
    confidence = np.linspace(0, 1, len(answerable))
    cut = cut_off(CaseSet("own", answerable, COST), confidence, "hybrid")
    assert 0 < (confidence < cut).mean() <= COST


def test_a_model_learns_only_from_questions_that_its_encoder_reads() -> None:
    other = [*cases("answerable", 0.1, name="another"), *cases("removed", 0.9, name="another")]
    sets = [CaseSet("own", [*MIXED, *other], COST), CaseSet("other", other, COST)]
    found = fit_model(sets, "hybrid", NAME, ["cosine"])
    assert found.model.coefficients["cosine"] > 0
    assert set(found.cut_offs) == {"own"} and len(found.held_out["own"]) == len(MIXED)


def test_the_set_that_allows_least_decides_the_cut_off() -> None:
    harder = [*cases("answerable", 0.6), *cases("removed", 0.5), *cases("claim", 0.2)]
    found = fit_model([CaseSet("own", MIXED, COST), CaseSet("harder", harder, COST)], "hybrid", NAME, ["cosine"])
    assert found.cut_offs["harder"] < found.cut_offs["own"]
    assert found.model.cut_off == pytest.approx(found.cut_offs["harder"], abs=1e-4)


def test_every_question_is_asked_with_and_without_its_target(documents: list[Document], tmp_path: Path) -> None:
    questions = [Query(f"q{n}", doc.texts["creator"], {doc.id: 1}) for n, doc in enumerate(documents)]
    unanswerable = Query("none", "parrots in space", {})
    encoder = FakeEncoder()
    asked = ask(documents, [*questions, unanswerable], ["kinase receptors"], [encoder], tmp_path / "vectors.sqlite")
    kinds = [case.kind for case in asked]
    assert (kinds.count("answerable"), kinds.count("removed"), kinds.count("claim")) == (6, 6, 2)
    assert all((case.ranks["hybrid"] is not None) == (case.kind == "answerable") for case in asked)
    assert set(asked[0].signals) == set(MODES)
    assert set(asked[0].signals["hybrid"]) == {encoder.name, OTHER_MODEL, KEYWORD_MODEL}
    assert set(asked[0].signals["keyword"]) == {KEYWORD_MODEL}
    assert set(asked[0].signals["hybrid"][encoder.name]) == set(LEARNED)


def test_small_corpora_have_their_size_and_the_targets_of_their_questions() -> None:
    documents = [Document(f"d{n}", {}, {}) for n in range(90)]
    questions = [Query(f"q{n}", f"question {n}", {f"d{n}": 1}) for n in range(30)]
    claims = [f"claim {n}" for n in range(7)]
    small = small_corpora(Asked(documents, questions, claims, 0), 20)
    assert {len(one.documents) for one in small} == {one.size for one in small} == {20}
    for one in small:
        wanted = {target for question in one.questions for target in question.relevant}
        assert wanted <= {document.id for document in one.documents} and len(wanted) <= 10
    assert sorted(query.id for one in small for query in one.questions) == sorted(query.id for query in questions)
    assert sorted(claim for one in small for claim in one.claims) == claims


def test_a_question_whose_target_is_not_found_is_not_lost() -> None:
    there = [replace(case, ranks={"hybrid": 50}) for case in cases("answerable", 0.1, 10)]
    confidence = np.linspace(0, 1, 30)
    assert cut_off(CaseSet("own", [*there, *cases("answerable", 0.8, 20)], COST), confidence, "hybrid") > confidence[9]


def test_without_its_target_a_question_has_lower_signals(documents: list[Document], tmp_path: Path) -> None:
    whole = [Query(f"q{n}", " ".join(doc.texts.values()), {doc.id: 1}) for n, doc in enumerate(documents)]
    encoder = FakeEncoder()
    there, removed = ask(documents, whole[:1], [], [encoder], tmp_path / "vectors.sqlite")
    for name in ("cosine", "char_ngrams", "rarest"):
        assert there.signals["hybrid"][encoder.name][name].max() > removed.signals["hybrid"][encoder.name][name].max()


def test_the_shipped_file_has_the_form_that_calibration_writes() -> None:
    shipped = REPOSITORY / "retrieval" / "search" / ASSET
    assert json.loads(calibration().model_dump_json()) == json.loads(shipped.read_text(encoding="utf-8"))
