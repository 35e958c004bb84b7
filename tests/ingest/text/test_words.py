"""What is one word to a person is one word."""

import random
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.text import words as module
from ingest.text.fold import fold
from ingest.text.words import words, words_of_chunk


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t stop: they're here", "dont stop theyre here"),
        ("l'eau d'Orléans, dell'arte, jusqu'à, n'y", "eau orleans arte a y"),
        ("o'clock rock'n'roll м'яч", "oclock rocknroll мяч"),
        ("1,000 1.000 1'000'000 12,34,567", "1000 1000 1000000 1234567"),
        ("$1,299.99 1,5 2.75", "1299.99 1.5 2.75"),
        ("3:15 2024-05-01 1.2.3", "3 15 2024 05 01 1 2 3"),
        ("7kg 7 kg 20MIN", "7 kg 7 kg 20 min"),
        ("7 g of salt, 7g", "7g of salt 7g"),
        ("1,500 g 1.500g 1500 g 1500g", "1500g 1500g 1500g 1500g"),
        ("20000 m 20000m 1.5 l 1.5l", "20000m 20000m 1.5 l 1.5 l"),
        ("5кг 5 кг 3시간 3 시간 ٥كيلو 20kilos", "5 кг 5 кг 3 시간 3 시간 5 كيلو 20 kilos"),
        ("1½ cups, 1 1/2 cups", "1 1 2 cups 1 1 2 cups"),
        ('צה״ל צה"ל צהל ג׳ירפה', "צהל צהל צהל גירפה"),
        ("น้ำ น้\u0e4d\u0e32 น\u0e4d\u0e49\u0e32 ນ້ຳ ນ້\u0ecd\u0eb2", "น้ํา น้ํา น้ํา ນ້ໍາ ນ້ໍາ"),
        ("แมว \u0e40\u0e40มว", "แ ม ว แ ม ว"),
        ("1ヶ月 1か月 1ケ月", "1 け 月 1 か 月 1 け 月"),
        ("ᴄᴀᴛ ⓒⓐⓣ 🅲🅰🆃 🅒🅐🅣 🄲🄰🅃", "cat cat cat cat cat"),
        ("#️⃣ #️⃣one", "one"),
        ("iphone15 COVID-19 mp3 h2o 4th", "iphone 15 covid 19 mp3 h2o 4th"),
        ("U.S.A. e.g. N.A.S.A", "usa eg nasa"),
        ("#MyCoolTag #DIYHomeDecor", "mycooltag my cool tag diyhomedecor diy home decor"),
        ("#my_cool_tag #iPhone #fyp", "mycooltag my cool tag iphone fyp"),
        ("#हिन्दी #café", "हिंदी cafe"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("我的貓iPad睡了", "我 的 猫 ipad 睡 了"),
        ("ช้างยืน", "ช้ า ง ยื น"),
        ("ﾊﾞｽ バス", "ば す ば す"),
        ("می‌خواهم می خواهم", "ميخواهم مي خواهم مي خواهم"),
        ("un\u00adsure", "unsure"),
        ("👍🏽 👍 👩🏾‍🚀 ❤️ 🇩🇪🇫🇷", "👍 👍 👩 🚀 ❤ 🇩🇪 🇫🇷"),
        ("so funny😂😂 © 2020™", "so funny 😂 😂 2020"),
        ("½ cup, 1/2 cup ﷺ", "1 2 cup 1 2 cup صلي الله عليه وسلم"),
        ("... !! -- _", ""),
    ],
)
def test_words_of_a_text(text: str, expected: str) -> None:
    assert " ".join(word.folded for word in words(text)) == expected


def test_a_run_without_spaces_is_read_to_its_end() -> None:
    assert len(list(words("象" * 5_000))) == 5_000
    assert [word.folded for word in words("x" * 5_000)] == ["x" * 100]  # a link or noise


def test_positions_are_those_of_the_text() -> None:
    text = "a #MyTag 我們 l'été ﾊﾞｽ 👍🏽 1,000"
    found = [text[word.start : word.end] for word in words(text)]
    assert found == ["a", "MyTag", "My", "Tag", "我", "們", "été", "ﾊﾞ", "ｽ", "👍🏽", "1,000"]


def test_any_text_has_folded_words_inside_it() -> None:
    letters = "aB1,.'’ #_é\u0301ßİقَر猫ช้हि\u094d🐙\u200d🏽\u00ad\u00a0ｶﾞ-5kg½ﷺ🇩"
    chance = random.Random(0)
    for _ in range(3_000):
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(1, 14)))
        assert fold(fold(text)) == fold(text), text
        for word in words(text):
            assert word.folded and 0 <= word.start < word.end <= len(text), (text, word)
            assert word.kind == "emoji" or fold(word.folded) == word.folded, (text, word)


# Signs of every script, and those that this module and fold.py treat in their own way.
_ODD = "aB1,.'’ #_é\u0301ßİقَر猫ช้ำหิ\u094d🐙\u200d🏽\u00ad\u00a0ｶﾞ-5kg½ﷺ🇩מ״\"ی\u200cа㈱①ᴄ🅲ⓐ\u0e4d\u0e32\u0e40ヶ"


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from(_ODD) | st.characters(exclude_categories=["Cs"]), max_size=24))
@example("\U000116d0")  # a digit that some versions of Unicode do not know
def test_words_of_any_text_stay_as_they_are_and_do_not_depend_on_spaces_around(text: str) -> None:
    found = list(words(text))
    assert [word.folded for word in words(f"  {text}\n")] == [word.folded for word in found]
    for word in found:
        assert word.folded and 0 <= word.start < word.end <= len(text)
        assert word.kind == "emoji" or fold(word.folded) == word.folded
        if word.kind == "word":  # a question that is one of the words finds it
            again = "".join(one.folded for one in words(word.folded) if one.kind != "tag")
            assert again.replace(".", "") == word.folded.replace(".", "")


@pytest.mark.parametrize(
    "unit",
    [
        "1,",
        "a.",
        "a'",
        "#",
        "aB",
        "a_",
        "12 g ",
        "👍🏽",
        "\u200d",
        "a\u00ad",
        "\u0301",
        "क्",
        "1\u00a0",
        "1,000",
        'א"',
        "\u0e40",
        "ی\u200c",
        "🅲",
    ],
)
def test_long_runs_of_one_thing_are_read_in_linear_time(unit: str) -> None:
    started = time.process_time()
    for _ in words(unit * 20_000):
        pass
    assert time.process_time() - started < 5


@settings(max_examples=400, deadline=None)
@given(st.from_regex(r"[\"(*@#']?[A-Za-z.]{1,12}[,.!?:;)\"*'’]{0,4}", fullmatch=True))
def test_words_of_letters_alone_are_cut_like_all_others(chunk: str) -> None:
    module._known_words.cache_clear()
    quick = words_of_chunk(chunk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SIMPLE", re.compile(r"(?!)"))
        module._known_words.cache_clear()
        assert words_of_chunk(chunk) == quick
    module._known_words.cache_clear()
