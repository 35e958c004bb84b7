import json
import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ingest.catalog import Catalog
from ingest.stages.importer import ImportReport, import_source
from scraper.files import sha256
from scraper.local_ids import is_local
from scraper.parse import in_words
from tests.ingest import media_samples as samples

ID = "7168736099701886213"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return samples.video(tmp_path / "clip.mp4", None, 1.0)


def imported(tmp_path: Path, source: Path) -> tuple[ImportReport, Catalog]:
    catalog = Catalog(tmp_path / "data", create=True)
    return import_source(catalog, source), catalog


def folder_with(tmp_path: Path, clip: Path, *names: str) -> Path:
    folder = tmp_path / "mine"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, folder / name)
    return folder


def test_a_file_becomes_a_video_with_its_name_length_and_content(tmp_path: Path, clip: Path) -> None:
    source = folder_with(tmp_path, clip, "how to bake.mp4") / "how to bake.mp4"
    report, catalog = imported(tmp_path, source)
    [video_id] = catalog.ids()
    entry = catalog.get(video_id)
    assert entry and is_local(video_id) and report.new == 1
    assert (entry.video.description, entry.video.file_name) == ("how to bake", "how to bake.mp4")
    assert entry.video.duration_s == pytest.approx(1.0, abs=0.2)
    assert entry.file("video")
    again = import_source(catalog, source)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 1)


def test_folders_in_folders_are_read_and_other_files_are_named(tmp_path: Path, clip: Path) -> None:
    folder = folder_with(tmp_path, clip, f"a/b/{ID}.mp4", ".hidden/x.mp4", "half.mp4.part", "notes.docx")
    (folder / "link").symlink_to(folder / "a")
    samples.cover(folder / "a" / "b" / f"{ID}.JPG", "cake")
    report, catalog = imported(tmp_path, folder)
    entry = catalog.get(ID)
    assert catalog.ids() == [ID]
    assert [(Path(one.file).name, "symbolic link" in one.reason) for one in report.problems] == [("link", True)]
    assert entry and entry.file("cover") and entry.file("video") and entry.video.posted == "2022-11-22"
    said = in_words(report.skipped)
    assert "notes.docx" in said and "still being written" in said


def test_the_same_content_twice_is_one_video_also_if_its_id_comes_later(tmp_path: Path, clip: Path) -> None:
    folder = folder_with(tmp_path, clip, "one.mp4", "two.mp4")
    _, catalog = imported(tmp_path, folder)
    [local] = catalog.ids()
    assert catalog.judgements.add("q", local)
    later = folder_with(tmp_path / "later", clip, f"{ID}.mp4")
    import_source(catalog, later)
    assert catalog.ids() == [ID] and [one.video_id for one in catalog.judgements.all()] == [ID]
    assert import_source(catalog, folder).new == 0 and catalog.ids() == [ID]


def test_unreadable_files_are_one_problem_each(tmp_path: Path, clip: Path) -> None:
    folder = folder_with(tmp_path, clip, "cut.mp4", "good.mp4")
    (folder / "cut.mp4").write_bytes(clip.read_bytes()[:-100])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    report, catalog = imported(tmp_path, folder)
    assert len(catalog.ids()) == 1
    reasons = {Path(one.file).name: one.reason for one in report.problems}
    assert set(reasons) == {"cut.mp4", "empty.mp4", "text.mp4"} and reasons["empty.mp4"] == "is empty"


def test_videos_in_a_zip_are_read_and_names_cannot_lead_out_of_it(tmp_path: Path, clip: Path) -> None:
    packed = tmp_path / "mine.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clip, f"{ID}.mp4")
        archive.writestr("../../7168736099701886214.mp4", clip.read_bytes())
        archive.writestr("notes.docx", "x")
    report, catalog = imported(tmp_path, packed)
    assert catalog.ids() == [ID] and not report.problems and "notes.docx" in in_words(report.skipped)
    assert not list(tmp_path.parent.glob("7168736099701886214*"))


def test_a_zip_that_unpacks_to_many_times_its_size_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", bytes(20_000_000))
    report, catalog = imported(tmp_path, packed)
    assert catalog.ids() == [] and "100 times" in report.problems[0].reason


def test_links_and_encrypted_files_in_a_zip_are_left_out_and_named(tmp_path: Path, clip: Path) -> None:
    packed = tmp_path / "links.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clip, "sub/own clip.mp4")
        link = zipfile.ZipInfo("link.mp4")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
    report, catalog = imported(tmp_path, packed)
    assert len(catalog.ids()) == 1 and "link.mp4" in in_words(report.skipped)


def test_metadata_in_a_zip_comes_with_its_files(tmp_path: Path, clip: Path) -> None:
    packed = tmp_path / "downloads.zip"
    info = {
        "id": ID,
        "extractor_key": "TikTok",
        "description": "a jar opens",
        "webpage_url": f"https://www.tiktok.com/@a/video/{ID}",
    }
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clip, "x/jar.mp4")
        archive.writestr("x/jar.info.json", json.dumps(info))
    _, catalog = imported(tmp_path, packed)
    entry = catalog.get(ID)
    assert catalog.ids() == [ID] and entry and entry.video.description == "a jar opens" and entry.file("video")


def test_the_sound_of_a_photo_post_is_kept_and_transcribed(tmp_path: Path) -> None:
    folder = tmp_path / "post"
    folder.mkdir()
    for number in (0, 1, 2):
        name = f"{ID}_{number:02d}.{'jpg' if number else 'mp3'}"
        kind = "image" if number else "audio"
        item = {
            "id": ID,
            "createTime": 1730000000,
            "category": "tiktok",
            "subcategory": "post",
            "type": kind,
            "num": number,
        }
        (folder / f"{name}.json").write_text(json.dumps(item))
        if number:
            Image.new("RGB", (64, 64), "white").save(folder / name)
        else:
            (folder / name).write_bytes(b"ID3" + bytes(400))
    _, catalog = imported(tmp_path, folder)
    entry = catalog.get(ID)
    assert entry and sorted((media.kind, media.position) for media in entry.media) == [
        ("slide", 0),
        ("slide", 1),
        ("video", 0),
    ]
    assert entry.states["transcribe"] == "due"


def test_names_of_sidecar_files_are_compared_without_case_and_normal_form(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "nfd"
    folder.mkdir()
    name = "Über Bücher"
    info = {"id": ID, "extractor_key": "TikTok", "webpage_url": f"https://www.tiktok.com/@a/video/{ID}"}
    (folder / f"{unicodedata.normalize('NFC', name)}.info.json").write_text(json.dumps(info))
    shutil.copy(clip, folder / f"{unicodedata.normalize('NFD', name)}.MP4")
    Image.new("RGB", (64, 64), "white").save(folder / f"{unicodedata.normalize('NFD', name)}.JPG", "JPEG")
    _, catalog = imported(tmp_path, folder)
    entry = catalog.get(ID)
    assert catalog.ids() == [ID] and entry and {media.kind for media in entry.media} == {"video", "cover"}


def test_a_file_and_its_copy_with_an_id_are_one_video_in_one_import(tmp_path: Path, clip: Path) -> None:
    folder = folder_with(tmp_path, clip, "a clip.mp4", f"{ID}.mp4", "z clip.mp4")
    report, catalog = imported(tmp_path, folder)
    entry = catalog.get(ID)
    assert catalog.ids() == [ID] == sorted(report.ids) and entry and entry.file("video")


@pytest.mark.parametrize(("first", "later"), [("clip.mp4", f"{ID}.mp4"), (f"{ID}.mp4", "clip.mp4")])
@pytest.mark.parametrize("erased", [True, False])
def test_a_removed_file_stays_away_under_another_name(
    tmp_path: Path, clip: Path, first: str, later: str, erased: bool
) -> None:
    _, catalog = imported(tmp_path, folder_with(tmp_path, clip, first))
    catalog.removals.hide(catalog.ids())
    if erased:
        lines = catalog.removals.claim(catalog.removals.hidden())
        catalog.removals.erase()
        catalog.removals.finish(lines)
    source = folder_with(tmp_path / "later", clip, later)
    report = import_source(catalog, source)
    assert (catalog.ids(), report.removed, report.ids) == ([], 1, set())
    assert import_source(catalog, source, again=True).ids == set(catalog.ids()) != set()


def test_a_file_is_not_moved_to_an_id_that_was_removed(tmp_path: Path, clip: Path) -> None:
    other = samples.video(tmp_path / "other.mp4", None, 2.0)
    _, catalog = imported(tmp_path, folder_with(tmp_path, other, f"{ID}.mp4"))
    catalog.removals.hide([ID])
    import_source(catalog, folder_with(tmp_path / "b", clip, "clip.mp4"))
    [local] = catalog.ids()
    report = import_source(catalog, folder_with(tmp_path / "c", clip, f"{ID}.mp4"))
    assert report.removed == 1 and catalog.ids() == [local]


def test_a_name_that_is_not_utf8_is_no_obstacle(tmp_path: Path, clip: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    shutil.copy(clip, folder / os.fsdecode(b"\xff visit.mp4"))
    report, catalog = imported(tmp_path, folder)
    assert not report.problems and catalog.removals.of_source(folder) == (catalog.ids(), 0)


def test_a_bad_file_in_a_zip_affects_only_itself(tmp_path: Path, clip: Path) -> None:
    packed, other = tmp_path / "mine.zip", samples.video(tmp_path / "other.mp4", None, 2.0)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clip, "a: cake.mp4")
        archive.write(other, "a? cake.mp4")  # the same name once it is cleaned
        archive.writestr("broken.mp4", b"to be damaged" * 9)
    damaged = packed.read_bytes().replace(b"to be damaged", b"to be DAMAGED", 1)
    packed.write_bytes(damaged)
    report, catalog = imported(tmp_path, packed)
    assert len(catalog.ids()) == 2
    assert [one.reason for one in report.problems if "unpacked" in one.reason] == [
        "files in it cannot be unpacked: broken.mp4"
    ]


def test_texts_that_unpack_to_far_more_are_not_unpacked(tmp_path: Path, clip: Path) -> None:
    packed = tmp_path / "bomb.zip"
    for with_media in (True, False):
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.json", b"[" + b" " * 20_000_000 + b"]")
            archive.writestr("links.txt", f"https://www.tiktok.com/@a/video/{ID}")
            if with_media:
                archive.write(clip, "clip.mp4")
        report, catalog = imported(tmp_path / str(with_media), packed)
        assert ID in catalog.ids() and len(catalog.ids()) == 1 + with_media
        assert "a.json" in "".join(map(str, report.problems))


def test_a_video_that_gets_an_id_with_files_of_its_own_leaves_them_as_they_are(tmp_path: Path, clip: Path) -> None:
    other = samples.video(tmp_path / "other.mp4", None, 2.0)
    _, catalog = imported(tmp_path, folder_with(tmp_path, clip, "clip.mp4"))
    import_source(catalog, folder_with(tmp_path / "b", other, f"{ID}.mp4"))
    [local] = set(catalog.ids()) - {ID}
    known = catalog.get(ID)
    assert known
    catalog.rename(local, known.video)
    entry = catalog.get(ID)
    assert catalog.ids() == [ID] and entry
    [video] = [media for media in entry.media if media.kind == "video"]
    assert sha256(video.path) == video.sha256 == sha256(other)
    assert list(catalog.data.rglob("*.mp4")) == [video.path] and not list(catalog.data.rglob(local))


def test_a_content_is_found_without_reading_all_media(tmp_path: Path, clip: Path) -> None:
    _, catalog = imported(tmp_path, folder_with(tmp_path, clip, "clip.mp4"))
    steps = catalog.database.execute("EXPLAIN QUERY PLAN SELECT video_id FROM media WHERE sha256 = 'a'").fetchall()
    assert "INDEX media_by_content" in steps[0]["detail"]
