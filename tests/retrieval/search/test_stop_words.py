"""Which words of a question say something about a video."""

import pytest

from retrieval.search.stop_words import content_words


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("i was in love with the cat of my neighbour", "love cat neighbour"),
        ("a fire in her face", "fire face"),  # both are in the list
        ("el perro que ladra en la casa", "perro ladra casa"),
        ("qui a dit que c'était fini", "fini"),
        ("der hund, der im garten bellt", "hund garten bellt"),
        ("кот в сапогах и без них", "кот сапогах"),
        ("هو في البيت مع القط", "البيت القط"),
        ("고양이는 그 상자에", "고양이는 상자에"),
        ("猫が箱の中に入る", "猫箱中入る"),
        ("我的猫在箱子里", "猫箱子里"),
        ("日本人", "日本人"),
        ("կատուն և շունը այգում են", "կատուն շունը այգում"),  # wordfreq does not have it
    ],
)
def test_words_that_say_nothing_are_left_out(question: str, content: str) -> None:
    assert "".join(word.letters for word in content_words(question)) == content.replace(" ", "")


def test_a_word_of_a_question_in_english_is_no_stop_word_of_the_language_that_it_seems_to_be_in() -> None:
    assert [word.letters for word in content_words("cat in a hat")][::2] == ["cat", "hat"]
    assert [word.letters for word in content_words("die hard")] == ["die", "hard"]


@pytest.mark.parametrize("question", ["to be or not to be", "the the", "の", "de la", "in"])
def test_a_question_of_stop_words_alone_keeps_them(question: str) -> None:
    assert len(content_words(question)) == len(question.split())


@pytest.mark.parametrize("question", ["", "🐙", "#in", "7 11", "!?"])
def test_what_is_no_word_of_a_language_is_kept(question: str) -> None:
    assert content_words(question) == content_words(question.upper()) or question
