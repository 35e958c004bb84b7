"""The language of a text."""

from time import process_time

import pytest

from ingest.language import language_of

SENTENCES = {
    "ar": "كيف أصنع الخبز في البيت",
    "de": "der Hund hört die Katze im Garten",
    "el": "πώς να φτιάξεις ψωμί στο σπίτι",
    "en": "how to bake bread at home without an oven",
    "es": "mi perro saluda a todos los vecinos del ascensor",
    "fa": "چگونه در خانه نان بپزیم",
    "fr": "trois jours, et mon fils le mange en deux bouchées",
    "he": "איך אופים לחם בבית",
    "hi": "घर पर रोटी कैसे बनाते हैं",
    "it": "la nonna non vuole la panna nella carbonara",
    "ja": "家でパンを焼く方法",
    "ko": "집에서 빵 굽는 방법",
    "pl": "jak upiec chleb w domu bez piekarnika",
    "pt": "como fazer pão em casa sem forno",
    "ru": "как испечь хлеб дома без духовки",
    "th": "วิธีทำขนมปังที่บ้าน",
    "tr": "evde fırınsız ekmek nasıl yapılır",
    "uk": "як спекти хліб вдома без духовки",
    "vi": "cách làm bánh mì tại nhà",
    "zh": "如何在家里做面包",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_has_its_language(language: str) -> None:
    assert language_of(SENTENCES[language]) == language


@pytest.mark.parametrize(
    "text", ["", "   ", "🐙🐙", "12:30", "#foryou #learnontiktok", "@the.best.cook", "lol", "https://a.b/the-best"]
)
def test_what_has_no_words_of_a_language_is_uncertain(text: str) -> None:
    assert language_of(text) == ""


def test_hashtags_names_links_and_emoji_do_not_count() -> None:
    noise = " #howto #learnsomethingneweveryday @the.best.cook https://example.org/this-is-the-best 😂😂"
    assert language_of(SENTENCES["de"] + noise) == "de"


def test_capitals_do_not_change_the_language() -> None:
    assert language_of(SENTENCES["fr"].upper()) == "fr"


def test_a_few_foreign_words_do_not_change_the_language() -> None:
    assert language_of("인스타그램에서 본 tiktok dance 춤") == "ko"
    assert language_of("I finally learned how to say thank you in Korean: 감사") == "en"


def test_chinese_signs_among_kana_are_japanese() -> None:
    assert language_of("東京特許許可局の人") == "ja"


def test_letters_that_a_language_lacks_exclude_it() -> None:
    assert language_of("گربه ی من") != "ar"
    assert language_of("قطة جميلة تأكل") == "ar"


def test_a_language_that_hardly_any_video_is_in_needs_more_evidence() -> None:
    assert language_of("how to tie a tie") == "en"


def test_lines_and_control_characters_are_taken_as_spaces() -> None:
    assert language_of("der Hund\nhört\x00die Katze\u2028im Garten") == "de"


def test_a_question_takes_less_than_a_thousandth_of_a_second() -> None:
    language_of("the first call loads the model")
    start = process_time()
    for _ in range(20):
        for text in SENTENCES.values():
            language_of(text)
    assert (process_time() - start) / 20 / len(SENTENCES) < 0.001


def test_a_text_of_any_length_takes_bounded_time() -> None:
    start = process_time()
    assert language_of("der Hund hört die Katze " * 200_000) == "de"
    for piece in ("#", "@", "a@", "a", "a@a.", "www.", "http://", "{", "\u0301", "'"):
        assert language_of(piece * 1_000_000) in ("", "en")
    assert process_time() - start < 2


@pytest.mark.parametrize("text", ["wait", "it heals itself", "tell us the llama story", "HOW TO BAKE BREAD"])
def test_a_few_english_words_are_not_taken_for_another_language(text: str) -> None:
    assert language_of(text) in ("en", "")


@pytest.mark.parametrize(
    ("text", "language"), [("Katze frisst Gras", "de"), ("köpek", "tr"), ("кіт", "uk"), ("perro", "es")]
)
def test_a_question_of_one_to_three_words_may_have_a_language(text: str, language: str) -> None:
    assert language_of(text) == language
