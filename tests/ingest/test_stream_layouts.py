"""Files of many stream layouts -> the samples and frames that have the content, and a note on what was chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image, ImageDraw, ImageFont

from ingest.media import SAMPLE_RATE, MediaError, NoStream, open_image, poster
from ingest.ocr import frames as reading
from ingest.ocr.frames import frames
from ingest.sound import Track, save_sound
from ingest.speech.vad import find_speech
from ingest.stages import choose_sound
from ingest.stages.choose_sound import Choice, choose, seconds
from tests.ingest.stream_layouts import (
    Audio,
    Film,
    babble,
    channels,
    cover_first,
    music,
    replace,
    silence,
    wav,
    write,
)

DEFAULT, COMMENT, ATTACHED = Disposition.default, Disposition.comment, Disposition.attached_pic
SPEECH, OTHER, MUSIC, NOTHING = babble(), babble(pitch_hz=220), music(), silence()
NOISE = np.random.default_rng(0).standard_normal(len(SPEECH)).astype(np.float32) * 0.3
HALF = len(SPEECH) // 2
TURNED = np.concatenate([SPEECH[:HALF], -SPEECH[HALF:]])
EARLY, LATE = (np.concatenate(parts) for parts in ((babble(4), silence(4)), (silence(4), babble(4))))


@dataclass(frozen=True)
class Layout:
    """A file, and what is expected of its sound."""

    name: str
    make: Callable[[Path], Path]
    like: np.ndarray  # what the chosen samples must be, up to their level; noise may be on top
    note: str = ""
    languages: tuple[str, ...] = ()
    alike: float = 0.95  # the least correlation


def track(*parts: np.ndarray, **options: object) -> Audio:
    return Audio(channels(*parts) if len(parts) > 1 else parts[0], **options)  # type: ignore[arg-type]


def one(*parts: np.ndarray, suffix: str = "mkv", **options: object) -> Callable[[Path], Path]:
    return lambda folder: write(folder / f"one.{suffix}", [track(*parts, **options)])


def many(*tracks: Audio) -> Callable[[Path], Path]:
    return lambda folder: write(folder / "many.mkv", tracks)


def encrypted_first(folder: Path) -> Path:
    tracks = [Audio(MUSIC, "aac"), Audio(SPEECH, "aac")]
    return replace(write(folder / "v.mp4", tracks), b"mp4a", b"enca")


def unknown_first(folder: Path) -> Path:
    tracks = [Audio(MUSIC, "aac"), Audio(SPEECH, "aac")]
    return replace(write(folder / "v.mkv", tracks), b"A_AAC", b"A_ZZZ")


def joined(folder: Path) -> Path:
    parts = [write(folder / f"{n}.aac", [track(*p, codec="aac")]) for n, p in enumerate([(SPEECH,), (OTHER, OTHER)])]
    whole = folder / "joined.aac"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


SOUNDS = [
    Layout("mono", one(SPEECH), SPEECH),
    Layout("aac in mp4", one(SPEECH, suffix="mp4", codec="aac"), SPEECH),
    Layout("stereo in phase", one(SPEECH, SPEECH), SPEECH),
    Layout("stereo in opposite phase", one(SPEECH, -SPEECH), SPEECH),
    Layout("opposite phase in aac", one(SPEECH, -SPEECH, suffix="mp4", codec="aac"), SPEECH),
    Layout("opposite phase, one side quieter", one(SPEECH, -0.9 * SPEECH), SPEECH),
    Layout("opposite phase in the second half", one(SPEECH, TURNED), SPEECH),
    Layout("left ear only", one(SPEECH, NOTHING), SPEECH),
    Layout("right ear only", one(NOTHING, SPEECH), SPEECH),
    Layout("loud noise on the left", one(2 * NOISE, 0.2 * SPEECH), SPEECH, "right channel read: it has more speech"),
    Layout(
        "opposite phase under music",
        one(MUSIC + 0.3 * SPEECH, MUSIC - 0.3 * SPEECH),
        SPEECH,
        "difference of the channels read: it has more speech",
    ),
    Layout("speech in the centre of 5.1", one(*[0.1 * MUSIC] * 2, SPEECH, *[NOTHING] * 3), SPEECH, alike=0.9),
    Layout("speech at the back of 5.1", one(*[NOTHING] * 5, SPEECH), SPEECH),
    Layout("four channels that cancel each other", one(SPEECH, -SPEECH, SPEECH, -SPEECH), SPEECH),
    Layout("three channels without a layout", lambda f: wav(f / "a.wav", channels(NOTHING, NOTHING, SPEECH)), SPEECH),
    Layout("twelve channels, one used", lambda f: wav(f / "a.wav", channels(*[NOTHING] * 11, SPEECH)), SPEECH),
    Layout("twenty channels, no known layout", lambda f: wav(f / "a.wav", channels(*[SPEECH] * 20)), SPEECH),
    Layout("mono, then stereo", joined, SPEECH),
    Layout("first of two tracks silent", many(track(NOTHING), track(SPEECH)), SPEECH, "track 2 of 2 read"),
    Layout("second of two tracks silent", many(track(SPEECH), track(NOTHING)), SPEECH, "track 1 of 2 read"),
    Layout("music, silence, speech", many(*map(track, (MUSIC, NOTHING, SPEECH))), SPEECH, "track 3 of 3 read"),
    Layout(
        "silence, then opposite phase", many(track(NOTHING, NOTHING), track(SPEECH, -SPEECH)), SPEECH, "track 2 of 2"
    ),
    Layout("default flag", many(track(OTHER), track(SPEECH, flags=DEFAULT)), SPEECH, "track 2 of 2 read"),
    Layout("default track silent", many(track(SPEECH), track(NOTHING, flags=DEFAULT)), SPEECH, "track 1 of 2 read"),
    Layout("commentary first", many(track(OTHER, flags=COMMENT), track(SPEECH)), SPEECH, "track 2 of 2 read"),
    Layout(
        "language tags",
        many(track(OTHER, language="?!"), track(OTHER, language="fre"), track(SPEECH, language="ger")),
        SPEECH,
        "track 3 of 3 read",
        languages=("de",),
    ),
    Layout("a microphone on each track", many(track(EARLY), track(LATE)), EARLY + LATE, "tracks 1 and 2 of 2 read"),
    Layout("an encrypted track", encrypted_first, SPEECH, "track 2 of 2 read; track 1 is encrypted"),
    Layout("a track of an unknown codec", unknown_first, SPEECH, "track 2 of 2 read; track 1 has an unknown codec"),
    Layout("a track without packets", many(Audio(None), track(SPEECH)), SPEECH, "track 1 cannot be read: nothing of"),
    Layout("sound only, with a cover", lambda f: album(f, SPEECH), SPEECH),
]


def chosen(path: Path, folder: Path, languages: tuple[str, ...] = ()) -> Choice:
    samples = folder / "samples"
    samples.mkdir()
    choice = choose(save_sound(path, samples / "7"), languages)
    assert not list(samples.iterdir()), "files are left"
    return choice


def likeness(samples: np.ndarray, wanted: np.ndarray) -> float:
    """The highest correlation up to 0.1 s apart: encoders delay, and joins cut."""
    length = min(len(samples), len(wanted))
    size = 1 << (2 * length - 1).bit_length()
    a, b = (part[:length] / np.linalg.norm(part[:length]) for part in (samples, wanted))
    found = np.abs(np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size))
    near = SAMPLE_RATE // 10
    return float(max(found[:near].max(), found[-near:].max()))


@pytest.mark.parametrize("layout", SOUNDS, ids=lambda layout: layout.name)
def test_the_sound_with_the_speech_is_chosen(layout: Layout, tmp_path: Path) -> None:
    choice = chosen(layout.make(tmp_path), tmp_path, layout.languages)
    samples = choice.samples[:]
    assert likeness(samples, layout.like) > layout.alike
    assert seconds(find_speech(samples)) > 2
    assert layout.note in choice.note and bool(layout.note) == bool(choice.note)


@pytest.mark.parametrize("tag", ["deu", "ger", "de", "de-AT", "de_CH"])
def test_a_tag_of_a_track_names_its_language_in_any_country(tag: str) -> None:
    assert choose_sound._speaks(Track(1, language=tag), ["en", "de"])
    assert not choose_sound._speaks(Track(1, language=tag), ["en", "nl"])


def test_sound_that_changes_to_stereo_is_read_to_its_end(tmp_path: Path) -> None:
    samples = chosen(joined(tmp_path), tmp_path).samples
    assert likeness(samples[50_000:], OTHER) > 0.95


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        ([track(NOTHING)], "no sound in the audio track"),
        ([track(NOTHING), track(NOTHING)], "no sound in 2 audio tracks"),
        ([track(MUSIC)], "no speech found in the audio track"),
        ([track(MUSIC), track(NOISE), track(NOTHING)], "no speech found in 3 audio tracks"),
        ([track(MUSIC, -MUSIC)], "no speech found in the audio track"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sound_without_speech_has_a_reason(tracks: list[Audio], reason: str, tmp_path: Path) -> None:
    choice = chosen(write(tmp_path / "v.mkv", tracks), tmp_path)
    assert find_speech(choice.samples) == []
    assert choice.if_empty == reason


def test_a_file_with_encrypted_sound_only_fails_with_the_reason(tmp_path: Path) -> None:
    path = replace(write(tmp_path / "v.mp4", [Audio(SPEECH, "aac")]), b"mp4a", b"enca")
    with pytest.raises(MediaError, match=r"^the audio is encrypted$"):
        save_sound(path, tmp_path / "7")


def test_sound_of_an_unknown_codec_fails_with_the_reason(tmp_path: Path) -> None:
    path = replace(write(tmp_path / "v.mkv", [Audio(SPEECH, "aac")]), b"A_AAC", b"A_ZZZ")
    with pytest.raises(MediaError, match=r"^the audio has an unknown codec$"):
        save_sound(path, tmp_path / "7")


def test_a_damaged_track_beside_a_silent_one_fails(tmp_path: Path) -> None:
    sound = save_sound(write(tmp_path / "v.mkv", [Audio(None), track(NOTHING)]), tmp_path / "7")
    with pytest.raises(MediaError, match=r"^audio track 1 cannot be read: nothing of"):
        choose(sound)


def test_the_one_track_of_an_ordinary_file_is_not_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.speech.vad.find_speech", lambda samples: pytest.fail("examined"))
    chosen(one(SPEECH, SPEECH)(tmp_path), tmp_path)


# -- pictures -----------------------------------------------------------------------------------------------------

BLACK = Image.new("RGB", (96, 160))
STRIPES = Image.new("RGB", (96, 160))  # red
for top in range(0, 160, 20):
    ImageDraw.Draw(STRIPES).rectangle((0, top, 96, top + 9), (255, 0, 0))


def scene(number: int) -> Image.Image:
    """A blue picture with a white bar at one of eight heights."""
    image = Image.new("RGB", (96, 160), (0, 0, 160))
    ImageDraw.Draw(image).rectangle((10, 10 + 18 * number, 86, 20 + 18 * number), "white")
    return image


def album(folder: Path, samples: np.ndarray = SPEECH) -> Path:
    return write(folder / "a.mp4", [Audio(samples, "aac")], [attached()])


def attached() -> Film:
    return Film([STRIPES], "mjpeg", "yuvj420p", ATTACHED)


BLUE = [scene(0)] * 2
FILMS: list[tuple[str, Callable[[Path], Path]]] = [
    ("film only", lambda f: write(f / "v.mp4", video=[Film(BLUE)])),
    ("cover behind the film", lambda f: write(f / "v.mp4", video=[Film(BLUE), attached()])),
    ("cover in front of the film", lambda f: cover_first(write(f / "v.mp4", video=[Film(BLUE), attached()]))),
    ("cover in mkv", lambda f: write(f / "v.mkv", video=[attached(), Film(BLUE)])),
    ("first track black", lambda f: write(f / "v.mkv", video=[Film([BLACK] * 2), Film(BLUE)])),
    ("second track black", lambda f: write(f / "v.mkv", video=[Film(BLUE), Film([BLACK] * 2)])),
    (
        "first track of an unknown codec",
        lambda f: replace(write(f / "v.mp4", video=[Film([scene(5)] * 2), Film(BLUE)]), b"avc1", b"zzzz", 1),
    ),
    (
        "first track encrypted",
        lambda f: replace(write(f / "v.mp4", video=[Film([scene(5)] * 2), Film(BLUE)]), b"avc1", b"encv", 1),
    ),
    (
        "default flag",
        lambda f: write(f / "v.mkv", video=[Film([attached().pictures[0]] * 2), Film(BLUE, flags=DEFAULT)]),
    ),
    ("one picture in a track before the film", lambda f: write(f / "v.mp4", video=[Film([STRIPES]), Film(BLUE)])),
]


def is_blue(image: Image.Image) -> bool:
    red, _, blue = np.asarray(image, np.float32).mean(axis=(0, 1))
    return bool(blue > red + 40)


@pytest.mark.parametrize("make", [make for _, make in FILMS], ids=[name for name, _ in FILMS])
def test_the_film_is_read_and_not_what_lies_beside_it(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    found = frames(path)
    assert [is_blue(frame.image) for frame in found] == [True]
    assert is_blue(poster(path))


def test_a_cover_without_a_film_is_read(tmp_path: Path) -> None:
    path = album(tmp_path)
    [frame] = frames(path)
    assert not is_blue(frame.image)
    assert not is_blue(poster(path))


def test_pictures_of_an_unknown_codec_fail_with_the_reason(tmp_path: Path) -> None:
    path = replace(write(tmp_path / "v.mp4", video=[Film(BLUE)]), b"avc1", b"zzzz", 1)
    for read in (frames, poster):
        with pytest.raises(MediaError, match=r"^the video has an unknown codec$") as raised:
            read(path)
        assert not isinstance(raised.value, NoStream)


@pytest.mark.parametrize(("key_every", "starts"), [(1, [0, 4, 8]), (100, [0, 4, 8]), (10, [0, 4, 8])])
def test_texts_between_distant_key_frames_are_seen(
    key_every: int, starts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EVERY_FRAME_S", 2.0)
    monkeypatch.setattr(reading, "MAX_KEY_GAP_S", 2.5)
    pictures = [scene(number // 4) for number in range(12)]
    path = write(tmp_path / "v.mp4", video=[Film(pictures, key_every=key_every)])
    assert [round(frame.start_s) for frame in frames(path)] == starts


def test_only_key_frames_are_decoded_where_they_are_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "EVERY_FRAME_S", 2.0)
    path = write(tmp_path / "v.mp4", video=[Film([scene(n % 2) for n in range(12)], key_every=2)])
    assert [round(frame.start_s) for frame in frames(path)] == [0]  # every second picture, and they are the same


def test_all_of_a_long_video_is_compared_at_a_larger_distance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_COMPARED", 4)
    path = write(tmp_path / "v.mp4", video=[Film([scene(number // 4) for number in range(16)])])
    assert [round(frame.start_s) for frame in frames(path)] == [0, 4, 8, 12]


def written(ink: tuple[int, int, int], outline: tuple[int, int, int] | None = None) -> Image.Image:
    """Letters on a transparent picture; transparent pixels have their colour, as editors leave it."""
    image = Image.new("RGBA", (400, 160), (*ink, 0))
    font = ImageFont.load_default(size=60)
    stroke = {"stroke_width": 4, "stroke_fill": (*outline, 255)} if outline else {}
    ImageDraw.Draw(image).text((30, 40), "PENGUIN", (*ink, 255), font, **stroke)  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("ink", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (255, 230, 0), (0, 0, 120)])
def test_letters_on_transparency_can_be_seen(ink: tuple[int, int, int], suffix: str, tmp_path: Path) -> None:
    written(ink).save(tmp_path / f"a.{suffix}", lossless=True)
    luma = np.asarray(open_image(tmp_path / f"a.{suffix}").convert("L"), np.float32)
    assert np.ptp(luma) > 60
    assert luma.std() > 10


def test_outlined_letters_on_transparency_can_be_seen(tmp_path: Path) -> None:
    for ink, outline in (((255, 255, 255), (0, 0, 0)), ((0, 0, 0), (255, 255, 255))):
        written(ink, outline).save(tmp_path / "a.png")
        assert np.ptp(np.asarray(open_image(tmp_path / "a.png").convert("L"), np.float32)) > 200


def test_letters_on_a_transparent_film_can_be_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mov", video=[Film([written((255, 255, 255))] * 2, "png", "rgba")])
    [frame] = frames(path)
    assert np.asarray(frame.image.convert("L"), np.float32).std() > 10
    assert np.asarray(poster(path).convert("L"), np.float32).std() > 10
