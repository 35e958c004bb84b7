"""The form in which texts are compared."""

import pytest

from ingest.text.fold import fold


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Straße", "STRASSE"),
        ("İzmir", "izmir"),
        ("ISPARTA", "ısparta"),
        ("Łódź", "lodz"),
        ("smørrebrød", "smorrebrod"),
        ("pie\u0301", "pié"),
        ("co\u00adop\u200dera\u2060te", "cooperate"),
        ("ﬁsh ½ ①", "fish 1⁄2 1"),
        ("𝒸𝓇𝓊𝓈𝓉", "crust"),
        ("Οδός", "ΟΔΟΣ"),
        ("за\u0301мок, ёж", "замок, еж"),
        ("كِتَابٌ", "كتاب"),
        ("إمرأة", "امراه"),
        ("یک کتاب", "يك كتاب"),  # Persian letters
        ("שָׁלוֹם", "שלום"),
        ("ﾄｳﾌ ヤキ", "とうふ やき"),
        ("頭髮 電腦", "头发 电脑"),
        ("सन्तरा आँख", "संतरा आंख"),
        ("क़लम", "कलम"),
        ("٤٢", "42"),
        ("1️⃣", "1"),
    ],
)
def test_what_people_type_in_two_ways_is_one_text(written: str, typed: str) -> None:
    assert fold(written) == fold(typed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("йод", "иод"),
        ("її", "іі"),
        ("ขา", "ข้า"),  # leg, servant
        ("कल", "काल"),
        ("景点", "经典"),  # sight, classic: the same sound
        ("猫", "毛"),
        ("は", "ば"),
        ("קר", "חר"),
    ],
)
def test_another_letter_is_another_text(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_folded_text_stays_as_it_is() -> None:
    for text in ("Straße İzmir Ǆ ﬃ", "قَرَأْتُ آسفي", "ｶﾞﾗｽ 臺灣", "हिन्दी", "Ꭰ ꭰ ẞ ŉ"):
        assert fold(fold(text)) == fold(text)
