"""Parsing of questions and filters."""

import subprocess
import sys

import pytest

from retrieval.errors import BadFilter
from retrieval.index.documents import TEXT_FIELDS
from retrieval.search.query import FIELD_WORDS, filters, first_day, parse
from tests.conftest import REPOSITORY


def described(typed: str) -> list[str]:
    return [condition.describe() for condition in parse(typed).conditions]


@pytest.mark.parametrize(
    ("typed", "text", "conditions"),
    [
        ('"No, your OTHER left" caravan', '"No, your OTHER left" caravan', ['with "No, your OTHER left"']),
        ("“smart quotes” cat", '"smart quotes" cat', ['with "smart quotes"']),
        ("@bread.bench starter", "@bread.bench starter", ["by @bread.bench"]),
        ("(@maria, dancing)", "(@maria, dancing)", ["by @maria"]),
        ("funny #cats#dogs", "funny #cats#dogs", ["with #cats", "with #dogs"]),
        ("tag:#cats teapot", "cats teapot", ["with #cats"]),
        ("cat -dog", "cat", ['without "dog"']),
        ('cat -"hot dog" -#fyp -@me', "cat", ['without "hot dog"', "without #fyp", "not by @me"]),
        ("said:teapot", "teapot", ['with "teapot" in the speech']),
        ('Written:"day 1"', "day 1", ['with "day 1" in the on-screen text']),
        ("by:maria soup", "maria soup", ['with "maria" in the creator\'s name']),
        ("by:@maria soup", "maria soup", ["by @maria"]),
        ("cat -comments:fake", "cat", ['without "fake" in the comments']),
        ("cat before:2022", "cat", ["posted before 2022-01-01"]),
        ("cat after:2022-3 until:2022-04-15", "cat", ["posted on 2022-03-01 or later", "posted before 2022-04-15"]),
        ("cat lang:en-US -lang:fr", "cat", ["in the language en-US", "not in the language fr"]),
        ("@maria after:2022 -lang:fr", "", ["by @maria", "posted on 2022-01-01 or later", "not in the language fr"]),
        ("-word", "", ['without "word"']),
        ("\u200f@maria \u200e#cats,#dogs", "\u200f@maria \u200e#cats,#dogs", ["by @maria", "with #cats", "with #dogs"]),
        (
            "\u2066lang:ar\u2069 \u2067-dog\u2069 cat",
            "\u2066\u2069 \u2067\u2069 cat",
            ["in the language ar", 'without "dog"'],
        ),
        ("cat, before:2023.", "cat,", ["posted before 2023-01-01"]),
        ("🍣 lang:ja", "🍣", ["in the language ja"]),
    ],
)
def test_operators_are_removed_from_the_text_and_become_conditions(
    typed: str, text: str, conditions: list[str]
) -> None:
    assert described(typed) == conditions
    assert parse(typed).text.translate(str.maketrans("“”", '""')) == text


@pytest.mark.parametrize(
    "typed",
    [
        "http://example.org/a?b=c", "note: this", "at 3:15 pm", "re:zero", "c++", "-5 degrees", "minus - sign", ":-)",
        "a lone # and @ and - and \"", 'unbalanced "quote', '5\'10" tall, 6" long', "@_@", "^-^", "-_-", "->", "<3",
        "someone@example.org", "the #1 fan", "spider-man", "before: the storm", "before:dinner", "lang:en!x", ":-D",
        'said:"unbalanced', 'said: "', '""', '" "', "lang:", "lang:!!", "@home/work", "#", "##", "by:", "::", "-", "--",
        "", "-before:dinner",
    ],
)  # fmt: skip
def test_ordinary_text_is_not_read_as_operators(typed: str) -> None:
    question = parse(typed)
    assert question.conditions == () and question.text == typed


def test_an_invalid_date_is_noted_and_searched_for_as_words() -> None:
    question = parse("cat before:2022-13")
    assert question.conditions == () and question.text == "cat before:2022-13"
    assert "before:2022-13 is not a date" in question.notes[0]


def test_a_hyphen_before_an_unknown_field_excludes_its_words() -> None:
    assert described("anime -re:zero") == ['without "re:zero"']


def test_quoted_words_names_and_tags_are_not_corrected() -> None:
    assert parse('"porcelan tepot" @wiskers #ctas said:helo plain').literal == {
        *("porcelan", "tepot", "wiskers", "ctas", "helo")
    }


def test_every_field_has_an_operator_with_its_identifier() -> None:
    assert {FIELD_WORDS[field] for field in TEXT_FIELDS} == set(TEXT_FIELDS) == set(FIELD_WORDS.values())


def test_hostile_strings_are_parsed_into_conditions_with_a_description(hostile_strings: list[str]) -> None:
    for typed in hostile_strings:
        for condition in parse(typed).conditions:
            assert condition.describe()


def test_filters_give_the_same_conditions_as_operators() -> None:
    made = filters(creator=" @maria ", tag="#cats dogs", lang="en", after="2022", before="2022-03-15")
    assert [condition.describe() for condition in made] == [
        *("by @maria", "with #cats", "with #dogs", "in the language en"),
        *("posted on 2022-01-01 or later", "posted before 2022-03-15"),
    ]
    assert filters() == filters(creator=" ", tag="#", lang="", after=" ") == []


@pytest.mark.parametrize(
    ("name", "value", "message"), [("before", "yesterday", "write 2022"), ("has", "cats", "'cats'")]
)
def test_a_bad_filter_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(BadFilter, match=f"^{name}: .*{message}") as caught:
        filters(**{name: value})
    assert caught.value.filter == name


@pytest.mark.parametrize(
    ("value", "day"),
    [
        *(("2022", "2022-01-01"), ("2022-3", "2022-03-01"), ("2022/03/05", "2022-03-05"), ("2024-02-29", "2024-02-29")),
        *(("2023-02-29", ""), ("2022-00", ""), ("0000", ""), ("22", ""), ("2022-03-15T00:00", "")),
    ],
)
def test_the_first_day_of_a_year_a_month_or_a_day(value: str, day: str) -> None:
    assert first_day(value) == day


def test_parsing_a_query_loads_no_faiss_and_the_package_gives_its_types() -> None:
    code = (
        "import sys; from retrieval.search.query import parse; parse('cat -dog');"
        "assert 'faiss' not in sys.modules; from retrieval.search import Answer, Hit, Reason;"
        "assert 'faiss' not in sys.modules; from retrieval.search import Searcher; assert 'faiss' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
