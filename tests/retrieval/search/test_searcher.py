from pathlib import Path

import pytest

from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, KeywordOnly
from retrieval.errors import GenerationError
from retrieval.index.builder import build
from retrieval.index.documents import Document
from retrieval.index.generation import open_current
from retrieval.search.fusion import METHODS, MODES, Method, Mode
from retrieval.search.query import visible
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder

QUESTIONS = ("cat pushes teapot off a shelf", "foxglov", "LEFT!!", "how do tides work", "寿司", "zzzzqq", "🍣", "a")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_contributions_add_up_to_the_score(searcher: Searcher, question: str, mode: Mode, method: Method) -> None:
    for weights in ({}, {"overview": 0.0}, {"comments": 3.0, "description": 0.0}, dict.fromkeys(["cover"], 5.0)):
        answer = searcher.search(question, 100, mode=mode, method=method, weights=weights)
        assert len(answer.hits) == answer.total == 6
        for hit in answer.hits:
            assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
            assert all(mode in ("hybrid", reason.retriever) for reason in hit.explanation)


@pytest.mark.parametrize(
    ("question", "target"),
    [
        ("cat pushes a teapot off the shelf", "70001"),
        ("feeding the sourdough starter", "70002"),
        ("someone asks what plant it is", "70003"),
        ("the moon pulls on the sea", "70004"),
        ("sushi 回転寿司", "70005"),
        ("carravan parking", "70006"),
        ("whiskers daily", "70001"),
    ],
)
def test_the_target_is_the_first_hit(searcher: Searcher, question: str, target: str) -> None:
    assert searcher.search(question, 1).hits[0].id == target


def test_a_video_with_little_of_a_question_counts_less_by_its_words_if_an_encoder_decides(searcher: Searcher) -> None:
    def by_words(question: str, mode: Mode) -> float:
        return float(searcher.rank(question, mode=mode, exact=True).keyword[:, 0].sum())

    unknown = " qxvbnk wzzkrp jfgqdw hhxxvv ppqqzz mmwwkk ddffgg zzrrtt"
    assert by_words("teapot", "hybrid") == by_words("teapot", "keyword") > 0
    assert by_words(f"teapot {unknown}", "keyword") == pytest.approx(by_words("teapot", "keyword"))
    assert 0 < by_words(f"teapot {unknown}", "hybrid") < 0.5 * by_words("teapot", "hybrid")


def test_words_decide_if_no_encoder_reads_the_question(searcher: Searcher) -> None:
    question = "Ein Mann erklärt ganz langsam und genau, warum eine teapot immer wieder herunterfällt"
    ranking = searcher.rank(question, exact=True)
    assert ranking.parts["stems"][0] == searcher.rank("teapot", mode="keyword").parts["stems"][0] > 0


def test_a_preferred_tag_counts_however_long_the_question_is(searcher: Searcher) -> None:
    question = "somebody explains porridge at length, and nobody knows why it matters #knockingthingsover"
    hybrid, alone = (searcher.rank(question, mode=mode, exact=True).parts["stems"] for mode in ("hybrid", "keyword"))
    assert hybrid[0] == alone[0] > 0


def test_a_reason_has_the_passage_the_matches_and_the_time(searcher: Searcher) -> None:
    hit = searcher.search("porcelain teapot", 1).hits[0]
    reason = next(r for r in hit.explanation if (r.field, r.retriever) == ("transcript", "keyword"))
    assert reason.start_s == 12.5 and reason.end_s == 15.0
    assert reason.span and reason.passage[slice(*reason.span)] == "porcelain teapot"
    assert [reason.passage[start:end] for start, end in reason.matches] == ["porcelain", "teapot"]
    comment = next(r for r in hit.explanation if (r.field, r.retriever) == ("comments", "keyword"))
    assert comment.passage == "justice for the teapot" and comment.start_s is None


def test_reasons_in_dense_mode_have_matches_and_times_as_well(searcher: Searcher) -> None:
    hit = searcher.search("porcelain teapot", 1, mode="dense").hits[0]
    reason = next(r for r in hit.explanation if r.field == "transcript")
    assert reason.start_s == 12.5 and [reason.passage[a:b] for a, b in reason.matches] == ["porcelain", "teapot"]


def test_a_misspelt_word_is_marked(searcher: Searcher) -> None:
    hit = searcher.search("porcelan", 1).hits[0]
    reason = next(r for r in hit.explanation if (r.field, r.retriever) == ("transcript", "keyword"))
    assert [reason.passage[start:end] for start, end in reason.matches] == ["porcelain"]


def test_stop_words_are_not_marked_unless_the_question_has_no_others(searcher: Searcher) -> None:
    text = "The teapot that a cat pushed off the shelf, off and on"

    def marks(question: str) -> list[str]:
        return [text[start:end] for start, end in searcher.marker(question)(text)]

    assert marks("the teapot and off the shelf") == ["teapot", "shelf"]
    assert "off" in marks("off the"), "there is nothing else to look for"
    assert marks('teapot "off the shelf"') == ["teapot", "off", "the", "shelf"]
    hit = searcher.search("the porcelain teapot off the shelf", 1).hits[0]
    assert hit.why and {hit.why.passage[a:b].lower() for a, b in hit.why.matches}.isdisjoint({"the", "off", "of"})
    words = {reason.passage[a:b].lower() for reason in hit.explanation for a, b in reason.matches}
    assert "teapot" in words and words.isdisjoint({"the", "off"})


def test_weight_zero_switches_a_field_off(searcher: Searcher) -> None:
    on = searcher.search("justice", 1, mode="keyword").hits[0]
    assert on.id == "70001" and on.score > 0
    off = searcher.search("justice", 10, weights={"comments": 0.0})
    assert not any(r.field == "comments" for hit in off.hits for r in hit.explanation)
    by_id = {hit.id: hit for hit in searcher.search("justice", 10, mode="keyword", weights={"comments": 0.0}).hits}
    assert by_id["70001"].score == 0 and by_id["70001"].explanation == []


def test_with_one_field_on_only_that_field_is_searched(searcher: Searcher) -> None:
    only_comments = dict.fromkeys(("description", "creator", "music", "cover", "transcript", "overview"), 0.0)
    answer = searcher.search("what plant", 10, weights=only_comments)
    assert answer.hits[0].id == "70003"
    assert {r.field for r in answer.hits[0].explanation} == {"comments"}


def test_pages_have_no_gap_and_no_overlap(searcher: Searcher) -> None:
    whole = [hit.id for hit in searcher.search("the", 6).hits]
    pages = [hit.id for start in (0, 2, 4) for hit in searcher.search("the", 2, offset=start).hits]
    assert pages == whole and [hit.rank for hit in searcher.search("the", 2, offset=4).hits] == [5, 6]
    assert searcher.search("the", 2, offset=6).hits == []


@pytest.mark.parametrize("question", ["", "   ", "\n"])
def test_an_empty_question_has_no_hits(searcher: Searcher, question: str) -> None:
    assert searcher.search(question).hits == []


def test_hostile_questions_are_answered(searcher: Searcher, hostile_strings: list[str]) -> None:
    for text in hostile_strings:
        answer = searcher.search(text, 2)
        assert len(answer.hits) == (2 if visible(text).strip() else 0) or (answer.conditions and answer.notes)
        answer.model_dump_json()


def test_only_the_beginning_of_a_very_long_question_is_used(searcher: Searcher) -> None:
    assert searcher.search("teapot shelf " + "x" * 1_000_000, 1).hits[0].id == "70001"


def test_a_new_generation_is_opened_with_the_same_encoder(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents[:2], tmp_path, encoder)
    first = Searcher.open(tmp_path)
    assert first.refreshed(tmp_path) is first
    build(documents, tmp_path, encoder)
    second = first.refreshed(tmp_path)
    assert second is not first and second.encoders[0] is first.encoders[0]
    assert len(second.search("x", 10).hits) == 6 and len(first.search("x", 10).hits) == 2


def test_an_encoder_with_other_weights_is_refused(searcher: Searcher) -> None:
    with pytest.raises(GenerationError, match=f"retrieval build --encoder {searcher.encoders[0].name}"):
        Searcher(searcher.generation, FakeEncoder("another"))


def test_an_index_without_vectors_is_searched_by_keywords(documents: list[Document], tmp_path: Path) -> None:
    manifest = build(documents, tmp_path, KeywordOnly())
    assert (manifest.encoder, manifest.encoders, manifest.encoded) == ("bm25", (), 0)
    searcher = Searcher.open(tmp_path)
    answer = searcher.search("porcelain teapot has:speech", mode="hybrid")
    assert answer.mode == answer.lane == "keyword" and answer.notes[0] == (
        "Keyword search only: this index has no vectors."
    )
    [reason] = {(r.retriever, r.start_s) for r in answer.hits[0].explanation if r.field == "transcript"}
    assert answer.hits[0].id == "70001" and reason == ("keyword", 12.5)
    assert searcher.search("porcelain teapot", mode="keyword").notes == []
    assert searcher.similar("70001") == []


def test_a_missing_encoder_leaves_keyword_search(indexes: Path, searcher: Searcher) -> None:
    without = Searcher.without_encoder(open_current(indexes), "no such model")
    answer = without.search("porcelain teapot")
    assert answer.notes == [f"Keyword search only: the model {searcher.encoders[0].name} could not be loaded."]
    assert answer.hits == searcher.search("porcelain teapot", mode="keyword").hits
    with pytest.raises(WeightsError, match="no such model"):
        without.rank("porcelain teapot")


def test_a_corpus_of_one_video_is_explained(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    build(documents[:1], tmp_path, encoder)
    [hit] = Searcher.open(tmp_path).search("porcelain teapot").hits
    reason = next(r for r in hit.explanation if (r.field, r.retriever) == ("transcript", "keyword"))
    assert reason.contribution > 0 and reason.start_s == 12.5


@pytest.mark.parametrize("mode", MODES)
def test_a_question_with_a_lone_surrogate_is_answered(searcher: Searcher, mode: Mode) -> None:
    answer = searcher.search("teapot \ud800 shelf", 1, mode=mode)
    assert answer.hits[0].id == "70001"
    answer.model_dump_json()


def test_html_entities_in_a_question_are_decoded(searcher: Searcher) -> None:
    answer = searcher.search("it&#39;s a foxglove &amp; a fern")
    assert answer.query == "it's a foxglove & a fern"
    assert answer.hits == searcher.search("it's a foxglove & a fern").hits
