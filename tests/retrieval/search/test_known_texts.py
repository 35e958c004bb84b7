"""Texts are analysed once, and the words of a question found in many of them together."""

import threading

import pytest

from ingest.text.words import words
from retrieval.index.analysis import all_stems
from retrieval.search import known_texts as module
from retrieval.search.known_texts import KnownTexts, known_texts
from retrieval.search.matching import Matcher

STEMS = {"teapot": 5.0, "shelf": 4.0, "fall": 3.0}
TEXTS = ["", "the teapot", "no such word", "teapots, on the shelf: the teapot", "#teapot #shelf", "it falls"]


def test_many_texts_read_together_have_the_words_that_each_has_alone() -> None:
    together = Matcher(STEMS, {}, ["en"])
    together.read([*TEXTS, TEXTS[3]])
    for text in TEXTS:
        found = together.matches(text)
        assert found == Matcher(STEMS, {}, ["en"]).matches(text)
        assert all(text[match.start : match.end].lower().startswith(match.term) for match in found)
    assert [match.term for match in together.matches(TEXTS[3])] == ["teapot", "shelf", "teapot"]
    assert [len(together.matches(text)) for text in TEXTS] == [0, 1, 0, 3, 2, 1]


def test_a_chunk_is_found_by_any_of_its_terms() -> None:
    known = KnownTexts(["en"])
    (chunks,) = known.read(["Falling down, Falling apart"])
    falling, down = chunks.numbers.tolist()[:2]
    assert chunks.numbers[2] == falling and chunks.starts.tolist() == [0, 8, 14, 22]
    assert known.with_any(["fall", "unknown"]).nonzero()[0].tolist() == [falling]
    assert known.with_any(["_dow"]).nonzero()[0].tolist() == [down]


def test_chunks_are_found_by_the_stems_of_all_languages() -> None:
    languages, text = ["de", "fr", "ru", "ar"], "Häuser maisons мальчика والكتاب 東京 🍓 #blauesHaus don't 3.5"
    known = KnownTexts(languages)
    (chunks,) = known.read([text])
    for word in words(text):
        if word.kind != "tag":
            for form in all_stems(word, languages):
                assert known.with_any([form]).any(), form
                assert {match.term for match in Matcher({form: 1.0}, {}, languages).matches(text)} == {form}
    assert len(chunks.numbers) == 9


def test_a_word_that_has_the_stem_of_another_language_is_not_marked() -> None:
    languages = ["de", "fr"]
    assert Matcher({"fr:maison": 1.0}, {}, languages).matches("maisons")
    assert not Matcher({"xx:maison": 1.0}, {}, languages).matches("maisons")


def test_when_there_are_too_many_chunks_another_instance_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_CHUNKS", 3)
    first = known_texts(["xx"])
    matcher = Matcher(STEMS, {}, ["xx"])
    first.read(["one two three four five"])
    assert known_texts(["xx"]) is not first
    assert [match.term for match in matcher.matches("a teapot")] == ["teapot"]
    assert [match.term for match in Matcher(STEMS, {}, ["xx"]).matches("a teapot")] == ["teapot"]


def test_only_the_texts_that_were_read_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_TEXTS", 2)
    known = KnownTexts(["en"])
    first, second = known.read(["one two", "two three"])
    assert known.read(["one two"])[0] is first
    known.read(["three four"])
    assert known.read(["one two"])[0] is first
    assert known.read(["two three"])[0] is not second
    assert len(known.read(["a", "b", "c", "d"])) == 4


def test_several_threads_read_at_once() -> None:
    known, wrong = KnownTexts(["en"]), list[str]()

    def read(first: int) -> None:
        for number in range(first, first + 300):
            known.read([f"word{number} teapot{number % 7} shelf"])
            if not known.with_any(["shelf"]).any():
                wrong.append(f"text {number}")

    threads = [threading.Thread(target=read, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    numbers = {of_text.numbers[0] for of_text in known.read([f"word{number}" for number in range(600)])}
    assert len(numbers) == 600
