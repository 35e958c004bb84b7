"""What is one word to a person is one word."""

import pytest

from ingest.text.words import words


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
        ("iphone15 COVID-19 mp3 h2o 4th", "iphone 15 covid 19 mp3 h2o 4th"),
        ("U.S.A. e.g. N.A.S.A", "usa eg nasa"),
        ("#MyCoolTag #DIYHomeDecor", "mycooltag my cool tag diyhomedecor diy home decor"),
        ("#my_cool_tag #iPhone #fyp", "mycooltag my cool tag iphone fyp"),
        ("#हिन्दी #café", "हिंदी cafe"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("我的貓iPad睡了", "我 的 猫 ipad 睡 了"),
        ("ช้างยืน", "ช้ า ง ยื น"),
        ("ﾊﾞｽ バス", "ば す ば す"),
        ("می‌خواهم", "ميخواهم"),
        ("un\u00adsure", "unsure"),
        ("👍🏽 👍 👩🏾‍🚀 ❤️ 🇩🇪🇫🇷", "👍 👍 👩 🚀 ❤ 🇩🇪 🇫🇷"),
        ("so funny😂😂 © 2020™", "so funny 😂 😂 2020"),
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
