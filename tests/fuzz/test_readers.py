"""Every reader of foreign bytes gets some broken files in each run of the tests, and more when asked.

`make test-fuzz` tries each for ten minutes (FUZZ_SECONDS=600). What it finds becomes a test of the reader.
"""

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.speech.caption_transcript import transcript
from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import read_beir, read_queries
from scraper import sources
from scraper.captions import MAX_TIME_S, CaptionError, parse
from scraper.sniff import HEAD_BYTES, SUFFIXES, sniff
from scraper.text_decoding import decode

FEW = 20
ID = "7000000000000000001"
LINK = f"https://www.tiktok.com/@someone/video/{ID}"
CAPTIONS = (
    "WEBVTT\n\nNOTE x\n\nintro\n00:00:01.000 --> 00:00:02.000 align:start\n<i>tea</i> &amp; cake\n\n00:03.0 --> 4\nx\n",
    "1\n00:00:00,500 --> 00:00:02,000\nétait fermé\n\n2\n00:00:02,500 --> 00:00:04,000\nfor\n5\n",
    '{"utterances": [{"start_time": 500, "end_time": 2000, "text": "tea"}, {"start_time": 1e400, "text": "x"}]}',
)
RECORDS = (
    json.dumps({"id": ID, "desc": "x", "createTime": 1, "author": {"uniqueId": "a"}, "stats": {"diggCount": 5}}),
    json.dumps([{"id": ID, "extractor_key": "TikTok", "webpage_url": LINK, "title": "x", "subtitles": {"en": [{}]}}]),
    json.dumps({"_type": "playlist", "entries": [{"id": ID, "webpage_url": LINK}, None]}),
    json.dumps({"source_platform": "tiktok.com", "timestamp_collected": 1e12, "data": {"id": ID, "desc": "x"}}),
    f'[2, {json.dumps({"id": ID})}]\n[3, "{LINK}", {json.dumps({"id": ID, "category": "tiktok"})}]\n',
    f"id,url,description\n{ID},{LINK},a dog\n",
    f"my links\n{LINK}\nhttps://vm.tiktok.com/abc/\n# no\n",
    f"tiktok {ID}\nyoutube abc\n",
    f'<html><script id="SIGI_STATE">{json.dumps({"ItemModule": {ID: {"id": ID, "desc": "x"}}})}</script></html>',
)
EXPORTS = (
    json.dumps(
        {"Activity": {"Favorite Videos": {"FavoriteVideoList": [{"Date": "2024-01-02 03:04:05", "Link": LINK}]}}}
    ),
    json.dumps({"Your Activity": {"Like List": {"ItemFavoriteList": [{"date": "2024-01-02 03:04:05", "link": LINK}]}}}),
    json.dumps({"Comment": {"Comments": {"CommentsList": [{"date": "2024-01-02 03:04:05", "comment": "x"}]}}}),
    f"Date: 2024-01-02 03:04:05 UTC\nLink: {LINK}\n\nDate: 2024-01-03 03:04:05 UTC\nLink: {LINK}\n",
)
QUERIES = (
    json.dumps([{"id": "q", "text": "a dog", "target": ID}, {"text": "two", "target": ["1", 2], "lang": "en"}]),
    f'id;text;target\nq1;a dog;{ID}\nq2;"two\nlines";1\n',
    f"text\ttarget\na dog\t{ID}\n",
    "<top>\n<num> Number: 1\n<title> a dog\n</top>\n",
    "1\ta dog\n2\ta cat\n",
    f"1 0 {ID} 1\n",
    '{"_id": "1", "title": "x", "text": "a dog"}\n',
)
NASTY = [
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\r\n",
    b'"',
    b"'",
    b"{",
    b"[",
    b"]",
    b"}",
    b"-->",
    b"<",
    b"&#0;",
    b"\xff",
    b"\xfe",
]
NASTY += [
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"9" * 30,
    b"9" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"\\ud800",
]
NASTY += [
    b"[" * 3000,
    b'{"a":' * 3000,
    b"\xc3",
    b"\x1b$B",
    b"\\u0000",
    b"true",
    b"0x",
    "٣".encode(),
    "²".encode(),
    b";",
]
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")


@st.composite
def broken(draw: st.DrawFn, seeds: tuple[str, ...]) -> bytes:
    """A file of a known form that is changed at some places, or plain noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    text = draw(st.sampled_from(seeds)).replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\r\r\n"])))
    data = bytearray(text.encode(draw(st.sampled_from(ENCODINGS)), errors="replace"))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(st.one_of(st.sampled_from(NASTY), st.binary(max_size=6)))
    return bytes(data[: draw(st.one_of(st.none(), st.integers(0, len(data))))])


def decodes(data: bytes, _folder: Path) -> None:
    decoded = decode(data)
    assert "\r" not in decoded.text and decoded.lost >= 0
    decoded.text.encode()


def reads_captions(data: bytes, folder: Path) -> None:
    path = folder / "x.en.srt"
    path.write_bytes(data)
    try:
        captions = parse(data)
    except CaptionError as error:
        assert str(error).endswith(".")
        return
    assert 0 <= captions.lost <= captions.lines
    assert all(0 <= cue.start_s <= cue.end_s <= MAX_TIME_S and cue.text for cue in captions.cues)
    assert [cue.start_s for cue in captions.cues] == sorted(cue.start_s for cue in captions.cues)
    if captions.cues:
        assert transcript(path, "en", "").damage == captions.damage


def reads_records(data: bytes, folder: Path) -> None:
    for suffix in (".json", ".jsonl", ".csv", ".txt", ".html"):
        path = folder / f"x{suffix}"
        path.write_bytes(data)
        for found in sources.read(path):
            if isinstance(found, sources.ParsedRecord):
                found.video.model_dump_json().encode()
            else:
                str(found).encode()


def reads_queries(data: bytes, folder: Path) -> None:
    for name in ("x.json", "x.csv", "x.tsv", "x.txt", "corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        (folder / name).write_bytes(data)
    (folder / "one.txt").write_text("1\ta dog\n")
    (folder / "one.qrels").write_text("1 0 2 1\n")
    pairs = [("x.json", None), ("x.csv", None), ("x.tsv", None), ("x.txt", "one.qrels"), ("one.txt", "x.txt")]
    for name, qrels in pairs:
        try:
            for query in read_queries(folder / name, folder / qrels if qrels else None):
                assert query.text and query.id.split() == [query.id]
        except EvaluationError as error:
            str(error).encode()
    for name, good in (("corpus.jsonl", QUERIES[-1]), ("queries.jsonl", QUERIES[-1]), ("qrels.tsv", "1\t1\t1\n")):
        try:
            read_beir(folder)
        except EvaluationError as error:
            str(error).encode()
        (folder / name).write_text(good)


def sniffs(data: bytes, _folder: Path) -> None:
    for kind in SUFFIXES:
        assert sniff(data[:HEAD_BYTES], kind) in (None, *SUFFIXES[kind])


READERS: dict[str, tuple[Callable[[bytes, Path], None], tuple[str, ...]]] = {
    "text": (decodes, (*CAPTIONS, *RECORDS)),
    "captions": (reads_captions, CAPTIONS),
    "records": (reads_records, RECORDS),
    "exports": (reads_records, EXPORTS),
    "queries": (reads_queries, QUERIES),
    "types": (sniffs, (*CAPTIONS, *RECORDS)),
}


def fuzz(reader: str, folder: Path, examples: int) -> None:
    read, seeds = READERS[reader]

    @settings(
        max_examples=examples,
        deadline=timedelta(seconds=20),
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=broken(seeds))
    def attempt(data: bytes) -> None:
        read(data, folder)

    attempt()


@pytest.mark.parametrize("reader", READERS)
def test_no_broken_file_raises_what_its_reader_does_not_announce(reader: str, tmp_path: Path) -> None:
    fuzz(reader, tmp_path, FEW)


@pytest.mark.faults
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("reader", READERS)
def test_ten_minutes_of_broken_files(reader: str, tmp_path: Path) -> None:
    until = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "600"))
    while time.monotonic() < until:
        fuzz(reader, tmp_path, 100)
