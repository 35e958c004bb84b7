import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from scraper.sources import ParsedRecord, Problem, Skipped, SourceError, check, read


def console_record(video_id: str = "7000000000000000001", **changes: object) -> dict[str, Any]:
    record: dict[str, Any] = {
        "video-src": "blob:https://www.tiktok.example/1234",
        "coverphoto-src": "https://cdn.example/cover.jpeg?x-expires=1",
        "permalink": f"https://www.tiktok.example/@somebody/video/{video_id}?is_from_webapp=1",
        "web-id": "7172441959205652014",
        "id": video_id,
        "like-count": "20.2K",
        "comment-count": "113",
        "creator-username": "@somebody",
        "creator-nickname": "Some Body",
        "timeposted": "1d ago",
        "music-title": "original sound",
        "music-src": "https://www.tiktok.example/music/original-sound-1",
        "description": "how to #knit",
        "comments": [
            {
                "commenter-username": "@fan",
                "comment-text": "first",
                "time-posted": "5h ago ",
                "like-count": "1.2K",
                "replies-count": "6",
            }
        ],
        "scrape-timestamp": 1669964598.434,
    }
    return record | changes


def found(source: Path) -> list[ParsedRecord]:
    results = [result for result in read(source) if not isinstance(result, Skipped)]
    assert all(isinstance(result, ParsedRecord) for result in results), results
    return [result for result in results if isinstance(result, ParsedRecord)]


def problems(source: Path) -> list[Problem]:
    return [result for result in read(source) if isinstance(result, Problem)]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_batch_of_the_console_script_is_read_with_all_its_values(tmp_path: Path) -> None:
    [only] = found(write(tmp_path / "batch_1.json", [console_record()]))
    video = only.video
    assert (video.creator_username, video.likes, video.comment_count) == ("somebody", 20_200, 113)
    assert (video.posted, video.hashtags, video.web_id) == ("2022-12-01", ["knit"], "7172441959205652014")
    assert video.video_sources == ["blob:https://www.tiktok.example/1234"]
    [comment] = video.comments
    assert (comment.username, comment.text, comment.likes, comment.replies) == ("fan", "first", 1200, 6)


def test_the_posted_time_is_found_under_its_later_name(tmp_path: Path) -> None:
    record = console_record() | {"time-posted": "2020-3-28"}
    del record["timeposted"]
    assert found(write(tmp_path / "b.json", [record]))[0].video.posted == "2020-03-28"


def test_a_missing_id_is_taken_from_the_permalink(tmp_path: Path) -> None:
    record = console_record("7000000000000000009")
    del record["id"]
    assert found(write(tmp_path / "b.json", [record]))[0].video.id == "7000000000000000009"


def test_a_bad_record_is_one_problem_and_does_not_affect_others(tmp_path: Path) -> None:
    bad = [console_record(id="../x"), "text", None, console_record(comments="none"), console_record(description=["x"])]
    path = write(
        tmp_path / "b.json", [console_record("7000000000000000001"), *bad, console_record("7000000000000000002")]
    )
    results = list(read(path))
    assert [r.video.id for r in results if isinstance(r, ParsedRecord)] == [
        "7000000000000000001",
        "7000000000000000002",
    ]
    reported = [r for r in results if isinstance(r, Problem)]
    assert [problem.index for problem in reported] == [1, 2, 3, 4, 5]
    assert all(problem.file == str(path) and problem.reason for problem in reported)
    assert "id" in reported[0].reason and "str" in reported[1].reason and "comments" in reported[3].reason


def test_records_before_the_cut_of_a_truncated_batch_are_kept(tmp_path: Path) -> None:
    whole = json.dumps([console_record("7000000000000000001"), console_record("7000000000000000002")])
    path = write(tmp_path / "b.json", whole[:-200])
    results = list(read(path))
    assert [r.video.id for r in results if isinstance(r, ParsedRecord)] == ["7000000000000000001"]
    [problem] = [r for r in results if isinstance(r, Problem)]
    assert problem.index == 1 and "is broken" in problem.reason


@pytest.mark.parametrize(
    "text", ["", "hello", "[" * 100_000, "[1e999999", '{"id": ', "\x00\x01", "[NaN, {}]", "<html></html>"]
)
def test_a_file_without_records_is_one_clear_problem(tmp_path: Path, text: str) -> None:
    reported = problems(write(tmp_path / "b.json", text))
    assert reported and all(problem.reason for problem in reported)


def test_json_lines_name_texts_and_files_only_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "lines" / "media").mkdir(parents=True)
    (tmp_path / "lines" / "media" / "c.jpg").write_bytes(b"jpg")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "lines" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    good = {"id": "70000", "description": "d", "transcript": None, "cover_text": "", "cover_file": "media/c.jpg"}
    lines = [good, good | {"cover_file": "../secret.jpg"}, good | {"cover_file": "link.jpg"}, good | {"cover_text": 3}]
    path = write(tmp_path / "lines" / "a.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n{broken\n")
    results = list(read(path))
    [only] = [r for r in results if isinstance(r, ParsedRecord)]
    assert only.texts == {"cover": "", "transcript": None}
    assert only.files == [("cover", 0, tmp_path / "lines" / "media" / "c.jpg")]
    assert [r.index for r in results if isinstance(r, Problem)] == [1, 2, 3, 4]


def test_the_study_layout_has_texts_and_media_by_id(tmp_path: Path) -> None:
    one, two, three = "7000000000000000001", "7000000000000000002", "7000000000000000003"
    write(tmp_path / "info" / "batch_2.json", [console_record(three)])
    write(tmp_path / "info" / "batch_1.json", [console_record(one), console_record(two)])
    write(tmp_path / "ocr.json", {one: "SALE", two: None, three: 5})
    write(tmp_path / "speech_to_text.json", {one: ""})
    for name in ("coverphotos/" + one + ".jpg", "videos/" + one + ".mp4", f"slides/{two}_1.jpg", f"slides/{two}_2.png"):
        write(tmp_path / name, "x")
    results = list(read(tmp_path))
    taken = [r for r in results if isinstance(r, ParsedRecord)]
    assert [r.video.id for r in taken] == [one, two, three]
    assert [r.texts for r in taken] == [{"cover": "SALE", "transcript": ""}, {"cover": None}, {}]
    assert [(kind, n, path.name) for kind, n, path in taken[0].files] == [
        ("cover", 0, f"{one}.jpg"),
        ("video", 0, f"{one}.mp4"),
    ]
    assert [(kind, n) for kind, n, _ in taken[1].files] == [("slide", 0), ("slide", 1)]
    [problem] = [r for r in results if isinstance(r, Problem)]
    assert three in problem.reason


def test_a_saved_page_gives_its_video_and_the_files_beside_it(tmp_path: Path) -> None:
    item = {
        "id": "7000000000000000001",
        "desc": "tea &amp; cake",
        "createTime": "1690656555",
        "author": "baker",
        "nickname": "The Baker",
        "music": {"title": "hum"},
        "stats": {"diggCount": 7705, "commentCount": 241},
        "video": {
            "playAddr": "https://cdn.example/v.mp4",
            "originCover": "https://cdn.example/c.jpg",
            "subtitleInfos": [
                {"LanguageCodeName": "eng-US", "Source": "ASR", "Format": "webvtt", "Url": "https://c.example"}
            ],
        },
    }
    state = json.dumps({"ItemModule": {item["id"]: item}})
    write(tmp_path / "page.html", f'<html><script id="SIGI_STATE" type="application/json">{state}</script></html>')
    write(tmp_path / "video.mp4", "x")
    [only] = found(tmp_path)
    assert (only.video.description, only.video.creator_nickname, only.video.posted) == (
        "tea & cake",
        "The Baker",
        "2023-07-29",
    )
    assert only.video.captions[0].source == "ASR" and only.video.likes == 7705
    assert only.files == [("video", 0, tmp_path / "video.mp4")]


def test_a_folder_without_records_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no video"):
        list(read(tmp_path))
    with pytest.raises(SourceError, match="does not exist"):
        list(read(tmp_path / "nowhere"))


@pytest.mark.parametrize("mode", [0o000, 0o444])  # the files of the second may be listed but not opened
@pytest.mark.parametrize("name", ["info", "others"])
def test_a_folder_without_permission_is_a_problem_and_does_not_affect_others(
    name: str, mode: int, unprivileged: Path
) -> None:
    write(unprivileged / "batch_1.json", [console_record()])
    write(unprivileged / name / "batch_2.json", [console_record("7000000000000000002")])
    (unprivileged / name).chmod(mode)
    results = list(read(unprivileged))
    assert [found.video.id for found in results if isinstance(found, ParsedRecord)] == ["7000000000000000001"]
    assert [str(found) for found in results if isinstance(found, Problem)] == [
        f"{unprivileged / name}: cannot be read: Permission denied"
    ]


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_source_without_permission_is_not_called_empty(mode: int, unprivileged: Path) -> None:
    folder = write(unprivileged / "export" / "info" / "batch_1.json", [console_record()]).parent
    folder.chmod(mode)
    with pytest.raises(SourceError, match="info cannot be read: Permission denied"):
        check(folder.parent)


@pytest.mark.research_data("the records of a real study")
def test_the_real_study_has_3100_records_and_no_problem(shared_data: Path) -> None:
    results = list(read(shared_data / "tiktok"))
    assert len(results) == 3100 and all(isinstance(result, ParsedRecord) for result in results)
    videos = [result.video for result in results if isinstance(result, ParsedRecord)]
    assert all(video.posted and video.likes is not None for video in videos)
    assert sum(link.startswith("blob:") for video in videos for link in video.video_sources) == 21


@pytest.mark.research_data("a page as the site served it")
def test_the_real_saved_page_is_read(shared_data: Path) -> None:
    [only] = found(shared_data / "one_video")
    assert only.video.captions and only.files[0][0] == "video"


def test_several_json_lists_in_a_row_are_all_read(tmp_path: Path) -> None:
    one, two = (json.dumps([console_record(f"700000000000000000{n}")]) for n in (1, 2))
    assert len(found(write(tmp_path / "b.json", f"{one}\n{two}\n"))) == 2


def test_text_after_a_batch_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "b.json", json.dumps([console_record()]) + "\n{more}")
    assert [type(result) for result in read(path)] == [ParsedRecord, Problem]


def test_a_broken_first_line_does_not_affect_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "oops\n" + json.dumps({"id": "70000"}))
    assert [type(result) for result in read(path)] == [Problem, ParsedRecord]


def test_hostile_values_affect_only_their_record(tmp_path: Path) -> None:
    huge = json.dumps(console_record() | {"like-count": 7}).replace('"like-count": 7', '"like-count": ' + "9" * 5000)
    lines = [huge, json.dumps({"id": "70001", "video_file": "a" * 5000}), '{"id": "70002"}']
    results = list(read(write(tmp_path / "a.jsonl", "\n".join(lines))))
    assert [type(result) for result in results] == [ParsedRecord, Problem, ParsedRecord]


UNKNOWN_FORMS: list[dict[str, Any]] = [
    {"createTime": 1e300},
    {"imagePost": {"images": [{"imageURL": {"urlList": {"a": 1}}}]}},
]


@pytest.mark.parametrize("change", UNKNOWN_FORMS)
def test_a_saved_page_of_an_unknown_form_is_a_problem(tmp_path: Path, change: dict[str, Any]) -> None:
    state = json.dumps({"ItemModule": {"7000000000000000001": {"id": "7000000000000000001"} | change}})
    assert problems(write(tmp_path / "page.html", f'<html><script id="SIGI_STATE">{state}</script></html>'))


def test_a_link_among_the_media_of_a_study_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "secret.jpg", "secret")
    write(tmp_path / "study" / "info" / "batch_1.json", [console_record("70001")])
    (tmp_path / "study" / "coverphotos").mkdir()
    (tmp_path / "study" / "coverphotos" / "70001.jpg").symlink_to(tmp_path / "secret.jpg")
    assert found(tmp_path / "study")[0].files == []


def test_a_hostile_page_and_deep_nesting_are_refused_in_time(tmp_path: Path) -> None:
    page = "<html>" + '<script id="SIGI_STATE">' * 20_000 + "<script " * 100_000
    nested = '{"Activity": ' + '{"a": [' * 400 + '{"Link": 1}' + "]}" * 400 + "}"
    names = '{"Activity": {"' + "k" * 500_000 + '": [' + '{"Link": ""}, ' * 2_000 + "0]}}"
    started = time.monotonic()
    for text in (page, '{"a":' * 100_000):
        assert problems(write(tmp_path / "x", text))
    for text, entries in ((nested, 1), (names, 2_000)):
        [skipped] = read(write(tmp_path / "x", text))
        assert isinstance(skipped, Skipped) and skipped.count == entries
    assert time.monotonic() - started < 60  # anything quadratic takes hours


def test_a_deeply_nested_value_affects_only_its_record(tmp_path: Path) -> None:
    deep = ["[" * depth + "]" * depth for depth in range(400, 1000, 10)]
    records = [json.dumps(console_record(permalink="DEEP")).replace('"DEEP"', value) for value in deep]
    results = list(read(write(tmp_path / "b.jsonl", "\n".join([*records, '{"id": "70001"}']))))
    assert len(results) == len(records) + 1 and isinstance(results[-1], ParsedRecord)


@pytest.mark.research_data("the records of a real study")
def test_all_real_batches_give_complete_records(shared_data: Path) -> None:
    batches = sorted((shared_data / "tiktok" / "info").glob("*.json"))
    results = [result for batch in batches for result in read(batch)]
    assert (len(batches), len(results)) == (7, 3100)
    assert all(isinstance(result, ParsedRecord) and result.video.creator_nickname for result in results)


@pytest.mark.research_data("a page as the site served it")
def test_the_real_page_gives_every_link_and_its_counts(shared_data: Path) -> None:
    [only] = found(shared_data / "one_video")
    video = only.video
    assert all((video.likes, video.comment_count, video.plays, video.shares))
    assert len(video.video_sources) > 3 and len(video.captions) == 13
    assert [track.source for track in video.captions] == ["ASR"] + ["MT"] * 12


def test_a_symbolic_link_in_a_folder_is_a_problem_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "private" / "my.json", [console_record()])
    write(tmp_path / "folder" / "b.json", [console_record("7000000000000000002")])
    (tmp_path / "folder" / "a.json").symlink_to("../private/my.json")
    linked, own = read(tmp_path / "folder")
    assert isinstance(own, ParsedRecord) and own.video.id == "7000000000000000002"
    assert isinstance(linked, Problem) and linked.file.endswith("a.json") and "link" in linked.reason


def test_no_part_of_a_study_may_be_a_symbolic_link(tmp_path: Path) -> None:
    private, study = tmp_path / "private", tmp_path / "study"
    write(private / "my.json", [console_record()])
    write(private / "texts.json", {"70001": "secret"})
    write(private / "70001.jpg", "secret")
    write(study / "info" / "batch_2.json", [console_record("70001")])
    (study / "info" / "batch_1.json").symlink_to("../../private/my.json")
    for name in ("ocr.json", "speech_to_text.json"):
        (study / name).symlink_to("../private/texts.json")
    (study / "coverphotos").symlink_to("../private")
    results = list(read(study))
    assert [(r.video.id, r.texts, r.files) for r in results if isinstance(r, ParsedRecord)] == [("70001", {}, [])]
    reported = [Path(r.file).name for r in results if isinstance(r, Problem) and "link" in r.reason]
    assert sorted(reported) == ["batch_1.json", "coverphotos", "ocr.json", "speech_to_text.json"]
    write(tmp_path / "other" / "x.json", [console_record("70001")])
    (tmp_path / "other" / "info").symlink_to("../study/info")
    with pytest.raises(SourceError, match="info is a symbolic link"):
        list(read(tmp_path / "other"))


def test_a_symbolic_link_given_by_the_user_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.json", [console_record()])
    (tmp_path / "file").symlink_to("real/a.json")
    (tmp_path / "folder").symlink_to("real")
    assert found(tmp_path / "file")[0].video == found(tmp_path / "folder")[0].video


def test_a_source_is_checked_without_reading_a_record(tmp_path: Path) -> None:
    broken = write(tmp_path / "study" / "info" / "batch_1.json", "broken")
    write(tmp_path / "bare" / "info" / "x.docx", "x")
    write(tmp_path / "other" / "x.exe", "x")
    for readable in (broken, tmp_path / "study", tmp_path / "study" / "info"):
        check(readable)
    for source, why in (("bare", "no video"), ("other", "nothing to import"), ("none", "does not exist")):
        with pytest.raises(SourceError, match=why):
            check(tmp_path / source)


def test_problems_are_safe_to_print(tmp_path: Path) -> None:
    orders = "\x1b]0;pwned\x07\x1b[2J\x9b2J\x7f\u202e\u2066"
    text = f"see {orders}\nhttps://www.tiktok.com/@b/video/70001"
    path = write(tmp_path / os.fsdecode(b"caf\xe9\x1b[2J\n.txt"), text)
    [problem] = problems(path)
    said = str(problem)
    assert said.isprintable() and "pwned" in said and r"\x1b" in said and r"caf\udce9\x1b[2J\n.txt" in said
    json.dumps(problem.as_dict(), ensure_ascii=False).encode()  # as `import --json` writes it
    kept = Problem("مرحبا.json", None, "è, 看, 👩‍👩‍👧")
    assert (kept.file, kept.reason) == ("مرحبا.json", "è, 看, 👩‍👩‍👧")


def test_folders_that_are_too_deep_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraper.sources.MAX_DEPTH", 2)
    write(tmp_path / "a" / "b" / "c" / "links.txt", "https://www.tiktok.com/@a/video/70001")
    write(tmp_path / "a" / "links.txt", "https://www.tiktok.com/@a/video/70002")
    results = list(read(tmp_path))
    assert [one.video.id for one in results if isinstance(one, ParsedRecord)] == ["70002"]
    [problem] = [one for one in results if isinstance(one, Problem)]
    assert problem.file.endswith("a/b/c") and "too deep" in problem.reason


def test_a_huge_text_is_reported_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraper.sources.MAX_RECORD_BYTES", 10)
    [problem] = read(write(tmp_path / "links.txt", "https://www.tiktok.com/@a/video/70001"))
    assert isinstance(problem, Problem) and "more than" in problem.reason
