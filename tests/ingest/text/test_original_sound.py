"""`original sound - NAME` is no music, in any language."""

import time

import pytest

from ingest.text.original_sound import named_music


@pytest.mark.parametrize(
    "label",
    [
        *("original sound", "Original Sound", "sonido original", "son original", "som original", "Originalton"),
        *("suono originale", "audio originale", "origineel geluid", "originalljud", "original lyd", "sunet original"),
        *("dźwięk oryginalny", "původní zvuk", "pôvodný zvuk", "eredeti hang", "alkuperäinen ääni", "orijinal ses"),
        *("оригинальный звук", "оригінальний звук", "πρωτότυπος ήχος", "الصوت الأصلي", "صدای اصلی", "צליל מקורי"),
        *("オリジナル楽曲", "오리지널 사운드", "原声", "原聲", "原創音樂", "เสียงต้นฉบับ", "nhạc nền", "âm thanh gốc"),
        *("suara asli", "bunyi asal", "orihinal na tunog", "मूल ध्वनि"),
        *("សំឡេង\u200bដើម", "a\u0302m thanh go\u0302\u0301c"),
    ],
)
def test_the_sound_of_the_video_itself_is_no_music_in_any_language(label: str) -> None:
    for title in (f"{label} - Crumb & Crust 🍞", f"{label}", f"{label} – @CRUMB", f"{label} - Old Name - Crumb"):
        assert named_music(title, "crumb", "Crumb & Crust 🍞") == ""


@pytest.mark.parametrize(
    ("title", "music"),
    [
        ("Bins Day Waltz - The Recyclers", "Bins Day Waltz - The Recyclers"),
        ("Lobby Music (Original Soundtrack) - Kahoot!", "Lobby Music (Original Soundtrack) - Kahoot!"),
        ("original soundtrack - Ada", "original soundtrack - Ada"),
        ("the original sound name - misc", "the original sound name - misc"),
        ("original sound - somebody else", "somebody else"),
        ("Originalton [Waltz - The Recyclers] - Ada", "[Waltz - The Recyclers]"),
        ("original sound - Tik Toker", ""),
        ("オリジナル楽曲 - user34766469027", ""),
        ("original sound - Half-Way House", "Half-Way House"),
        ("", ""),
    ],
)
def test_music_with_a_name_and_the_sounds_of_others_are_kept(title: str, music: str) -> None:
    assert named_music(title, "ada", "Ada") == music


@pytest.mark.parametrize(
    "hostile", ["a" + " " * 20_000 + "b", "original sound" + " -" * 20_000, "a (" + ") - " * 20_000]
)
def test_a_hostile_title_takes_no_time(hostile: str) -> None:
    started = time.process_time()
    named_music(hostile, "somebody")
    assert time.process_time() - started < 1.0


def test_white_space_in_a_title_does_not_matter() -> None:
    assert named_music("original  sound \n-  Some   Name", "somebody") == "Some Name"
