"""Exports of other programs and of the site: yt-dlp, gallery-dl, the data export, lists of links."""

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scraper.sources import ParsedRecord, Problem, Skipped, read
from tests.scraper.test_sources import console_record, found, problems, write


def yt_dlp_info(video_id: str, **changes: object) -> dict[str, Any]:
    address = f"https://www.tiktok.com/@baker/video/{video_id}"
    info = {"id": video_id, "extractor_key": "TikTok", "webpage_url": address, "description": "tea", "epoch": 1}
    return info | changes


def gallery_item(video_id: str, number: int = 0, **changes: object) -> dict[str, Any]:
    item = {"category": "tiktok", "subcategory": "post", "id": video_id, "desc": "tea", "createTime": 1690000000}
    return item | {"author": {"uniqueId": "baker"}, "type": "image", "num": number} | changes


def ids(results: list[ParsedRecord]) -> list[str]:
    return [result.video.id for result in results]


def records(source: Path) -> list[ParsedRecord]:
    return [result for result in read(source) if isinstance(result, ParsedRecord)]


def test_the_format_is_detected_by_content_not_by_name(tmp_path: Path) -> None:
    contents: list[object] = [
        [console_record("70001")],
        yt_dlp_info("70002"),
        gallery_item("70003"),
        {"Activity": {"Like List": {"ItemFavoriteList": [{"Date": "", "Link": "https://tiktok.com/@a/video/70004"}]}}},
        "https://www.tiktok.com/@a/video/70005",
        {"id": "70006"},
        {"id": "70007", "desc": "", "createTime": "1", "author": "a"},
    ]
    sources = [found(write(tmp_path / f"{n}.dat", content))[0].video for n, content in enumerate(contents)]
    assert [video.id for video in sources] == [f"7000{n}" for n in range(1, 8)]
    wanted = ["console script", "yt-dlp", "gallery-dl", "data export", "list of links", "json lines", "saved page"]
    assert [video.source for video in sources] == wanted


def test_a_playlist_of_yt_dlp_gives_its_videos_and_names_failed_ones(tmp_path: Path) -> None:
    flat = {"_type": "url", "ie_key": "TikTok", "id": "70002", "url": "https://www.tiktok.com/@baker/video/70002"}
    inner = {"_type": "playlist", "entries": [flat, yt_dlp_info("70003", extractor_key="Youtube")]}
    entries = [yt_dlp_info("70001"), None, inner, "text", {"_type": "playlist", "entries": None}]
    results = list(read(write(tmp_path / "x.json", {"_type": "playlist", "id": "baker", "entries": entries})))
    assert ids([r for r in results if isinstance(r, ParsedRecord)]) == ["70001", "70002"]
    reported = [r.reason for r in results if isinstance(r, Problem)]
    assert len(reported) == 4 and "entry 1: yt-dlp could not read" in reported[0] and "Youtube" in reported[1]
    assert "str" in reported[2] and "without its videos" in reported[3]


def test_infos_of_yt_dlp_one_per_line_are_read(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(yt_dlp_info(video_id)) for video_id in ("70001", "70002"))
    assert ids(found(write(tmp_path / "dump", text))) == ["70001", "70002"]


def test_a_folder_of_yt_dlp_comes_with_the_sidecar_files_of_each_record(tmp_path: Path) -> None:
    name = "cake [70001]. part 1"
    write(tmp_path / f"{name}.info.json", yt_dlp_info("70001"))
    write(tmp_path / "cake.info.json", yt_dlp_info("70002"))
    write(tmp_path / "secret.vtt", "secret")
    for suffix in (".webm", ".image", ".eng-US.vtt", ".cmn-Hans-CN.srt", ".fra-FR.json", ".description"):
        write(tmp_path / f"{name}{suffix}", "x")
    (tmp_path / "cake.mp4").symlink_to(tmp_path / "secret.vtt")
    (tmp_path / "cake.deu-DE.vtt").symlink_to(tmp_path / "secret.vtt")
    one, two = sorted(found(tmp_path), key=lambda result: result.video.id)
    assert one.files == [("cover", 0, tmp_path / f"{name}.image"), ("video", 0, tmp_path / f"{name}.webm")]
    assert sorted((language, path.suffix) for language, path in one.captions) == [
        ("cmn-Hans-CN", ".srt"),
        ("eng-US", ".vtt"),
        ("fra-FR", ".json"),
    ]
    assert (two.files, two.captions) == ([], [])
    assert found(tmp_path / f"{name}.info.json") == [one]  # the same, read alone


def test_the_files_of_a_photo_post_become_one_record_with_its_slides(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        write(tmp_path / f"70001_0{number} tea.jpg.json", gallery_item("70001", number))
        write(tmp_path / f"70001_0{number} tea.jpg", "jpg")
    (tmp_path / "70001_03 tea.jpg").unlink()
    (tmp_path / "70001_03 tea.jpg").symlink_to(tmp_path / "70001_01 tea.jpg")
    write(tmp_path / "70001.mp3.json", gallery_item("70001", type="audio"))
    write(tmp_path / "70001.mp3", "mp3")
    write(tmp_path / "70002.mp4.json", gallery_item("70002", type="video"))
    write(tmp_path / "70002.mp4", "mp4")
    post, video = found(tmp_path)
    slides = [("slide", n, tmp_path / f"70001_0{n + 1} tea.jpg") for n in (0, 1)]
    assert post.files == [*slides, ("video", 0, tmp_path / "70001.mp3")]  # its sound
    assert video.files == [("video", 0, tmp_path / "70002.mp4")]


def test_original_captions_of_gallery_dl_come_before_translated_ones(tmp_path: Path) -> None:
    tracks = [{"LanguageCodeName": "ara-SA", "Source": "MT"}, {"LanguageCodeName": "eng-US", "Source": "ASR"}]
    for track in tracks:
        language = track["LanguageCodeName"]
        item = gallery_item("70001", type="subtitle", subtitle_lang_codename=language, video={"subtitleInfos": tracks})
        write(tmp_path / f"70001_{language}.vtt.json", item)
        write(tmp_path / f"70001_{language}.vtt", "WEBVTT")
    [only] = found(tmp_path)
    assert [language for language, _ in only.captions] == ["eng-US", "ara-SA"]


@pytest.mark.parametrize("as_lines", [False, True])
def test_the_messages_of_gallery_dl_give_one_record_per_post(tmp_path: Path, as_lines: bool) -> None:
    messages: list[list[object]] = [
        [2, gallery_item("70001")],
        [3, "https://cdn.example/1.jpg", gallery_item("70001", 1)],
        [3, "https://cdn.example/2.jpg", gallery_item("70001", 2)],
        [6, "https://www.tiktok.com/@a/video/70002", {"subcategory": "vmpost"}],
        [-1, {"error": "HttpError", "message": "404"}],
        [2, gallery_item("55555", type="avatar", subcategory="avatar")],
        [2, gallery_item("70003", category="another")],
        [9],
        [],
    ]
    text = "\n".join(json.dumps(message) for message in messages) if as_lines else json.dumps(messages)
    results = list(read(write(tmp_path / "out", text)))
    assert ids([r for r in results if isinstance(r, ParsedRecord)]) == ["70001", "70002"]
    reported = [(r.index, r.reason) for r in results if isinstance(r, Problem)]
    assert [index for index, _ in reported] == [4, 5, 6, 7, 8]
    assert "HttpError: 404" in reported[0][1] and "picture" in reported[1][1] and "another" in reported[2][1]


def entry(link: str, **more: object) -> dict[str, object]:
    return {"Date": "2024-01-01 10:00:00", "Link": link} | more


def share(video_id: str) -> str:
    return f"https://www.tiktokv.com/share/video/{video_id}/"


EXPORTS: list[dict[str, Any]] = [
    {  # until 2024
        "Activity": {
            "Favorite Videos": {"FavoriteVideoList": [entry(share("70001")), entry(share("70002"))]},
            "Like List": {"ItemFavoriteList": [entry(share("70002"))]},
            "Video Browsing History": {"VideoList": [entry(share("70003")), entry(share("70001"))]},
            "Share History": {"ShareHistoryList": [entry(share("70004"), SharedContent="video", Method="chat_head")]},
        },
        "Video": {"Videos": {"VideoList": None}},
        "Profile": {"Profile Information": {"ProfileMap": {"userName": "me", "profilePhoto": "https://cdn.example/p"}}},
    },
    {  # 2025
        "Your Activity": {
            "Favorite Videos": {"FavoriteVideoList": [entry(share("70001"))]},
            "Like List": {"ItemFavoriteList": [{"date": "2024-01-01", "link": share("70002")}]},
            "Watch History": {"VideoList": [entry(share("70003"), timepertiktok=3)]},
            "Share History": {"ShareHistoryList": [entry("", SharedContent=share("70004"))]},
        },
    },
    {  # 2026
        "Likes and Favorites": {
            "Favorite Videos": {"FavoriteVideoList": [entry(share("70001")), entry(share("70002"))]},
            "Like List": {"ItemFavoriteList": [{"date": "", "link": share("70003")}]},
        },
        "Another name": {"Deeper": [{"VideoList": [{"url": share("70004")}]}]},
    },
]


@pytest.mark.parametrize("export", EXPORTS)
def test_data_exports_of_several_years_give_each_video_once_and_due(tmp_path: Path, export: dict[str, Any]) -> None:
    results = records(write(tmp_path / "user_data_tiktok.json", export))
    assert sorted(ids(results)) == ["70001", "70002", "70003", "70004"]
    assert all(result.video.has_page for result in results)
    assert results[0].video.permalink == "https://www.tiktok.com/@/video/70001"


def test_other_entries_of_a_data_export_are_counted_by_what_they_are(tmp_path: Path) -> None:
    others = ["https://www.tiktok.com/@a/live", "https://www.tiktok.com/@a", "https://www.tiktok.com/@b", "", "N/A"]
    shared = [entry(share("70001")), *(entry(link) for link in others), {"SharedContent": "profile"}, {"Link": None}]
    results = list(read(write(tmp_path / "x.json", {"Activity": {"Share History": {"ShareHistoryList": shared}}})))
    assert {result.what: result.count for result in results if isinstance(result, Skipped)} == {
        "live streams": 1,
        "pages of users": 2,
        "entries without a link to a video": 4,
    }
    assert len(results) == 4 and not any(isinstance(result, Problem) for result in results)


def test_a_short_link_in_a_data_export_is_a_problem_because_a_person_can_open_it(tmp_path: Path) -> None:
    export = {"Activity": {"Share History": {"ShareHistoryList": [entry("https://vm.tiktok.com/ZM1/")]}}}
    [problem] = problems(write(tmp_path / "x.json", export))
    assert problem.reason.startswith("Activity, Share History, ShareHistoryList, entry 0: a short link")


def test_a_data_export_without_links_is_a_problem(tmp_path: Path) -> None:
    [problem] = problems(write(tmp_path / "x.json", {"Your Activity": {"Watch History": {"VideoList": None}}}))
    assert "without any link" in problem.reason


def test_a_data_export_of_100_000_links_loses_none(tmp_path: Path) -> None:
    history = [entry(share(str(7_000_000_000 + n))) for n in range(100_000)]
    path = write(tmp_path / "x.json", {"Your Activity": {"Watch History": {"VideoList": history}}})
    assert len(set(ids(found(path)))) == 100_000


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_dot_", "."), text)
    return path


def test_a_zipped_data_export_is_read(tmp_path: Path) -> None:
    members = {"user_data_tiktok_dot_json": json.dumps(EXPORTS[0]), "notes_dot_txt": "x"}
    assert len(records(zipped(tmp_path / "data.bin", **members))) == 4
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data.bin"]  # nothing is extracted to the disk


def test_an_unusable_zip_is_a_problem_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = zipped(tmp_path / "good.zip", a_dot_json=json.dumps(EXPORTS[0]))
    assert "without videos" in problems(zipped(tmp_path / "text.zip", a_dot_doc="x"))[0].reason
    chance = random.Random(3)
    for _ in range(300):
        data = bytearray(good.read_bytes())
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        (tmp_path / "broken.zip").write_bytes(data[: chance.choice([None, chance.randrange(4, len(data))])])
        assert list(read(tmp_path / "broken.zip"))  # records or problems, and nothing is raised
    monkeypatch.setattr("scraper.zip_files.MAX_TEXT_BYTES", 1024**2)
    bomb = zipped(tmp_path / "bomb.zip", a_dot_json="[" + " " * 5_000_000 + "]", b_dot_json="[]")
    assert [problem.reason for problem in problems(bomb)] == ["is left out: a zip may have 1 MB of text in it"]


def test_a_list_of_links_gives_each_video_once_and_a_problem_for_other_lines(tmp_path: Path) -> None:
    lines = [
        "# my videos https://www.tiktok.com/@a/video/79999",
        "https://www.tiktok.com/@a/video/70001",
        "",
        "Check this out https://www.tiktok.com/@a/video/70002?_r=1. And https://m.tiktok.com/v/70003.html!",
        "nothing here",
        "https://www.tiktok.com/@b/video/70001",
        "https://vm.tiktok.com/ZM1/",
        "看https://www.tiktok.com/@c/photo/70004。",
    ]
    results = list(read(write(tmp_path / "links.md", "\r\n".join(lines))))
    assert ids([r for r in results if isinstance(r, ParsedRecord)]) == ["70001", "70002", "70003", "70004"]
    assert [(r.index, r.reason[:7]) for r in results if isinstance(r, Problem)] == [(6, "a short"), (4, "no link")]


def test_links_to_something_else_in_a_list_are_counted(tmp_path: Path) -> None:
    others = "https://www.tiktok.com/music/hum-70001 https://www.tiktok.com/@a/live\nhttps://www.tiktok.com/music/x-1"
    path = write(tmp_path / "a.txt", f"https://www.tiktok.com/@a/video/70001\n{others}")
    counts = {one.what: one.count for one in read(path) if isinstance(one, Skipped)}
    assert counts == {"sounds": 2, "live streams": 1} and ids(records(path)) == ["70001"] and not problems(path)


def test_lines_without_a_link_are_one_problem_however_many_they_are(tmp_path: Path) -> None:
    text = "my notes\n" + "more words\n" * 500 + "https://www.tiktok.com/@a/video/70001"
    [only], [problem] = records(write(tmp_path / "a.md", text)), problems(tmp_path / "a.md")
    assert only.video.id == "70001"
    assert (problem.index, problem.reason) == (0, "no link to a video of TikTok: my notes (501 lines like this)")


def test_every_format_in_a_folder_is_read_but_not_captions(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "https://www.tiktok.com/@a/video/70001")
    write(tmp_path / "b.info.json", yt_dlp_info("70002"))
    write(tmp_path / "b.eng-US.json", {"utterances": []})
    write(tmp_path / "c.jsonl", {"id": "70003"})
    zipped(tmp_path / "d.zip", a_dot_json=json.dumps([console_record("70004")]))
    write(tmp_path / "e.docx", "x")
    assert ids(found(tmp_path)) == ["70001", "70002", "70003", "70004"]


def test_a_broken_document_is_one_problem_not_one_per_line(tmp_path: Path) -> None:
    whole = json.dumps(yt_dlp_info("70001", tags=["a", "b"]), indent=2)
    [problem] = problems(write(tmp_path / "x.info.json", whole[:-20]))
    assert problem.index is None and "is broken" in problem.reason


LINK = "https://www.tiktok.com/@a/video/7000"


@pytest.mark.parametrize(
    "text",
    [
        f"[12.03.24, 10:11:12] Ann: {LINK}1\n[12.03.24, 10:11:13] Ann: {LINK}2",
        f"[2024-03-12, 10:11] Ann: {LINK}1\n[2024-03-12, 10:12] Ann: {LINK}2",
        f"12/03/2024, 10:11 - Ann: {LINK}1\n12/03/2024, 10:12 - Ann: {LINK}2",
        f"[one]({LINK}1) and [two]({LINK}2)",
        f"[1] {LINK}1\n[2] {LINK}2",
        f"<{LINK}1>\n<{LINK}2>",
        f"{{x}} {LINK}1\n{{y}} {LINK}2",
        f"{LINK}1,{LINK}2",
        f'["{LINK}1", "{LINK}2"]',
    ],
)
@pytest.mark.parametrize("name", ["chat.txt", "chat.jsonl"])
def test_links_are_found_in_a_text_that_begins_like_another_format(tmp_path: Path, text: str, name: str) -> None:
    results = found(write(tmp_path / name, text))
    assert [(result.video.id, result.video.source) for result in results] == [
        ("70001", "list of links"),
        ("70002", "list of links"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps(yt_dlp_info("70001"), indent=1)[:-9], "is broken"),
        (json.dumps([yt_dlp_info("70001")])[:-9], "is broken"),
        (json.dumps([[2, gallery_item("70001") | {"webpage": f"{LINK}1"}]])[:-9], "is broken"),
        (json.dumps([None, {"url": f"{LINK}1"}]), "NoneType"),
        (f"<html><a href='{LINK}1'>", "no video data"),
    ],
)
def test_broken_records_and_pages_are_not_read_as_lists_of_links(tmp_path: Path, text: str, why: str) -> None:
    results = list(read(write(tmp_path / "x", text)))
    assert isinstance(results[0], Problem) and why in results[0].reason
    assert not any(isinstance(result, ParsedRecord) and result.video.source == "list of links" for result in results)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_utf16_files_are_read_by_their_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    for text, source in ((f"héllo {LINK}1\r\n", "list of links"), (json.dumps(yt_dlp_info("70001")), "yt-dlp")):
        path = tmp_path / source
        path.write_bytes((mark + text).encode(encoding))
        assert [(result.video.id, result.video.source) for result in found(path)] == [("70001", source)]
