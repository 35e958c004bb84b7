from retrieval.index.documents import Mark, Passage
from retrieval.search.matching import (
    SPAN_CHARS,
    Matcher,
    best_mark,
    best_passage,
    best_span,
    informative_terms,
)

IDFS = {"teapot": 5.0, "shelf": 4.0, "fall": 3.0}


def test_common_words_are_not_informative() -> None:
    assert informative_terms({"the": 0.3, "teapot": 5.0, "shelf": 2.1}) == {"teapot": 5.0, "shelf": 2.1}
    assert informative_terms({}) == {}


def test_the_span_is_the_shortest_stretch_with_the_most_matches() -> None:
    text = "a teapot, " + "and so on " * 30 + "the teapot falls off its shelf, what a teapot"
    found = Matcher(IDFS, {}).matches(text)
    span = best_span(found)
    assert span and text[slice(*span)] == "teapot falls off its shelf"


def test_a_text_that_repeats_one_word_has_a_short_span() -> None:
    span = best_span(Matcher(IDFS, {}).matches("teapot " * 20_000))
    assert span == (0, 6)
    assert best_span([]) is None


def test_a_span_is_at_most_two_lines_long() -> None:
    span = best_span(Matcher(IDFS, {}).matches("teapot " + "x" * SPAN_CHARS + " shelf"))
    assert span == (0, 6)


def test_the_time_is_that_of_the_segment_with_the_most_matches() -> None:
    text = "there it will fall. the teapot on the shelf"
    passage = Passage(text, (Mark(0, 1.0, 4.0), Mark(20, 9.5, 12.0)))
    found, whole = Matcher(IDFS, {}).matches(text), (0, len(text))
    spoken = best_mark(passage, found, whole)
    assert spoken and spoken.start_s == 9.5
    first = best_mark(passage, [], whole)
    assert first and first.start_s == 1.0
    assert best_mark(Passage(text), [], whole) is None


def test_the_time_is_that_of_the_words_on_show_not_of_the_same_words_before_them() -> None:
    text = "the teapot. it rained. the teapot on the shelf"
    passage = Passage(text, (Mark(0, 1.0, 4.0), Mark(12, 5.0, 6.0), Mark(23, 9.5, 11.0), Mark(34, 11.0, 12.0)))
    found = Matcher(IDFS, {}).matches(text)
    span = best_span(found)
    assert span and text[slice(*span)] == "teapot on the shelf"
    spoken = best_mark(passage, found, span)
    assert spoken and spoken.start_s == 9.5


def test_the_passage_with_the_most_matches_is_shown() -> None:
    passages = [Passage("a shelf"), Passage("teapot, shelf"), Passage("teapot")]
    assert best_passage(passages, Matcher(IDFS, {})) is passages[1]
    assert best_passage([], Matcher(IDFS, {})) == Passage("")


def test_phrases_come_first_and_their_words_are_no_single_ones() -> None:
    text = "a shelf. the teapot shelf"
    matcher = Matcher(IDFS, {}, phrases=[("teapot", "shelf")])
    assert [(match.start, match.term) for match in matcher.matches(text)] == [
        (2, "shelf"),
        (13, '"teapot"'),
        (20, '"shelf"'),
    ]
    assert matcher.mass(text) == IDFS["shelf"] + 1.0 + sum(IDFS.values()) > matcher.mass("teapot, fall off the shelf")
    assert matcher.mass("") == 0.0
