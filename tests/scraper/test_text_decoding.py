import codecs

import pytest

from scraper.text_decoding import LOST, SAMPLE_BYTES, decode
from tests.scraper.short_texts import SHORT

FRENCH = "Le café du théâtre était fermé à cause de la fête des élèves."
SAID = {  # in the encodings that programs write besides UTF-8
    FRENCH: ("cp1252", "iso-8859-15", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"),
    "El niño comió en la cafetería, ¿dónde está el señor?": ("cp1252",),
    "Não sei onde está o avião, amanhã às três horas na estação.": ("cp1252",),
    "Wczoraj poszedłem do sklepu i kupiłem świeże jabłka.": ("cp1250", "iso-8859-2"),
    "Včera jsem šel do města a koupil čerstvé jahody. Příliš žluťoučký kůň.": ("cp1250",),
    "Учительница потеряла зонт в трамвае.": ("cp1251", "koi8-r", "utf-16-le"),
    "Η δασκάλα έχασε την ομπρέλα στο τραμ.": ("cp1253",),
    "Öğretmen şemsiyesini tramvayda kaybetti, kitaplarım nerede?": ("cp1254",),
    "המורה איבדה את המטריה שלה בחשמלית.": ("cp1255",),
    "فقدت المعلمة مظلتها في الترام.": ("cp1256",),
    "先生は電車で傘をなくしました。": ("cp932", "euc-jp", "utf-16-le", "utf-16-be"),
    "老师在电车上丢了她的伞。": ("gb18030", "utf-16-le"),
    "老師在電車上丟了她的傘。": ("big5",),
    "선생님이 전차에서 우산을 잃어버렸어요.": ("cp949",),
    "ครูทำร่มหายบนรถราง": ("cp874",),
    "It’s a test – naïve": ("cp1252",),
    "un café": ("cp1252", "latin-1"),
}
CASES = [(text, encoding) for text, encodings in SAID.items() for encoding in encodings]


@pytest.mark.parametrize(("text", "encoding"), CASES, ids=[f"{encoding}-{text[:6]}" for text, encoding in CASES])
def test_a_short_text_in_any_usual_encoding_is_read(text: str, encoding: str) -> None:
    srt = f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n"
    assert decode(srt.encode(encoding)).text == srt
    assert decode(srt.encode(encoding)).lost == 0


def test_most_texts_of_a_word_or_three_are_read() -> None:
    """0.89 of them; chardet alone reads 0.74, charset-normalizer 0.35. The rest is as good in another encoding."""
    cases = [(text, encoding) for encodings, texts in SHORT.items() for encoding in encodings for text in texts]
    wrong = [f"{encoding} {text}" for text, encoding in cases if decode(text.encode(encoding)).text != text]
    assert len(wrong) <= 27 and len(cases) == 243, wrong


@pytest.mark.parametrize(
    "text", ["café \xff", "un café crème déjà vu \xff", "mañana\xff", "größer \xff", "привет \xff"]
)
def test_one_damaged_byte_in_a_short_text_does_not_change_the_others(text: str) -> None:
    decoded = decode(text.encode().replace("\xff".encode(), b"\xff"))
    assert (decoded.text, decoded.lost) == (text.replace("\xff", LOST), 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_at_the_beginning_decides(encoding: str) -> None:
    assert decode(FRENCH.encode(encoding)).text == FRENCH
    assert decode(codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be")).text == FRENCH


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_line_end_is_a_line_feed(end: str) -> None:
    assert decode(f"one{end}two{end}{end}three".encode()).text == "one\ntwo\n\nthree"
    assert decode(f"one{end}two{end}{end}three".encode("utf-16")).text == "one\ntwo\n\nthree"


def test_a_broken_byte_in_utf_8_costs_one_place_and_is_counted() -> None:
    data = (FRENCH * 20).encode()
    at = data.index("ê".encode())
    decoded = decode(data[:at] + b"\xff" + data[at + 2 :])
    assert (decoded.encoding, decoded.lost, decoded.text.count("\ufffd")) == ("utf-8", 1, 1)
    assert decoded.text.replace("\ufffd", "ê") == FRENCH * 20
    assert decoded.damage == "1 place in it cannot be decoded (read as utf-8): save it as UTF-8"


def test_a_text_that_is_cut_within_a_letter_stays_utf_8() -> None:
    assert decode(b"plain, then caf" + b"\xc3").text == "plain, then caf\ufffd"
    assert decode(FRENCH.encode("utf-16")[:-1]).lost == 1


def test_an_accent_at_the_very_end_is_no_cut_utf_8() -> None:
    assert decode("meet me at the café".encode("latin-1")).text == "meet me at the café"
    assert decode("un café, encore un café".encode("cp1252")).text == "un café, encore un café"


def test_a_sign_that_another_program_lost_is_not_counted_twice() -> None:
    assert decode("caf\ufffd au lait".encode()).damage == ""


def test_emoji_in_two_halves_are_joined() -> None:
    units = [chr(unit) for unit in memoryview("a😀b".encode("utf-16-le")).cast("H")]
    assert decode("".join(units).encode("utf-8", "surrogatepass")).text == "a😀b"


def test_a_zero_in_a_text_does_not_make_it_wide() -> None:
    assert decode(b"plain text with one \0 in it").text == "plain text with one \0 in it"


def test_an_encoding_that_shows_late_in_a_large_file_is_found() -> None:
    text = "plain line\n" * SAMPLE_BYTES + "Учительница потеряла зонт в трамвае.\n"
    assert decode(text.encode("cp1251")).text == text
