from pathlib import Path

import bm25s
import numpy as np
import pytest

from retrieval.index.analysis import TERMS, bigrams_of, ngrams_of, stems, terms, tokens
from retrieval.index.bm25f import K1, B, KeywordIndex
from retrieval.index.documents import TEXT_FIELDS, Document
from tests.retrieval.saved_files import saved

EQUAL = np.ones(len(TEXT_FIELDS))


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
    index = KeywordIndex.build(analyser, (doc.texts for doc in documents), TEXT_FIELDS)
    joined = [[term for text in doc.texts.values() for term in TERMS[analyser](text, "")] for doc in documents]
    oracle = bm25s.BM25(k1=K1, b=B, method="lucene")
    oracle.index(joined, show_progress=False)
    for query in ("teapot on the shelf", "your other left", "the moon pulls foxglove", "sourdough for startr"):
        query_terms = [term for term in dict.fromkeys(TERMS[analyser](query, "")) if term in oracle.vocab_dict]
        split, idfs = index.scores(query, EQUAL)
        assert sorted(idfs) == sorted(query_terms)
        # Lucene leaves out the factor (k1 + 1), which is the same for every document
        np.testing.assert_allclose(split.sum(axis=0), oracle.get_scores(query_terms) * (K1 + 1), rtol=1e-5, atol=1e-6)


def test_a_field_with_weight_zero_is_as_if_not_indexed(documents: list[Document]) -> None:
    index = KeywordIndex.build("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    without = [{name: text for name, text in doc.texts.items() if name != "comments"} for doc in documents]
    reference = KeywordIndex.build("stems", without, TEXT_FIELDS)
    weights = np.array([float(name != "comments") for name in TEXT_FIELDS])
    query = "justice for the teapot left plant"
    np.testing.assert_allclose(index.scores(query, weights)[0], reference.scores(query, EQUAL)[0])
    assert index.scores("justice", weights)[0].sum() == 0


def test_a_repeated_query_term_counts_once(documents: list[Document]) -> None:
    index = KeywordIndex.build("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    np.testing.assert_array_equal(index.scores("teapot", EQUAL)[0], index.scores("teapot teapots TEAPOT", EQUAL)[0])


def test_a_saved_index_scores_the_same(documents: list[Document], tmp_path: Path) -> None:
    index = KeywordIndex.build("char_ngrams", (doc.texts for doc in documents), TEXT_FIELDS)
    index.save(tmp_path)
    again = KeywordIndex.load(saved(tmp_path), "char_ngrams")
    np.testing.assert_array_equal(index.scores("caravn", EQUAL)[0], again.scores("caravn", EQUAL)[0])


def test_scores_are_zero_without_fields_or_for_an_unknown_word(documents: list[Document]) -> None:
    index = KeywordIndex.build("stems", (doc.texts for doc in documents), TEXT_FIELDS)
    assert not index.scores("teapot", np.zeros(len(TEXT_FIELDS)))[0].any()
    assert not index.scores("zzzz", EQUAL)[0].any()


GERMAN, ENGLISH = {"transcript": "das Haus am See"}, {"transcript": "a haus is a house"}


def test_a_word_is_found_by_its_stem_in_the_language_of_the_text() -> None:
    index = KeywordIndex.build("stems", [GERMAN, ENGLISH], ["transcript"], [{"transcript": "de"}, {"transcript": "en"}])
    split, _ = index.scores("Häuser", np.ones(1))
    assert split[0, 0] > 0 == split[0, 1]
    assert index.languages == ("de",)


def test_a_video_with_two_forms_of_a_word_scores_as_one_that_has_it_twice() -> None:
    texts = [{"a": "katze", "b": "katze"}, {"a": "katze katze", "b": ""}, {"a": "hund hund", "b": ""}]
    languages = [{"a": "de", "b": ""}, {"a": "de", "b": ""}, {"a": "de", "b": ""}]
    split, _ = KeywordIndex.build("stems", texts, ["a", "b"], languages).scores("katze", np.ones(2))
    assert split.sum(axis=0)[0] == pytest.approx(split.sum(axis=0)[1])


def test_an_emoji_is_found_by_its_name_in_any_language_and_the_word_counts_more() -> None:
    index = KeywordIndex.build("stems", [{"a": "look 🐙"}, {"a": "an octopus"}, {"a": "a dog"}], ["a"])
    assert KeywordIndex.build("stems", [{"a": "lunch 🌭"}], ["a"]).scores("a hot dog", np.ones(1))[0].any()
    for question in ("octopus", "Oktopus", "pulpo", "🐙"):
        assert index.scores(question, np.ones(1))[0][0, 0] > 0
    word, picture = index.scores("octopus", np.ones(1))[0][0, [1, 0]]
    assert word > picture
    assert index.scores("🐙", np.ones(1))[0][0, 1] > 0
