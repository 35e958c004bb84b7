import unicodedata

import pytest

from scraper.file_names import NameParts, read
from scraper.local_ids import is_local, local_id
from scraper.sidecars import name_key

ID, DAY = "7168736099701886213", "2022-11-22"
TOOLS = (
    "Snaptik.app_",
    "snaptik_",
    "ssstik.io_",
    "SSSTIK_",
    "tikmate_",
    "TikTok_",
    "savetik.co_",
    "musicaldown.com_",
    "",
)
SUFFIXES = ("mp4", "MP4", "webm", "mov", "MOV", "m4v", "mkv", "m4a", "mp3", "jpg", "HEIC")
NO_WORDS = (
    "Download",
    "Download (1)",
    "download (23)",
    "videoplayback",
    "video",
    "Video (2)",
    "IMG_4512",
    "IMG_E4512",
    "MVI_0001",
    "DSC_0042",
    "DSCF1234",
    "GOPR0001",
    "untitled",
    "Unbenannt",
    "file",
    "4e2a1b9c-1111-2222-3333-444455556666",
    "a3f5c2d19b8e4f70",
    "12345",
    "",
    "WhatsApp Video",
    "9999999999999999999",
)
DATED = (
    "VID-20230405-WA0001",
    "IMG-20230405-WA0012",
    "IMG_20230405_120000",
    "VID_20230405_120000123",
    "PXL_20230405_120000123",
    "20230405_123011",
    "2023-04-05 12.30.11",
    "2023-04-05",
    "video_2023-04-05_12-30-11",
    "photo_2023-04-05_12-30-11",
    "WhatsApp Video 2023-04-05 at 12.30.11",
    "WhatsApp Video 2023-04-05 at 12.30.11 PM",
    "signal-2023-04-05-123011",
    "Screen Recording 2023-04-05 at 12.30.11",
    "Screenrecorder-2023-04-05-12-30-11-123",
    "Screen_Recording_20230405_123011",
    "Bildschirmaufnahme 2023-04-05 um 12.30.11",
    "ssstik.io_1680696000",
    "snaptik_1680696000",
    "1680696000",
)
TITLES = (
    "how to bake bread",
    "Über Bücher und Öfen",
    "cat 😂 dog",
    "שלום עולם",
    "مرحبا بالعالم",
    "猫の動画",
    "Top 10 cats",
    "face",
    "2001 a space odyssey",
    "привет мир",
    "it's #1",
    "สวัสดี",
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("form", [ID, f"{ID} (1)", f"[{ID}]", f"{ID}_v2"])
def test_an_id_is_found_in_the_names_that_programs_give(tool: str, form: str, suffix: str) -> None:
    named = read(f"{tool}{form}.{suffix}")
    assert (named.id, named.posted) == (ID, DAY) and named.creator == ""


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("form", ["{title} [{id}].mp4", "{id} {title}.mp4", "{id}_{title}.mp4", "{title}-{id}.MP4"])
def test_a_title_beside_an_id_is_found(title: str, form: str) -> None:
    for normal in ("NFC", "NFD"):
        name = unicodedata.normalize(normal, form.format(title=title, id=ID))
        assert read(name) == NameParts(ID, "", title, DAY)


def test_a_creator_beside_an_id_is_found() -> None:
    for name in (
        f"@some.body_{ID}.mp4",
        f"some.body_{ID}.mp4",
        f"some.body - {ID}.mp4",
        f"{ID}_@some.body.mp4",
        f"@some.body_video_{ID}.mp4",
    ):
        assert read(name).creator == "some.body", name
    assert read(f"baker - how to bake [{ID}].mp4") == NameParts(ID, "baker", "how to bake", DAY)


@pytest.mark.parametrize("title", TITLES)
def test_a_name_of_words_is_a_title(title: str) -> None:
    assert read(f"{title}.mp4") == NameParts(title=title)
    assert read(f"{title} (1).mp4").title == title


@pytest.mark.parametrize("name", NO_WORDS)
def test_a_name_that_any_file_could_have_says_nothing(name: str) -> None:
    for suffix in (".mp4", ".MOV"):
        assert read(name + suffix) == NameParts()


@pytest.mark.parametrize("name", DATED)
def test_dates_are_found_in_names(name: str) -> None:
    assert read(f"{name}.mp4") == NameParts(posted="2023-04-05")


def test_hostile_names_are_read_without_an_error() -> None:
    for name in (
        "\x1b]0;x\x07 cake.mp4",
        "\udce9cake.mp4",
        "\u202ecake.mp4",
        "c" * 251 + ".mp4",
        "...",
        "/",
        ".mp4",
        "🍰" * 63,
    ):
        assert read(name).id == ""


def test_names_that_look_the_same_have_one_key() -> None:
    assert name_key("Über.MP4") == name_key(unicodedata.normalize("NFD", "über.mp4"))


def test_a_local_id_is_none_of_tiktok() -> None:
    made = local_id("ab" * 32)
    assert is_local(made) and made.isdigit() and int(made) > 2**64 and not is_local(ID)
