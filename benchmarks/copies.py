"""Copies of videos that are changed in some way, and other videos -> which are taken for copies of the same one.

    python benchmarks/copies.py

The copies are made of the clips in a folder (by default the sample's): encoded worse, smaller, brighter, with a name in
a corner, with a caption, mirrored, cropped, with black bars. The others are the clips themselves, and videos made from
one template: the same moving background and length, with another text. The index asks what the texts of videos say as
well (`retrieval/corpus/copies.py`): one figure is with the texts as they were written. The last one is the CPU time
to look for the copies among many equally long videos of noise, whose copies differ by as much as is allowed.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import av
import numpy as np
import typer
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a script, Python only searches this file's folder

from ingest.catalog.picture_store import Fingerprint, PictureStore  # noqa: E402
from ingest.copies import HASH_BYTES, NEAR_BITS, alike, most_apart_s, stacked  # noqa: E402
from ingest.media import upright  # noqa: E402
from ingest.ocr.frames import look  # noqa: E402
from ingest.stages.copies import compare  # noqa: E402
from retrieval.corpus.copies import differ, words_of  # noqa: E402

Change = Callable[[Image.Image], Image.Image]

TEXTS = (
    "how to fold a fitted sheet",
    "three things nobody tells you",
    "my cat knocks on the door",
    "bread without kneading",
    "why the sea is salty",
    "cheap train tickets",
)
TEMPLATE_S, FPS = 8, 10
NOISE_FRAMES, NOISE_COPIES = 20, 200


def main(
    clips: Annotated[Path, typer.Option(help="Folder of mp4 files.")] = ROOT / "data" / "sample" / "videos",
    most: Annotated[int, typer.Option(help="How many of them to copy.")] = 12,
    many: Annotated[int, typer.Option(help="Videos of noise.")] = 20_000,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
) -> None:
    """Make copies and other videos, compare them, and print the figures."""
    paths = sorted(clips.glob("*.mp4"))
    started = time.process_time()
    prints = {path: fingerprint(path) for path in paths}
    figures: dict[str, Any] = {"cpu_s_a_video": round((time.process_time() - started) / len(paths), 3)}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.mp4"
        for name, change in CHANGES.items():
            found = 0
            for path in paths[:most]:
                remake(path, copy, change)
                found += copies(prints[path], fingerprint(copy))
            figures[name] = f"{found} of {len(paths[:most])}"
        templates = [template(Path(folder) / f"{number}.mp4", text) for number, text in enumerate(TEXTS)]
        pairs = list(combinations(map(fingerprint, templates), 2))
        texts = [differ(words_of(one), words_of(other)) for one, other in combinations(TEXTS, 2)]
    figures["other_clips"] = wrong(list(combinations(prints.values(), 2)))
    figures["other_clips_whatever_their_length"] = wrong(list(combinations(prints.values(), 2)), lengths=False)
    figures["one_template"] = wrong(pairs)
    taken = sum(copies(*pair) and not other for pair, other in zip(pairs, texts, strict=True))
    figures["one_template_with_the_texts"] = f"{taken} of {len(pairs)} pairs"
    figures["among_many"] = among(many)
    figures["date"] = str(date.today())
    print(json.dumps(figures, indent=2))
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def fingerprint(path: Path) -> Fingerprint:
    found = look(path, 0, 1).fingerprint
    assert found
    return found


def copies(one: Fingerprint, other: Fingerprint, lengths: bool = True) -> bool:
    """Whether two videos are taken for copies."""
    if lengths and abs((one.length_s or 0) - (other.length_s or 0)) > most_apart_s(one.length_s or 0):
        return False
    same, mirrored = alike(*stacked([one, other]))
    return bool(same or mirrored)


def wrong(pairs: list[tuple[Fingerprint, Fingerprint]], lengths: bool = True) -> str:
    return f"{sum(copies(*pair, lengths) for pair in pairs)} of {len(pairs)} pairs"


def among(videos: int) -> str:
    """Look for copies among videos of noise."""
    random = np.random.default_rng(1)
    prints = random.integers(0, 256, (videos, NOISE_FRAMES, HASH_BYTES), np.uint8)
    differing = np.zeros((NOISE_COPIES, NOISE_FRAMES, HASH_BYTES * 8), np.uint8)
    differing[..., :NEAR_BITS] = 1
    copied = prints[:NOISE_COPIES] ^ np.packbits(random.permuted(differing, axis=2), axis=2)
    with tempfile.TemporaryDirectory() as folder, PictureStore(Path(folder), create=True) as store:
        for number, one in enumerate([*prints, *copied]):
            store.put(str(number), "", "", [], "", Fingerprint(float(NOISE_FRAMES), one.tobytes()))
        started = time.process_time()
        compare(store)
        spent_s, right = time.process_time() - started, {(n, n + videos) for n in range(NOISE_COPIES)}
        found = {tuple(sorted((int(one), int(other)))) for one, other, _ in store.copies()}
    return f"{len(found & right)} of {NOISE_COPIES}, {len(found - right)} others, {spent_s:.1f} s"


# -- videos -------------------------------------------------------------------------------------------------------


def remake(source: Path, target: Path, change: Change) -> None:
    """Encode a changed copy of a video, worse than it was."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        film = read.streams.video[0]
        images = (change(upright(frame)) for frame in read.decode(film))
        _encode(written, images, round(film.average_rate or FPS))


def template(path: Path, text: str) -> Path:
    """Write a video with this text on a moving background that is the same for every text."""
    ground = Image.radial_gradient("L").resize((720, 720)).convert("RGB")
    draw = ImageDraw.Draw(ground)
    for number in range(40):
        x, y = number * 137 % 680, number * 71 % 700
        draw.ellipse((x, y, x + 60, y + 40), (number * 6 % 256, number * 91 % 256, 120))

    def frames() -> Any:
        for number in range(TEMPLATE_S * FPS):
            frame = ground.crop((number * 2, 40, number * 2 + 360, 680))
            ImageDraw.Draw(frame).multiline_text(
                (20, 240),
                text.replace(" ", "\n"),
                "white",
                ImageFont.load_default(size=44),
                stroke_width=3,
                stroke_fill="black",
            )
            yield frame

    with av.open(str(path), "w") as written:
        _encode(written, frames(), FPS)
    return path


def _encode(container: Any, images: Any, rate: int) -> None:
    stream = None
    for image in images:
        if stream is None:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "34", "preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = image.width // 2 * 2, image.height // 2 * 2, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
    if stream is not None:
        container.mux(stream.encode())


def _write(text: str, place: float, size: float) -> Change:
    def written(image: Image.Image) -> Image.Image:
        face = ImageFont.load_default(size=image.width * size)
        at = (image.width * 0.08, image.height * place)
        ImageDraw.Draw(image).multiline_text(at, text, "white", face, stroke_width=3, stroke_fill="black")
        return image

    return written


def _crop(share: float) -> Change:
    def cropped(image: Image.Image) -> Image.Image:
        left, top = image.width * share, image.height * share
        return image.crop((round(left), round(top), round(image.width - left), round(image.height - top)))

    return cropped


def _bars(image: Image.Image) -> Image.Image:
    framed = Image.new("RGB", image.size)
    framed.paste(image.resize((image.width, image.height * 8 // 10)), (0, image.height // 10))
    return framed


CHANGES: dict[str, Change] = {
    "encoded_worse": lambda image: image,
    "half_the_size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "name_in_a_corner": _write("@somebody_else", 0.05, 1 / 14),
    "caption": _write("wait for it...\nthis is so good", 0.7, 1 / 9),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped_by_2_percent": _crop(0.02),
    "cropped_by_5_percent": _crop(0.05),
    "black_bars": _bars,
}


if __name__ == "__main__":
    typer.run(main)
