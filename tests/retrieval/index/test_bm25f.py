from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.index.analysis import TERMS, bigrams_of, ngrams_of, stems, terms, tokens
from retrieval.index.arrays import read_arrays, save_arrays
from retrieval.index.bm25f import K1, B, KeywordIndex
from retrieval.index.documents import TEXT_FIELDS, Document
from retrieval.index.keyword_part import KeywordPart, file_of
from tests.retrieval.saved_files import saved

EQUAL = np.ones(len(TEXT_FIELDS))


@dataclass(frozen=True)
class Matches:
    split: NDArray[np.float64]
    coverage: NDArray[np.float32]
    idfs: dict[str, float]


def scores(index: KeywordIndex, query: str, weights: NDArray[np.float64], language: str = "") -> Matches:
    """Return what is known of all documents. The totals agree with the split."""
    totals = index.totals(query, weights, language)
    split = index.split(totals, np.arange(index.videos))
    np.testing.assert_allclose(totals.scores, split.sum(axis=0), rtol=1e-5)
    return Matches(split, totals.coverage, totals.idfs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Running dogs", ["run", "dog"]),
        ("l'été café", ["ete", "cafe"]),
        ("cafe\u0301", ["cafe"]),
        ("你好", ["你", "好"]),
        ("#FoxGlove", ["foxglov", "fox", "glove"]),
        ("😀 … !", ["😀"]),
    ],
)
def test_a_word_of_any_script_keeps_its_letters(text: str, expected: list[str]) -> None:
    assert terms(text, stems) == expected


def test_char_ngrams_stay_inside_word_boundaries() -> None:
    assert ngrams_of("cat") == ["_cat", "cat_"]
    assert ngrams_of("a") == ["_a_"]
    assert ngrams_of("ab cde") == ["_ab_", "_cde", "cde_"]


def test_signs_that_follow_each_other_are_paired() -> None:
    assert ngrams_of("猫睡了 狗") == ["猫睡", "睡了", "狗"]
    assert ngrams_of("看iPad了") == ["看", "_ipa", "ipad", "pad_", "了"]
    assert ngrams_of("고양이") == ["_고", "고양", "양이", "이_"]


def test_a_stem_of_another_language_is_no_word_of_english() -> None:
    assert TERMS["stems"]("die Katzen", "de") == ["de:die", "de:katz"]
    assert TERMS["stems"]("cats", "en") == ["cat"]
    assert TERMS["stems"]("слова о cats", "ru") == ["ru:слов", "ru:о", "cat"]


def test_bigrams_are_neighbouring_stems() -> None:
    assert bigrams_of("Multiple remote jobs, #remotejobs") == ["multipl remot", "remot job", "job remotejob"]
    assert bigrams_of("alone") == []


def test_token_positions_are_those_of_the_original_text() -> None:
    text = "naïve 🐈 Über-fan 你好"
    assert [text[token.start : token.end] for token in tokens(text, stems)] == [
        *("naïve", "🐈", "Über", "fan", "你", "好")
    ]


@pytest.mark.parametrize("analyser", ["stems", "char_ngrams", "bigrams"])
def test_scores_equal_those_of_bm25s_over_the_joined_text(documents: list[Document], analyser: str) -> None:
    index = KeywordIndex.of(analyser, (doc.texts for doc in documents), TEXT_FIELDS)
    joined = [[term for text in doc.texts.values() for term in TERMS[analyser](text, "")] for doc in documents]
    oracle = bm25s.BM25(k1=K1, b=B, method="lucene")
    oracle.index(joined, show_progress=False)
    for query in ("teapot on the shelf", "your other left", "the moon pulls foxglove", "sourdough for startr"):
        query_terms = [term for term in dict.fromkeys(TERMS[analyser](query, "")) if term in oracle.vocab_dict]
        matches = scores(index, query, EQUAL)
        assert sorted(matches.idfs) == sorted(query_terms)
        # Lucene leaves out the factor (k1 + 1), which is the same for every document
        expected = oracle.get_scores(query_terms) * (K1 + 1)
        np.testing.assert_allclose(matches.split.sum(axis=0), expected, rtol=1e-5, atol=1e-6)


def test_a_field_with_weight_zero_is_as_if_not_indexed(documents: list[Document]) -> None:
    index = KeywordIndex.of("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    without = [{name: text for name, text in doc.texts.items() if name != "comments"} for doc in documents]
    reference = KeywordIndex.of("stems", without, TEXT_FIELDS)
    weights = np.array([float(name != "comments") for name in TEXT_FIELDS])
    query = "justice for the teapot left plant"
    np.testing.assert_allclose(scores(index, query, weights).split, scores(reference, query, EQUAL).split)
    assert scores(index, "justice", weights).split.sum() == 0


def test_a_repeated_query_term_counts_once(documents: list[Document]) -> None:
    index = KeywordIndex.of("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    np.testing.assert_array_equal(
        scores(index, "teapot", EQUAL).split, scores(index, "teapot teapots TEAPOT", EQUAL).split
    )


def test_a_saved_index_scores_the_same(documents: list[Document], tmp_path: Path) -> None:
    part = KeywordPart.build("char_ngrams", (doc.texts for doc in documents), TEXT_FIELDS)
    part.save(tmp_path)
    alive = np.ones(part.videos, bool)
    index = KeywordIndex([part], alive)
    again = KeywordIndex([KeywordPart.load(saved(tmp_path), "char_ngrams")], alive)
    np.testing.assert_array_equal(scores(index, "caravn", EQUAL).split, scores(again, "caravn", EQUAL).split)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("docs", lambda docs: docs + np.uint16(1000)),
        ("docs", lambda docs: docs[:-1]),
        ("docs", lambda docs: docs.astype(np.float32)),
        ("docs", lambda docs: docs.astype(np.uint32)),
        ("packed", lambda packed: packed | np.uint8(0b111_00000)),
        ("packed", lambda packed: packed[:, None]),
        ("packed", lambda packed: packed.view(np.int8)),
        ("indptr", lambda indptr: indptr * 2),
        ("indptr", lambda indptr: indptr[::-1]),
        ("indptr", lambda indptr: indptr.astype(np.int64)),
        ("lengths", lambda lengths: lengths[:, :-1]),
        ("lengths", lambda lengths: lengths[:-1]),
        ("lengths", lambda lengths: np.concatenate([lengths, lengths[:1]])),
    ],
)
def test_postings_beyond_the_end_of_an_array_are_refused(
    documents: list[Document], tmp_path: Path, name: str, changed: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    KeywordPart.build("stems", (doc.texts for doc in documents), TEXT_FIELDS).save(tmp_path)
    KeywordPart.load(saved(tmp_path), "stems")
    file = tmp_path / file_of("stems")
    arrays = read_arrays(np.fromfile(file, np.uint8)).arrays
    save_arrays(file, arrays | {name: changed(arrays[name])})
    with pytest.raises(ValueError, match=r"contradict|instead of|in order"):
        KeywordPart.load(saved(tmp_path), "stems")


def test_scores_are_zero_without_fields_or_for_an_unknown_word(documents: list[Document]) -> None:
    index = KeywordIndex.of("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    assert not scores(index, "teapot", np.zeros(len(TEXT_FIELDS))).split.any()
    assert not scores(index, "zzzz", EQUAL).split.any()


GERMAN, ENGLISH = {"transcript": "das Haus am See"}, {"transcript": "a haus is a house"}


def test_a_word_is_found_by_its_stem_in_the_language_of_the_text() -> None:
    index = KeywordIndex.of("stems", [GERMAN, ENGLISH], ["transcript"], [{"transcript": "de"}, {"transcript": "en"}])
    split = scores(index, "Häuser", np.ones(1)).split
    assert split[0, 0] > 0 == split[0, 1]
    assert index.languages == ("de",)


def test_a_video_with_two_forms_of_a_word_scores_as_one_that_has_it_twice() -> None:
    texts = [{"a": "katze", "b": "katze"}, {"a": "katze katze", "b": ""}, {"a": "hund hund", "b": ""}]
    languages = [{"a": "de", "b": ""}, {"a": "de", "b": ""}, {"a": "de", "b": ""}]
    split = scores(KeywordIndex.of("stems", texts, ["a", "b"], languages), "katze", np.ones(2)).split
    assert split.sum(axis=0)[0] == pytest.approx(split.sum(axis=0)[1])


def test_an_emoji_is_found_by_its_name_in_any_language_and_the_word_counts_more() -> None:
    index = KeywordIndex.of("stems", [{"a": "look 🐙"}, {"a": "an octopus"}, {"a": "a dog"}], ["a"])
    assert scores(KeywordIndex.of("stems", [{"a": "lunch 🌭"}], ["a"]), "a hot dog", np.ones(1)).split.any()
    for question in ("octopus", "Oktopus", "pulpo", "🐙"):
        assert scores(index, question, np.ones(1)).split[0, 0] > 0
    word, picture = scores(index, "octopus", np.ones(1)).split[0, [1, 0]]
    assert word > picture
    assert scores(index, "🐙", np.ones(1)).split[0, 1] > 0


def test_the_coverage_is_the_share_of_a_question_that_a_document_has() -> None:
    index = KeywordIndex.of("stems", [{"a": "tea pot"}, {"b": "tea"}, {"a": "milk"}], ["a", "b"])
    both, tea, pot = np.ones(2), np.log(1 + 1.5 / 2.5), np.log(1 + 2.5 / 1.5)
    np.testing.assert_allclose(scores(index, "pot tea tea", both).coverage, [1, tea / (tea + pot), 0])
    unknown = np.log(1 + 3.5 / 0.5)  # a word of no document is the rarest
    np.testing.assert_allclose(scores(index, "tea zebra", both).coverage, [tea / (tea + unknown)] * 2 + [0])
    np.testing.assert_allclose(scores(index, "tea", np.array([1, 0])).coverage, [1, 0, 0])  # b is switched off
    assert not scores(index, "...", both).coverage.any()


def test_a_word_of_all_texts_in_the_language_of_a_question_hardly_counts_as_covered() -> None:
    texts = [("de", "der hund"), ("de", "der see"), ("de", "der wald"), ("it", "la strada"), *[("en", "a dog")] * 60]
    documents, languages = [{"a": text} for _, text in texts], [{"a": code} for code, _ in texts]
    index = KeywordIndex.of("stems", documents, ["a"], languages)
    uncertain, german = (scores(index, "der bär", np.ones(1), code).coverage[0] for code in ("", "de"))
    assert german < uncertain / 3
    assert scores(index, "der hund", np.ones(1), "de").coverage[0] == 1
    for rare in ("it", "fi"):  # one text says little about the words of a language, and none says nothing
        assert scores(index, "der bär", np.ones(1), rare).coverage[0] == uncertain


@pytest.mark.parametrize("analyser", ["stems", "char_ngrams", "bigrams"])
def test_the_split_of_a_few_videos_is_theirs_in_the_split_of_all(analyser: str) -> None:
    random = np.random.default_rng(3)
    said = [" ".join(random.choice(["tea", "pot", "shelf", "moon", "🐙", "katze"], 9)) for _ in range(300)]
    texts = [{"a": text, "b": text[::2] if number % 3 else "octopus"} for number, text in enumerate(said)]
    index = KeywordIndex.of(analyser, texts, ["a", "b"])
    totals = index.totals("the octopus has a tea pot on the moon", np.array([1.0, 2.0]))
    every = index.split(totals, np.arange(300))
    for count in (1, 7, 40):
        videos = np.sort(random.permutation(300)[:count])
        np.testing.assert_array_equal(index.split(totals, videos), every[:, videos])


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0)])
def test_videos_with_several_forms_of_a_term_count_once(weights: tuple[float, float]) -> None:
    """The forms of a term are read apart: the most frequent in one pass, the others against it."""
    random = np.random.default_rng(5)
    words, codes = ["katze", "hund", "octopus", "🐙", "tea"], ["de", "en", "fr", ""]
    texts = [{field: " ".join(random.choice(words, random.integers(0, 9))) for field in "ab"} for _ in range(200)]
    languages = [{field: str(random.choice(codes, p=[0.5, 0.3, 0.1, 0.1])) for field in "ab"} for _ in texts]
    index = KeywordIndex.of("stems", texts, ["a", "b"], languages)
    used = ["a", "b"] if weights[1] else ["a"]
    having = [
        {term for field in used for term in TERMS["stems"](text[field], code[field])}
        for text, code in zip(texts, languages, strict=True)
    ]
    for question in ("katze", "octopus", "🐙", "hund tea octopus katze zebra"):
        terms_ = index.query_terms(question)
        counts = index.counts(question, np.array(weights)).videos
        assert counts[0].tolist() == [sum(not found.isdisjoint(term.forms) for found in having) for term in terms_]
        assert counts[1].tolist() == [sum(not found.isdisjoint(term.synonyms) for found in having) for term in terms_]
        coverage = scores(index, question, np.array(weights)).coverage
        assert (coverage > 0).tolist() == [any(not found.isdisjoint(term.all()) for term in terms_) for found in having]
        assert coverage.max() <= 1 + 1e-6


def test_which_videos_have_a_term_is_found_in_every_form() -> None:
    index = KeywordIndex.of("stems", [{"a": "look 🐙"}, {"a": "an octopus"}, {"a": "a dog"}], ["a"])
    assert index.contain("octopus dog cat", np.array([2, 0, 1])).tolist() == [
        [False, True, True],
        [True, False, False],
        [False, False, False],
    ]
