"""Confidence: the shipped models and their signals, on the tiny corpus with the real encoder."""

import numpy as np
import pytest

from ingest.settings import Settings
from retrieval.index.documents import FIELDS
from retrieval.search.confidence import KEYWORDS, LEARNED, OTHER, calibration, judge, judging_encoder, signals
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

DEFAULT = Settings.model_fields["encoder"].default  # the tests themselves use one encoder
THERE = "cat pushes the porcelain teapot off the shelf"
NOWHERE = "mutations of kinase receptors inhibit apoptosis in murine lymphocytes"


def test_the_shipped_models_use_exactly_the_computed_signals() -> None:
    known = calibration()
    assert {encoder.name for encoder in known.encoders} == set(DEFAULT)
    learned = [(model, LEARNED) for encoder in known.encoders for model in encoder.models.values()]
    for model, names in [*learned, *((model, OTHER) for model in known.others.values()), (known.keyword, KEYWORDS)]:
        assert tuple(model.coefficients) == names
        assert 0 < model.cut_off < 1


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
    assert signals(searcher.generation, known, first, 0)["char_ngrams"][0] == pytest.approx(1)
    assert signals(searcher.generation, known, first, 0)["rarest"][0] == 1
    assert signals(searcher.generation, more, first, 0)["char_ngrams"][0] < 0.7
    assert signals(searcher.generation, more, first, 0)["rarest"][0] == 0.5


def test_the_cosine_does_not_depend_on_the_other_videos(searcher: Searcher) -> None:
    generation, ranking = searcher.generation, searcher.rank(THERE)
    index = generation.dense[0]["overview"]
    hubs = index._hubs
    before = signals(generation, ranking, [0], 0)
    index._hubs = np.linspace(0.5, 0.8, len(hubs), dtype=np.float32)
    try:
        after = signals(generation, ranking, [0], 0)
    finally:
        index._hubs = hubs
    assert after["cosine"][0] == before["cosine"][0] > 0.2
    assert after["cosine_z"][0] != before["cosine_z"][0]


def test_among_more_videos_the_same_cosine_is_less_sure(searcher: Searcher) -> None:
    generation, ranking = searcher.generation, searcher.rank(THERE)
    all_videos, fewer = (signals(generation, ranking, [0], 0, without) for without in ([], [3, 4, 5]))
    assert all_videos["chance"][0] > fewer["chance"][0]
    for encoder in calibration().encoders:
        assert all(model.coefficients["chance"] < 0 for model in encoder.models.values())


def test_without_cosines_of_the_whole_video_the_keyword_model_is_used(searcher: Searcher) -> None:
    ranking = searcher.rank(THERE, weights={**dict.fromkeys(FIELDS, 1.0), "overview": 0.0})
    first = ranking.order()[:1]
    verdict = judge(searcher.generation, ranking, "hybrid", first)
    model = calibration().keyword
    assert verdict.cut_off == model.cut_off
    found = signals(searcher.generation, ranking, first, None)
    assert verdict.confidence[0] == pytest.approx(model.confidence(found)[0])


def test_another_encoders_cosines_are_compared_by_z_score(searcher: Searcher) -> None:
    same = calibration().model("hybrid", searcher.generation.manifest.encoders[0].sha256, "en")
    other = calibration().model("hybrid", "0" * 64, "en")
    assert "cosine" in same.coefficients
    assert "cosine" not in other.coefficients and "cosine_z" in other.coefficients


def test_an_encoder_that_does_not_read_the_question_does_not_judge_it(searcher: Searcher) -> None:
    assert judging_encoder(searcher.generation, searcher.rank(THERE), "en") == 0
    ranking = searcher.rank("die Katze hat die Teekanne vom Regal gestoßen, shelf")
    assert judging_encoder(searcher.generation, ranking, "de") is None
    assert judge(searcher.generation, ranking, "hybrid", [0]).cut_off == calibration().keyword.cut_off


def test_an_encoder_of_many_languages_has_a_model_for_english_and_one_for_the_others() -> None:
    many = next(encoder for encoder in calibration().encoders if encoder.name == "intfloat/multilingual-e5-small")
    english, german, uncertain = (calibration().model("hybrid", many.sha256, code) for code in ("en", "de", ""))
    assert german == uncertain != english
