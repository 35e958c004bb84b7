"""The sample corpus is as data/README.md describes it."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest
import regex
from PIL import Image

from data.make_sample import (
    read_videos,
    record,
    scraped_count,
    write_queries,
    write_queries_by_language,
    write_queries_seen,
)
from scraper import files
from scripts.train_toy_vision import caption, thing_names
from tests.command_line import REPOSITORY

KEYS = {
    "video-src", "coverphoto-src", "permalink", "web-id", "id", "like-count", "comment-count", "creator-username",
    "creator-nickname", "time-posted", "music-title", "music-src", "description", "comments", "scrape-timestamp",
}  # fmt: skip
COMMENT_KEYS = {"commenter-username", "comment-text", "time-posted", "like-count", "replies-count"}
MAX_BYTES = 15_000_000  # a clone should stay small
MAX_SHARED_CHARS = 20  # of a question with its video, one after the other; names of things are as long
SCRIPT = Path(__file__).resolve().parent.parent / "data" / "make_sample.py"


@pytest.fixture(scope="module")
def records(sample_corpus: Path) -> list[dict[str, Any]]:
    batches = sorted((sample_corpus / "info").glob("batch_*.json"), key=lambda path: int(path.stem.split("_")[1]))
    return [entry for batch in batches for entry in read(batch)]


@pytest.fixture(scope="module")
def queries(sample_corpus: Path) -> list[dict[str, str]]:
    return list(read(sample_corpus / "queries.json"))


@pytest.fixture(scope="module")
def spoken(sample_corpus: Path) -> dict[str, list[dict[str, Any]]]:
    return dict(read(sample_corpus / "spoken.json"))


def test_there_are_at_least_160_videos_with_unique_19_digit_ids(records: list[dict[str, Any]]) -> None:
    ids = [entry["id"] for entry in records]
    assert len(ids) == len(set(ids)) >= 160
    assert all(len(id_) == 19 and id_.isdigit() and id_.startswith("9000000000000000") for id_ in ids)


def test_every_record_has_the_keys_the_console_script_writes(records: list[dict[str, Any]]) -> None:
    for entry in records:
        assert set(entry) - {"slides-src"} == KEYS
        assert entry["creator-username"].startswith("@")
        for comment in entry["comments"]:
            assert set(comment) == COMMENT_KEYS
            assert all(isinstance(value, str) for value in comment.values())
            assert comment["comment-text"].strip()


def test_every_link_leads_to_a_reserved_domain(records: list[dict[str, Any]]) -> None:
    for entry in records:
        handle, kind = entry["creator-username"], "photo" if "slides-src" in entry else "video"
        assert entry["permalink"] == f"https://www.tiktok.example/{handle}/{kind}/{entry['id']}"
        assert entry["music-src"].startswith("https://www.tiktok.example/")
        assert entry["video-src"] == entry["coverphoto-src"] == ""


def test_descriptions_range_from_empty_to_a_page(records: list[dict[str, Any]]) -> None:
    lengths = [len(entry["description"]) for entry in records]
    assert lengths.count(0) >= 3
    assert sum(length >= 500 for length in lengths) >= 3


def test_videos_have_from_no_comments_to_a_dozen(records: list[dict[str, Any]]) -> None:
    counts = {len(entry["comments"]) for entry in records}
    assert 0 in counts
    assert max(counts) >= 10


def test_descriptions_are_in_at_least_six_scripts(records: list[dict[str, Any]]) -> None:
    texts = "".join(entry["description"] for entry in records)
    scripts = {unicodedata.name(letter).split()[0] for letter in set(texts) if letter.isalpha()}
    assert scripts >= {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "HANGUL", "HIRAGANA", "CJK"}


def test_every_video_has_a_cover_in_portrait_format(sample_corpus: Path, records: list[dict[str, Any]]) -> None:
    for entry in records:
        with Image.open(sample_corpus / "coverphotos" / f"{entry['id']}.jpg") as cover:
            cover.load()
            assert cover.size == (360, 640)


def test_photo_posts_have_two_to_five_slides(sample_corpus: Path, records: list[dict[str, Any]]) -> None:
    posts = [entry for entry in records if "slides-src" in entry]
    assert len(posts) >= 10
    for entry in posts:
        files = sorted(path.name for path in (sample_corpus / "slides").glob(f"{entry['id']}_*.jpg"))
        assert files == [f"{entry['id']}_{number}.jpg" for number in range(1, len(entry["slides-src"]) + 1)]
        assert 2 <= len(files) <= 5


def test_at_least_twelve_clips_have_pictures_and_sound(
    sample_corpus: Path, spoken: dict[str, list[dict[str, Any]]]
) -> None:
    with_both = 0
    for path in (sample_corpus / "videos").glob("*.mp4"):
        with av.open(str(path)) as clip:
            assert clip.duration is not None
            seconds = clip.duration / av.time_base
            assert clip.streams.video[0].codec_context.name == "h264"
            with_both += bool(clip.streams.audio)
        assert 8 <= seconds <= 26
        assert all(0 <= words["start_s"] < words["end_s"] < seconds for words in spoken[path.stem])
    assert with_both >= 12


def test_the_sound_is_louder_where_the_reference_has_speech(
    sample_corpus: Path, spoken: dict[str, list[dict[str, Any]]]
) -> None:
    for id_, sentences in spoken.items():
        if not sentences:
            continue
        with av.open(str(sample_corpus / "videos" / f"{id_}.mp4")) as clip:
            rate = clip.streams.audio[0].rate
            sound = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
        speaking = np.zeros(len(sound), bool)
        for words in sentences:
            speaking[round(words["start_s"] * rate) : round(words["end_s"] * rate)] = True
        assert np.std(sound[speaking]) > 2 * np.std(sound[~speaking]), id_


def test_some_clips_have_no_speech(spoken: dict[str, list[dict[str, Any]]]) -> None:
    assert sum(not sentences for sentences in spoken.values()) >= 3


def test_speech_is_repeated_in_no_other_field(
    records: list[dict[str, Any]], spoken: dict[str, list[dict[str, Any]]]
) -> None:
    written = " ".join(
        " ".join([entry["description"], *(comment["comment-text"] for comment in entry["comments"])])
        for entry in records
    ).lower()
    for words in (words for sentences in spoken.values() for words in sentences):
        assert words["text"].lower() not in written


def test_every_query_targets_a_video_that_exists(records: list[dict[str, Any]], queries: list[dict[str, str]]) -> None:
    assert len(queries) >= 40
    assert {query["target"] for query in queries} <= {entry["id"] for entry in records}
    kinds = {"said", "written", "description", "comments", "creator", "music", "topic"}
    assert {query["remembers"] for query in queries} == kinds
    assert len({query["text"] for query in queries}) == len(queries)


def test_the_qrels_match_the_queries(sample_corpus: Path, queries: list[dict[str, str]]) -> None:
    header, *lines = (sample_corpus / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    assert lines == [f"q{number}\t{query['target']}\t1" for number, query in enumerate(queries, 1)]


def test_queries_about_speech_target_videos_with_speech(
    queries: list[dict[str, str]], spoken: dict[str, list[dict[str, Any]]]
) -> None:
    assert all(spoken[query["target"]] for query in queries if query["remembers"] == "said")


@pytest.fixture(scope="module")
def queries_by_language(sample_corpus: Path) -> list[dict[str, Any]]:
    return list(read(sample_corpus / "queries_by_language.json"))


def test_each_language_has_eight_known_items_in_it_and_across_and_one_question_without_an_answer(
    queries_by_language: list[dict[str, Any]],
) -> None:
    for language in {video.get("lang", "en") for video in read_videos()}:
        asked = [query for query in queries_by_language if query["language"] == language]
        kinds = Counter("none" if query.get("unanswerable") else query["across"] for query in asked)
        assert kinds[True] >= 3 and kinds[False] >= 3 and kinds[True] + kinds[False] >= 8, language
        assert kinds["none"] >= 1, language


def test_questions_by_language_name_their_videos_and_the_languages_of_these(
    queries_by_language: list[dict[str, Any]],
) -> None:
    languages = {video["id"]: video.get("lang", "en") for video in read_videos()}
    for query in queries_by_language:
        if not query.get("unanswerable"):
            assert query["video-language"] == languages[query["target"]]
            assert query["across"] == (query["language"] != query["video-language"])
    assert len({query["text"] for query in queries_by_language}) == len(queries_by_language)


def test_no_question_by_language_copies_a_sentence_of_its_video(queries_by_language: list[dict[str, Any]]) -> None:
    videos = {video["id"]: video for video in read_videos()}
    for query in queries_by_language:
        if not query.get("unanswerable"):
            video = videos[query["target"]]
            said = [words["say"] for words in video.get("speech", [])]
            texts = " ".join([video["text"], video["cover"], video["comments"], *video.get("slides", []), *said])
            longest = SequenceMatcher(None, query["text"].casefold(), texts.casefold(), autojunk=False)
            assert longest.find_longest_match().size <= MAX_SHARED_CHARS, query["text"]


def test_long_questions_ramble_in_other_words_than_their_videos(
    records: list[dict[str, Any]], sample_corpus: Path, tmp_path: Path
) -> None:
    asked = read(sample_corpus / "queries_long.json")
    videos = {video["id"]: video for video in read_videos()}
    assert len(asked) >= 20 and len({query["target"] for query in asked}) == len(asked)
    for query in asked:
        video = videos[query["target"]]
        said = [words["say"] for words in video.get("speech", [])]
        texts = " ".join([video["text"], video["cover"], video["comments"], *video.get("slides", []), *said])
        longest = SequenceMatcher(None, query["text"].casefold(), texts.casefold(), autojunk=False)
        assert longest.find_longest_match().size <= MAX_SHARED_CHARS, query["text"]
        assert query["evidence"] and 100 < len(query["text"]) <= 1_000
    write_queries(tmp_path, {video["slug"]: video["id"] for video in read_videos()})
    for name in ("queries_long.json", "queries.json", "qrels.tsv"):
        assert (tmp_path / name).read_bytes() == (sample_corpus / name).read_bytes()


def test_the_shipped_questions_by_language_are_what_the_script_writes(sample_corpus: Path, tmp_path: Path) -> None:
    write_queries_by_language(tmp_path, {video["slug"]: video for video in read_videos()})
    written = (tmp_path / "queries_by_language.json").read_text(encoding="utf-8")
    assert written == (sample_corpus / "queries_by_language.json").read_text(encoding="utf-8")


def test_the_shipped_questions_about_what_is_drawn_are_what_the_script_writes(
    sample_corpus: Path, tmp_path: Path
) -> None:
    write_queries_seen(tmp_path, {video["slug"]: video["id"] for video in read_videos()})
    written = (tmp_path / "queries_seen.json").read_text(encoding="utf-8")
    assert written == (sample_corpus / "queries_seen.json").read_text(encoding="utf-8")


def test_what_is_asked_about_drawings_is_written_nowhere(sample_corpus: Path) -> None:
    videos = {video["id"]: video for video in read_videos()}
    questions = read(sample_corpus / "queries_seen.json")
    assert len(questions) == 20 == len({question["target"] for question in questions})
    for question in questions:
        video = videos[question["target"]]
        said = [words["say"] for words in video.get("speech", [])]
        caption = video.get("clip", {}).get("caption", "")
        texts = " ".join(
            [video["text"], video["cover"], video["comments"], video["by"], video.get("music", ""), caption]
        )
        written = set(re.findall(r"\w+", " ".join([texts, *said]).casefold()))
        asked = {word for word in re.findall(r"\w{4,}", question["text"]) if word not in ("with", "over", "under")}
        assert not asked & written, question["text"]


def test_questions_about_drawings_are_kept_apart_from_the_captions_of_the_toy(sample_corpus: Path) -> None:
    videos, names, rng = {video["id"]: video for video in read_videos()}, thing_names(), Random(1)
    for question in read(sample_corpus / "queries_seen.json"):
        video = videos[question["target"]]
        shown = [glyph for glyph in regex.findall(r"\X", video["emoji"]) if glyph in names]
        captions = {caption(shown, video["scene"], names, rng) for _ in range(300)}
        assert question["text"] not in captions


def test_the_weights_of_the_toy_have_their_checksum_and_are_small() -> None:
    folder = REPOSITORY / "data" / "toy_vision"
    digest, name = (folder / "SHA256SUMS").read_text(encoding="utf-8").split()
    assert files.sha256(folder / name) == digest and (folder / name).stat().st_size < 3_000_000


def test_the_sample_stays_small(sample_corpus: Path) -> None:
    assert sum(path.stat().st_size for path in sample_corpus.rglob("*") if path.is_file()) < MAX_BYTES


def test_the_shipped_records_are_what_the_script_writes(records: list[dict[str, Any]]) -> None:
    assert [record(video, place) for place, video in enumerate(read_videos())] == records


@pytest.mark.parametrize(
    ("number", "shown"),
    [(873, "873"), (9_999, "9999"), (20_150, "20.1K"), (999_949, "999.9K"), (999_960, "1M"), (1_100_000, "1.1M")],
)
def test_counts_are_abbreviated_as_on_the_site(number: int, shown: str) -> None:
    assert scraped_count(number) == shown


def test_without_espeak_the_script_says_what_to_install(tmp_path: Path) -> None:
    answer = run_script("--out", str(tmp_path / "new"), path="")
    assert answer.returncode == 1
    assert "espeak-ng" in answer.stderr.splitlines()[0]
    assert "apt install" in answer.stderr
    assert not (tmp_path / "new").exists()


def test_the_script_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    answer = run_script("--out", str(tmp_path))
    assert answer.returncode == 1
    assert "nothing was changed" in answer.stderr
    assert (tmp_path / "diary.txt").read_text() == "mine"


def run_script(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    settings = os.environ if path is None else {**os.environ, "PATH": path}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env=settings, capture_output=True, text=True, timeout=120
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
