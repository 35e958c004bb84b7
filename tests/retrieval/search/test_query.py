"""Parsing of questions and filters."""

import subprocess
import sys
from datetime import date

import pytest

from retrieval.errors import BadFilter
from retrieval.index.documents import TEXT_FIELDS
from retrieval.search.filter_values import FIELD_WORDS, filters
from retrieval.search.query import parse
from tests.conftest import REPOSITORY

TODAY = date(2026, 11, 27)


def described(typed: str) -> list[str]:
    return [condition.describe() for condition in parse(typed, TODAY).conditions]


@pytest.mark.parametrize(
    ("typed", "text", "conditions"),
    [
        ('"No, your OTHER left" caravan', '"No, your OTHER left" caravan', ['with "No, your OTHER left"']),
        ("“smart quotes” cat", '"smart quotes" cat', ['with "smart quotes"']),
        ("by:@bread.bench starter", "bread.bench starter", ["by @bread.bench"]),
        ("#cats#dogs -fyp", "#cats#dogs", ["with #cats", "with #dogs", 'without "fyp"']),
        (
            "#cats after:2022 said:meow",
            "#cats meow",
            ["with #cats", "posted on 2022-01-01 or later", 'with "meow" in the speech'],
        ),
        ('the "best cat video "ever" made', 'the "best cat video "ever" made', ['with "ever"']),
        ("tag:#cats teapot", "cats teapot", ["with #cats"]),
        ("cat -dog", "cat", ['without "dog"']),
        ("cat (-dog), -猫。", "cat (", ['without "dog"', 'without "猫"']),
        ("tag：猫 said：吞剑 ＠maria", "猫 吞剑 @maria", ["with #猫", 'with "吞剑" in the speech', "by @maria"]),
        ("「猫」 ‹chat›", '"猫" "chat"', ['with "猫"', 'with "chat"']),
        ("lang:\u200bde tag:\ufeffcats \u00ad-dog", "cats", ["in German", "with #cats", 'without "dog"']),
        ('lang:"Portuguese (Brazil)" cat', "cat", ["in Portuguese"]),
        ('cat -"hot dog" -#fyp -@me', "cat", ['without "hot dog"', "without #fyp", "not by @me"]),
        ("said:teapot", "teapot", ['with "teapot" in the speech']),
        ('Written:"day 1"', "day 1", ['with "day 1" in the on-screen text']),
        ("by:maria soup", "maria soup", ['with "maria" in the creator\'s name']),
        ("by:@maria soup", "maria soup", ["by @maria"]),
        ("cat -comments:fake", "cat", ['without "fake" in the comments']),
        ("cat before:2022", "cat", ["posted before 2022-01-01"]),
        ("cat after:2022-3 until:2022-04-15", "cat", ["posted on 2022-03-01 or later", "posted before 2022-04-15"]),
        ("cat lang:en-US -lang:fr", "cat", ["in English", "not in French"]),
        ("@maria after:2022 -lang:fr", "", ["by @maria", "posted on 2022-01-01 or later", "not in French"]),
        ("-word", "", ['without "word"']),
        ("\u200f@maria \u200e#cats,#dogs", "@maria #cats,#dogs", ["by @maria", "with #cats", "with #dogs"]),
        (
            "\u2066lang:ar\u2069 \u2067-dog\u2069 cat",
            "cat",
            ["in Arabic", 'without "dog"'],
        ),
        ("cat, before:2023.", "cat,", ["posted before 2023-01-01"]),
        ("🍣 lang:ja", "🍣", ["in Japanese"]),
        ("cat in:favorites", "cat", ["in your favorites"]),
        ("cat in:Saved -in:likes", "cat", ["in your favorites", "not in your likes"]),
        ('in:"Recipes to try" soup', "soup", ['in your collection "Recipes to try"']),
        ("seen:2024-03 cat", "cat", ["seen in March 2024"]),
        ("cat liked:2023-12..2024-02", "cat", ["liked from 1 December 2023 to 29 February 2024"]),
        ('saved:"last winter" soup', "soup", ["saved from 1 December 2025 to 28 February 2026"]),
        ("saved:last-winter, soup", "soup", ["saved from 1 December 2025 to 28 February 2026"]),
        ("watched:2024.. cat", "cat", ["watched on 1 January 2024 or later"]),
        ("-shared:2024-03-15", "", ["not shared on 15 March 2024"]),
        ("cat length:<30s", "cat", ["shorter than 0:30"]),
        ("cat length:1m..3m -length:2m", "cat", ["1:00 to 3:00 long", "not 2:00 to 2:59 long"]),
        ("cat likes:>10k", "cat", ["with 10,000 likes or more"]),
        (
            'cat source:"data export" -source:file',
            "cat",
            [
                'from the source "data export"',
                'not from the source "file"',
            ],
        ),
        (
            'cat before:"last summer" after:yesterday',
            "cat",
            [
                "posted before 2026-06-01",
                "posted on 2026-11-26 or later",
            ],
        ),
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


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("cat seen:someday", "seen:someday is not a time; write 2024, 2024-03,"),
        ("cat liked:2024-02..2023", "liked:2024-02..2023 is not a time"),
        ("cat length:tall", "length:tall is not a length; write <30s, 1m..3m or >5m."),
        ("cat lang:de,fr", "lang:de,fr is no language; write a name or a code"),
        ("cat likes:many", "likes:many is not a number of likes; write >10k,"),
    ],
)
def test_a_value_that_cannot_be_read_is_noted_and_searched_for_as_words(typed: str, note: str) -> None:
    question = parse(typed, TODAY)
    assert question.conditions == () and question.text == typed
    assert question.notes[0].startswith(note) and "searched for as words" in question.notes[0]


def test_an_expression_says_what_it_was_taken_for_and_a_plain_date_does_not() -> None:
    winter, march, before = parse('saved:"last winter" seen:2024-03 before:last-year', TODAY).conditions
    assert winter.note() == 'saved:"last winter" was taken for 1 December 2025 to 28 February 2026.'
    assert march.note() == ""
    assert before.note() == 'before:"last-year" was taken for posted before 2025-01-01.'


def test_an_invalid_date_is_noted_and_searched_for_as_words() -> None:
    question = parse("cat before:2022-13")
    assert question.conditions == () and question.text == "cat before:2022-13"
    assert "before:2022-13 is not a date" in question.notes[0]


@pytest.mark.parametrize(
    ("typed", "preferred"),
    [
        ("@bread.bench starter", ["by @bread.bench"]),
        ("(@maria, dancing)", ["by @maria"]),
        ("Funny! #cats#dogs | dub by @maria.", ["with #cats", "with #dogs", "by @maria"]),
        ("“They never learn” #cats", ["with #cats"]),
        ("😂 #cats", ["with #cats"]),
        ("tag:cats kitten #cats #dogs", ["with #dogs"]),
        ("kitten -#cats #dogs", ["with #dogs"]),
    ],
)
def test_tags_and_names_among_words_are_preferred_and_exclude_nothing(typed: str, preferred: list[str]) -> None:
    question = parse(typed)
    assert [one.describe() for one in question.preferred] == preferred
    assert not {"#dogs", "@maria", "#cats"} & {one.describe() for one in question.conditions}
    assert all(one.value in question.text for one in question.preferred)
    assert not {one for one in question.conditions if not one.exclude and one.kind == "creator"}


def test_a_filter_on_a_tag_excludes_whatever_the_question_is() -> None:
    asked = parse("funny #cats").where(filters(tag="dogs"))
    assert [one.describe() for one in asked.conditions] == ["with #dogs"]


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
        *("by @maria", "with #cats", "with #dogs", "in English"),
        *("posted on 2022-01-01 or later", "posted before 2022-03-15"),
    ]
    more = {"in": "saved", "seen": "2024", "liked": "yesterday", "length": "<1m", "likes": "5", "source": "file"}
    typed = "in:saved seen:2024 liked:yesterday length:<1m likes:5 source:file"
    assert filters(TODAY, **more) == list(parse(typed, TODAY).conditions)
    assert filters() == filters(creator=" ", tag="#", lang="", after=" ") == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("before", "dinner", "write 2022"),
        ("has", "cats", "'cats'"),
        ("seen", "dinner", "write 2024"),
        ("length", "tall", "write <30s"),
        ("likes", "many", "write >10k"),
    ],
)
def test_a_bad_filter_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(BadFilter, match=f"^{name}: .*{message}") as caught:
        filters(**{name: value})
    assert caught.value.filter == name


def test_parsing_a_query_does_not_load_the_index_and_the_package_gives_its_types() -> None:
    code = (
        "import sys; from retrieval.search.query import parse; parse('cat -dog');"
        "assert 'retrieval.index.dense' not in sys.modules; from retrieval.search import Answer, Hit, Reason;"
        "assert 'retrieval.index.dense' not in sys.modules; from retrieval.search import Searcher;"
        "assert 'retrieval.index.dense' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
