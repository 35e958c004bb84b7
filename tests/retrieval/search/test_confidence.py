"""Confidence: the shipped models and their signals, on the tiny corpus with the real encoder."""

import pytest

from retrieval.index.documents import FIELDS
from retrieval.search.confidence import MODELS, calibration, judge, signals
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

THERE = "cat pushes the porcelain teapot off the shelf"
NOWHERE = "mutations of kinase receptors inhibit apoptosis in murine lymphocytes"


def test_the_shipped_models_use_exactly_the_computed_signals() -> None:
    for name, signal_names in MODELS.items():
        assert tuple(calibration().models[name].coefficients) == signal_names
        assert 0 < calibration().models[name].cut_off < 1


@pytest.mark.parametrize("mode", MODES)
def test_confidence_is_higher_if_a_video_matches(searcher: Searcher, mode: Mode) -> None:
    there, nowhere = searcher.search(THERE, mode=mode), searcher.search(NOWHERE, mode=mode)
    assert there.good and there.hits[0].good
    assert not nowhere.good and not any(hit.good for hit in nowhere.hits)
    assert 0 <= nowhere.confidence < there.confidence <= 1


def test_every_page_has_the_confidence_of_the_best_hit(searcher: Searcher) -> None:
    whole, second = searcher.search(THERE, 6), searcher.search(THERE, 2, offset=2)
    assert whole.confidence == max(hit.confidence for hit in whole.hits) == second.confidence
    assert [hit.confidence for hit in second.hits] == [hit.confidence for hit in whole.hits[2:4]]


def test_an_empty_question_has_no_good_match(searcher: Searcher) -> None:
    answer = searcher.search("  ")
    assert (answer.confidence, answer.good) == (0.0, False)


def test_a_question_without_words_has_a_confidence(searcher: Searcher) -> None:
    assert 0 <= searcher.search("🤷 !!").confidence <= 1


def test_a_word_in_no_video_counts_as_missing(searcher: Searcher) -> None:
    known = searcher.rank("teapot")
    more = searcher.rank("teapot zyzzyva")
    first = known.order()[:1]
    assert signals(searcher.generation, known, first)["char_ngrams"][0] == pytest.approx(1)
    assert signals(searcher.generation, known, first)["rarest"][0] == 1
    assert signals(searcher.generation, more, first)["char_ngrams"][0] < 0.7
    assert signals(searcher.generation, more, first)["rarest"][0] == 0.5


def test_without_cosines_of_the_whole_video_the_keyword_model_is_used(searcher: Searcher) -> None:
    ranking = searcher.rank(THERE, weights={**dict.fromkeys(FIELDS, 1.0), "overview": 0.0})
    first = ranking.order()[:1]
    verdict = judge(searcher.generation, ranking, "hybrid", first)
    model = calibration().models["keyword"]
    assert verdict.cut_off == model.cut_off
    assert verdict.confidence[0] == pytest.approx(model.confidence(signals(searcher.generation, ranking, first))[0])


def test_another_encoders_cosines_are_compared_by_z_score(searcher: Searcher) -> None:
    same = calibration().model("hybrid", searcher.generation.manifest.encoders[0].sha256)
    other = calibration().model("hybrid", "0" * 64)
    assert "cosine" in same.coefficients
    assert "cosine" not in other.coefficients and "cosine_z" in other.coefficients
