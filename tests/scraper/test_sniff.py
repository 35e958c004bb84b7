"""The first bytes of files -> their suffix, and their structure -> whether they are complete."""

import io
from pathlib import Path

import pytest

from scraper.sniff import HEAD_BYTES, IMAGES, VIDEOS, is_whole, sniff
from tests.scraper.faulty_answers import JSON, SRT, VTT, picture, video

ALIASES = {".jpeg": ".jpg", ".heif": ".heic", ".mpo": ".jpg", ".apng": ".png"}
FOLDERS = ("tiktok/coverphotos", "hostile/pillow", "hostile/mp4parse", "ocr", "one_video")
UNNAMED = {"no-ftyp.avif"}  # lacks the box that would say what it is
FILES = {
    ".jpg": picture(),
    ".png": picture("PNG"),
    ".gif": picture("GIF"),
    ".webp": picture("WEBP"),
    ".avif": picture("AVIF"),
    ".mp4": video(),
    ".mov": video("mov"),
}


def misnamed(folders: list[Path]) -> tuple[set[str], int]:
    """The pictures and videos whose suffix is not what their first bytes say, and how many there are in all."""
    wrong, seen = set(), 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        suffix = ALIASES.get(path.suffix.lower(), path.suffix.lower())
        if suffix in IMAGES + VIDEOS:
            seen += 1
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            if sniff(head, "cover" if suffix in IMAGES else "video") != suffix:
                wrong.add(path.name)
    return wrong, seen


def test_the_suffixes_of_the_sample_corpus_are_right(sample_corpus: Path) -> None:
    wrong, seen = misnamed([sample_corpus])
    assert not wrong and seen > 200


@pytest.mark.research_data("real covers, and published collections of odd and hostile files")
def test_real_files_have_the_suffix_of_their_content(shared_data: Path) -> None:
    wrong, seen = misnamed([shared_data / folder for folder in FOLDERS])
    assert wrong == UNNAMED and seen > 700


def check_whole(paths: list[Path]) -> None:
    for path in paths:
        data = path.read_bytes()
        suffix = sniff(data[:HEAD_BYTES], "video" if path.suffix == ".mp4" else "cover")
        assert suffix
        assert is_whole(io.BytesIO(data), suffix)
        assert not is_whole(io.BytesIO(data[: len(data) // 2]), suffix)
    assert len(paths) > 10


def test_sample_covers_and_videos_are_complete_and_their_halves_are_not(sample_corpus: Path) -> None:
    check_whole([path for folder in ("coverphotos", "videos") for path in (sample_corpus / folder).iterdir()])


@pytest.mark.research_data("real covers and a real video")
def test_real_covers_and_videos_are_complete_and_their_halves_are_not(shared_data: Path) -> None:
    check_whole([*(shared_data / "tiktok" / "coverphotos").iterdir(), shared_data / "one_video" / "video.mp4"])


@pytest.mark.parametrize("suffix", FILES)
def test_a_file_without_its_end_is_incomplete(suffix: str) -> None:
    data = FILES[suffix]
    assert is_whole(io.BytesIO(data), suffix)
    for cut in (len(data) // 2, len(data) - 16):
        assert not is_whole(io.BytesIO(data[:cut]), suffix)


def test_zeros_after_the_end_are_accepted() -> None:
    for suffix, data in FILES.items():
        assert is_whole(io.BytesIO(data + bytes(100)), suffix)


def test_each_kind_accepts_only_its_types() -> None:
    assert sniff(video(), "video") == ".mp4"
    assert sniff(video(), "cover") is None
    assert sniff(picture(), "video") is None
    assert sniff(picture("AVIF"), "video") is None
    assert sniff(VTT, "caption") == ".vtt"
    assert sniff(VTT, "cover") is None


def test_captions_are_recognised_by_their_content() -> None:
    for data, suffix in ((VTT, ".vtt"), (SRT, ".srt"), (JSON, ".json")):
        for marked in (data, b"\xef\xbb\xbf" + data):
            assert sniff(marked, "caption") == suffix
            assert is_whole(io.BytesIO(marked), suffix)
    assert sniff(b"\n\n00:00:01.5 --> 00:00:02.5\nhello", "caption") == ".srt"
    assert sniff(b"<html>", "caption") is None
    assert not is_whole(io.BytesIO(b"WEBVTT\n\0"), ".vtt")
    for encoding in ("utf-16", "utf-16-le", "cp1252"):
        data = "1\n00:00:01,500 --> 00:00:02,500\ndéjà vu\n".encode(encoding)
        assert sniff(data, "caption") == ".srt"
        assert is_whole(io.BytesIO(data), ".srt")
    assert not is_whole(io.BytesIO(JSON[:-2]), ".json")
    assert not is_whole(io.BytesIO(b"[" * 100_000), ".json")


@pytest.mark.parametrize(
    "head",
    [b"", b"\0", b"....ftyp", b"\0\0\0\x10ftypM4A \0\0\0\0", b"\xff\xff\xff\xffftypevil", b"RIFF", b"\x1a\x45\xdf\xa3"],
)
def test_unknown_content_has_no_suffix(head: bytes) -> None:
    for kind in ("cover", "video", "slide", "caption"):
        assert sniff(head, kind) is None


def test_a_file_of_endless_boxes_is_not_read_to_its_end() -> None:
    boxes = b"\0\0\0\x08free" * 200_000
    assert is_whole(io.BytesIO(boxes), ".mp4")
