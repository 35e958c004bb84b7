"""Fitting the confidence model, on made-up cases and on the tiny corpus."""

import json
from pathlib import Path

import numpy as np
import pytest

from retrieval.evaluation.calibrate import CORPORA, COST, Case, ask, confidences, cut_off, fit
from retrieval.evaluation.queries import Query
from retrieval.index.documents import Document
from retrieval.search.confidence import ASSET, JUDGED, MODELS, calibration
from retrieval.search.fusion import MODES
from tests.conftest import REPOSITORY
from tests.retrieval.fake_encoder import FakeEncoder


def cases(kind: str, mean: float, count: int = 60) -> list[Case]:
    random = np.random.default_rng(len(kind))
    return [
        Case(
            f"{kind} {number}",
            kind,
            {"hybrid": 1 if kind == "answerable" else None},
            {"hybrid": {"cosine": np.full(JUDGED, random.normal(mean, 0.1))}},
        )
        for number in range(count)
    ]


def test_a_fitted_model_separates_answerable_from_unanswerable_questions() -> None:
    sets = [[*cases("answerable", 0.8), *cases("removed", 0.3), *cases("claim", 0.2)]]
    model = fit(sets, "hybrid", ["cosine"])
    found = confidences(model, sets[0], "hybrid")
    assert model.coefficients["cosine"] > 0
    assert found[:60].min() > found[60:].max()


def test_the_cut_off_loses_no_more_than_its_cost() -> None:
    answerable = cases("answerable", 0.8)
    confidence = np.linspace(0, 1, len(answerable))
    cut = cut_off(answerable, confidence, "hybrid", COST, None)
    assert 0 < (confidence < cut).mean() <= COST


def test_every_question_is_asked_with_and_without_its_target(documents: list[Document], tmp_path: Path) -> None:
    questions = [Query(f"q{n}", doc.texts["creator"], {doc.id: 1}) for n, doc in enumerate(documents)]
    asked = ask(documents, questions, ["kinase receptors"], [FakeEncoder()], tmp_path / "vectors.sqlite")
    kinds = [case.kind for case in asked]
    assert (kinds.count("answerable"), kinds.count("removed"), kinds.count("claim")) == (6, 6, 1)
    assert all((case.ranks["hybrid"] is not None) == (case.kind == "answerable") for case in asked)
    assert len(documents) >= CORPORA and set(asked[0].signals) == set(MODES)


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_file_has_the_models_in_the_form_that_calibration_writes(name: str) -> None:
    shipped = REPOSITORY / "retrieval" / "search" / ASSET
    assert json.loads(calibration().model_dump_json()) == json.loads(shipped.read_text(encoding="utf-8"))
    assert calibration().models[name].coefficients
