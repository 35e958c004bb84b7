import json
import random
import time
from pathlib import Path

import pytest

from scraper.captions import MAX_BYTES, MAX_TIME_S, CaptionError, Cue
from scraper.captions import parse as read
from scraper.records import MAX_TEXT_CHARS
from tests.broken_files import broken_files

WEBVTT = """WEBVTT - made up

STYLE
::cue { color: red }

NOTE nobody says this

intro
00:00:00.500 --> 00:00:02.000 align:start position:0%
<v Ann>Put the <c.loud>kettle</c> on</v>

00:02.500 --> 00:04.000
tea &amp; &lt;cake&gt;
for
5
"""
SRT = """1
00:00:00,500 --> 00:00:02,000
<i>Put</i> the kettle on

2
00:00:02,500 --> 00:00:04,000
{\\an8}tea & <cake>
for
5
"""
UTTERANCES = {
    "utterances": [
        {"start_time": 500, "end_time": 2000, "text": "Put the kettle on", "words": []},
        {"start_time": 2500, "end_time": 4000, "text": "tea & <cake>\nfor\n5"},
    ]
}
NASTY = [b"", b"\x00", b"-->", b"9" * 30, b"\xff", b"\n", b"{", b"-"]
SAID = [Cue(0.5, 2.0, "Put the kettle on"), Cue(2.5, 4.0, "tea & <cake> for 5")]


def parse(data: bytes) -> list[Cue]:
    return read(data).cues


def vtt(*cues: str) -> bytes:
    return ("WEBVTT\n\n" + "\n\n".join(cues)).encode()


def said(data: bytes) -> list[str]:
    return [cue.text for cue in parse(data)]


def test_webvtt_gives_speech_without_tags_names_notes_and_styles() -> None:
    assert parse(WEBVTT.encode()) == SAID


def test_srt_and_the_sites_json_give_the_same_cues() -> None:
    srt = SRT.replace("<cake>", "&lt;cake&gt;").encode()
    assert parse(srt) == parse(json.dumps(UTTERANCES | {"utterances": _escaped()}).encode()) == SAID


def _escaped() -> list[dict[str, object]]:
    return [cue | {"text": str(cue["text"]).replace("<cake>", "&lt;cake&gt;")} for cue in UTTERANCES["utterances"]]


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("\n", "\r"), ("WEBVTT", "\ufeffWEBVTT")])
def test_line_ends_and_a_byte_order_mark_make_no_difference(change: tuple[str, str]) -> None:
    assert parse(WEBVTT.replace(*change).encode()) == SAID


def test_an_srt_without_blank_lines_keeps_its_numbers_out_of_the_text() -> None:
    data = b"1\n00:00:01,0 --> 00:00:02,0\none\n2\n00:00:03,0 --> 00:00:04,0\ntwo\n"
    assert said(data) == ["one", "two"]


@pytest.mark.parametrize(
    "broken",
    [
        "xx:00:01.000 --> 00:00:02.000\nlost",
        "-00:00:05.000 --> 00:00:02.000\nlost",
        "--> 00:00:02.000\nlost",
        "99:00:00.000 --> 99:00:01.000\nlost",
        "00:00:01.000 --> 00:00:02.000\n \t",
    ],
)
def test_a_cue_without_a_time_or_a_text_does_not_affect_others(broken: str) -> None:
    good = ["00:00:01.000 --> 00:00:02.000\nfirst", "00:00:08.000 --> 00:00:09.000\nlast"]
    assert said(vtt(good[0], broken, good[1])) == ["first", "last"]


@pytest.mark.parametrize("times", ["00:00:01.000 -->", "00:00:01.000 --> junk", "00:00:01.000 --> 00:00:00.500"])
def test_a_cue_without_a_usable_end_lasts_until_the_next_or_a_few_seconds(times: str) -> None:
    following = "00:00:03.000 --> 00:00:04.000\nnext"
    assert parse(vtt(f"{times}\nopen", following))[0] == Cue(1.0, 3.0, "open")
    assert parse(vtt(f"{times}\nopen"))[0] == Cue(1.0, 6.0, "open")


def test_cues_are_ordered_by_time_and_may_overlap() -> None:
    cues = parse(vtt("00:00:05.000 --> 00:00:09.000\nlate", "00:00:01.000 --> 00:00:06.000\nearly"))
    assert cues == [Cue(1.0, 6.0, "early"), Cue(5.0, 9.0, "late")]


def test_times_of_the_sites_json_are_limited_to_a_possible_video() -> None:
    times: list[tuple[object, object]] = [(-500, 1000), (-900, -100), (2000, 10**30), (float("nan"), 1), (True, 2)]
    times += [(10**12, 10**12 + 1), ("3", "4"), (None, 5), (4000, "x"), (20_000, 10**12)]
    utterances = [{"start_time": a, "end_time": b, "text": f"t{n}"} for n, (a, b) in enumerate(times)]
    cues = parse(json.dumps({"utterances": [*utterances, 5, {"text": 7}]}).encode())
    assert cues == [Cue(0.0, 1.0, "t0"), Cue(2.0, 4.0, "t2"), Cue(4.0, 9.0, "t8"), Cue(20.0, MAX_TIME_S, "t9")]


def test_a_repeated_cue_counts_once_unless_there_is_a_pause() -> None:
    cues = ["00:00:01.000 --> 00:00:02.000\nyes", "00:00:02.000 --> 00:00:03.000\nyes"]
    assert parse(vtt(*cues, "00:00:09.000 --> 00:00:10.000\nyes")) == [Cue(1.0, 3.0, "yes"), Cue(9.0, 10.0, "yes")]


def test_repeated_lines_of_a_rolling_caption_count_once() -> None:
    rolling = ["00:00:01.000 --> 00:00:02.000\none", "00:00:02.000 --> 00:00:03.000\none\ntwo"]
    rolling += ["00:00:03.000 --> 00:00:04.000\ntwo\nthree", "00:00:04.000 --> 00:00:04.010\nthree"]
    assert parse(vtt(*rolling)) == [Cue(1.0, 2.0, "one"), Cue(2.0, 3.0, "two"), Cue(3.0, 4.01, "three")]


def test_unstorable_characters_are_replaced_and_long_texts_cut() -> None:
    assert said(vtt("00:00:01.000 --> 00:00:02.000\na\x00b &#0; &#xD800;")) == ["a\ufffdb \ufffd \ufffd"]
    assert len(said(vtt("00:00:01.000 --> 00:00:02.000\n" + "w\n" + "w" * 50_000))[0]) == MAX_TEXT_CHARS


@pytest.mark.parametrize("data", [b"WEBVTT\n\n", b'{"utterances": []}', b"WEBVTT\n\n00:01.000 --> 00:02.000\n\n"])
def test_captions_without_speech_are_not_an_error(data: bytes) -> None:
    assert parse(data) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b" \n\xef\xbb\xbf", "empty"),
        (b"hello", "no cue"),
        (b"<html></html>", "no cue"),
        (b"WEBVTT\n\nxx --> yy\nlost", "no cue"),
        (b"{", "broken"),
        (b'{"a":' * 100_000, "broken"),
        (b'{"utterances": 5}', "utterances"),
        (b'{"utterances": [1, {"text": "x"}]}', "no utterance"),
        (b"x" * (MAX_BYTES + 1), "larger than 5 MB"),
    ],
)
def test_unreadable_captions_say_why(data: bytes, why: str) -> None:
    with pytest.raises(CaptionError, match=f"^The caption file .*{why}.*\\.$|^The caption file is {why}.$"):
        parse(data)


HEAD = b"WEBVTT\n\n00:01.000 --> 00:02.000"
HOSTILE = [  # the beginning, what is repeated, and the end
    (b"", b"\n", b""),
    (HEAD + b"\nx", b"\n", b"y"),
    *((HEAD + b"\n", part, b"") for part in (b"<a", b"{\\", b"&#", b"x\n")),
    (HEAD + b" ", b"a:", b" b\nx"),
    (b"", b"0:", b"-->"),
    (b"WEBVTT\n", b"00:00 -->\n", b""),
    (b'{"utterances":[', b"{},", b""),
]


@pytest.mark.parametrize("size", [MAX_BYTES // 5, pytest.param(MAX_BYTES - 100, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("parts", HOSTILE)
def test_hostile_megabytes_take_seconds_at_most(parts: tuple[bytes, bytes, bytes], size: int) -> None:
    first, repeated, last = parts
    started = time.process_time()
    parses_or_says_why(first + repeated * (size // len(repeated)) + last)
    assert time.process_time() - started < size / MAX_BYTES * 30  # anything quadratic takes hours


def parses_or_says_why(data: bytes) -> bool:
    try:
        cues = parse(data)
    except CaptionError as error:
        assert str(error).endswith(".")
        return False
    assert all(0 <= cue.start_s <= cue.end_s <= MAX_TIME_S and cue.text for cue in cues)
    assert [cue.start_s for cue in cues] == sorted(cue.start_s for cue in cues)
    return True


def test_random_bytes_raise_only_caption_errors() -> None:
    chance = random.Random(20260728)
    for _ in range(2_000):
        parses_or_says_why(chance.randbytes(chance.randrange(400)))


def test_broken_captions_raise_only_caption_errors() -> None:
    chance = random.Random(7)
    good = 0
    for _ in range(3_000):
        data = bytearray(chance.choice([WEBVTT, SRT, json.dumps(UTTERANCES)]).encode())
        for _ in range(chance.randrange(1, 12)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(4)] = chance.choice(NASTY)
        good += parses_or_says_why(bytes(data))
    assert good > 1_000  # most of them can still be read


def check_hostile(files: list[bytes]) -> None:
    for data in files:
        parses_or_says_why(data[:200_000])
        parses_or_says_why(b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n" + data[:200_000])


def test_hostile_files_raise_only_media_errors() -> None:
    check_hostile(list(broken_files().values()))


@pytest.mark.research_data("published collections of hostile files")
def test_published_hostile_files_raise_only_media_errors(shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "hostile").rglob("*")) if path.is_file()]
    check_hostile([path.read_bytes() for path in files])
    assert len(files) > 800


FRENCH = "1\n00:00:01,000 --> 00:00:02,000\nLe café du théâtre\n\n2\n00:00:03,000 --> 00:00:04,000\nétait fermé\n"
TWO_FRENCH = ["Le café du théâtre", "était fermé"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_captions_in_any_encoding_and_with_any_line_ends_are_whole(encoding: str, end: str) -> None:
    captions = read(FRENCH.replace("\n", end).encode(encoding))
    assert [cue.text for cue in captions.cues] == TWO_FRENCH
    assert (captions.lost, captions.damage) == (0, "")


def test_text_up_to_the_next_times_belongs_to_the_cue() -> None:
    data = "1\n00:01,0 --> 00:02,0\nfirst\n\nsecond\n\n2\n00:03,0 --> 00:04,0\n \nthird\n\n"
    data += "3\n00:05,0 --> 00:06,0\n\nlast\n"
    assert said(data.encode()) == ["first second", "third", "last"]


def test_blank_lines_between_all_lines_leave_the_numbers_out() -> None:
    doubled = SRT.replace("\n", "\n\n").replace("<cake>", "&lt;cake&gt;")
    assert parse(doubled.encode()) == SAID


def test_a_number_that_is_said_stays() -> None:
    data = "1\n00:01,0 --> 00:02,0\nhow many?\n\n42\n\n2\n00:03,0 --> 00:04,0\n7\n"
    assert said(data.encode()) == ["how many? 42", "7"]


def test_a_number_that_is_all_the_text_of_the_last_cue_stays() -> None:
    data = "1\n00:01,0 --> 00:02,0\ncount\n\n2\n00:03,0 --> 00:04,0\n3\n"
    assert said(data.encode()) == ["count", "3"]
    assert said((data + "\n3\n").encode()) == ["count", "3"]  # the number of a cue that is cut off


def test_names_and_notes_between_the_cues_of_webvtt_are_not_said() -> None:
    cues = ["one\n00:01.000 --> 00:02.000\nfirst\n\nsecond", "NOTE\nnot\nsaid", "NOTE not said", "STYLE\n::cue {}"]
    assert said(vtt(*cues, "two\n00:03.000 --> 00:04.000\nthird")) == ["first second", "third"]


@pytest.mark.parametrize(
    "times",
    [
        "00:00:01,000 -> 00:00:02,000",
        "00:00:01,000 --&gt; 00:00:02,000",
        "00:00:01,000-->00:00:02,000",
        "00:00:01:000 --> 00:00:02:000",
        "00:00:01.000 → 00:00:02.000",
        "\ufeff00:00:01.000 --> 00:00:02.000",
        "1 00:00:01.000 --> 00:00:02.000",
    ],
)
def test_times_that_are_written_in_another_way_are_read(times: str) -> None:
    assert parse(vtt("00:00.000 --> 00:00.500\nbefore", f"{times}\nsaid"))[1] == Cue(1.0, 2.0, "said")


@pytest.mark.parametrize(
    "text",
    [
        "home --> work",
        "from 5:00 --> 6:00 pm",
        "go\n\nhome --> work",
        "we went\nhome --> work\nand back",
        "6:00 --> up",
        "a --&gt; b",
    ],
)
def test_an_arrow_between_words_is_said(text: str) -> None:
    for head in ("", "WEBVTT\n\n"):
        data = f"{head}1\n00:01,0 --> 00:02,0\n{text}\n\n2\n00:03,0 --> 00:04,0\nlast\n"
        assert said(data.encode()) == [" ".join(text.split()).replace("&gt;", ">"), "last"]


@pytest.mark.parametrize("line", ["6:00 → wake up", "10:30 -> we leave", "12:00 => lunch"])
def test_an_arrow_after_a_time_of_day_is_said(line: str) -> None:
    assert said(vtt(f"00:01.000 --> 00:02.000\n{line}\nthen more")) == [f"{line} then more"]


def test_words_behind_the_times_are_said_and_places_are_not() -> None:
    assert said(vtt("00:01.000 --> 00:02.000 so it is", "00:03.000 --> 00:04.000 align:start X1:10\ngood")) == [
        "so it is",
        "good",
    ]


def test_lines_that_are_damaged_or_without_a_time_are_counted() -> None:
    good = [f"00:{second:02d}.000 --> 00:{second + 1:02d}.000\nwords {second}" for second in range(30)]
    broken = "xx:31.000 --> 00:32.000\nlost"
    little = read(vtt(*good, broken))
    assert (little.lines, little.lost, little.damage) == (31, 1, "")
    much = read(vtt(*good[:3], broken, "00:40.000 --> 00:41.000\nhalf \ufffd\ufffd here"))
    assert (much.lines, much.lost, len(much.cues)) == (5, 2, 4)
    assert much.damage == "2 of 5 lines of the captions are damaged"
