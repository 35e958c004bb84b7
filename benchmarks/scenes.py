"""Generated videos with known cuts -> recall and precision of the cuts found, pictures a video, and time.

    python benchmarks/scenes.py

Each video has five to nine scenes: noise textures and drawn scenes, still or panned, with a hand-held shake, moving
things, a caption that changes, brightness that pulses, flashes of one frame, and some scenes that fade to black and
back. A cut is found if one is named within 0.2 s of it. The CPU time is that of one pass for text and scenes. It is
compared with a pass for each of them, and with seeking eight even frames.
"""

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Annotated, Any

import av
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a script, Python only searches this file's folder

from ingest.ocr.frames import MAX_FRAMES, look  # noqa: E402
from ingest.scenes import MAX_PICTURES  # noqa: E402
from ingest.thumbnails import strip  # noqa: E402

SIZE = (288, 512)
WITHIN_S = 0.2
SEED = 23
KINDS = ("still", "pan", "shake", "moving", "caption", "pulse", "flash", "fade", "zoom")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    path: Path
    cuts: list[float]
    scenes: int
    seconds: float


def main(
    videos: Annotated[int, typer.Option(help="How many videos to generate.")] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = SEED,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
) -> None:
    """Generate videos, find their cuts, and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        rng = Random(seed)
        films = [film(Path(folder) / f"{number}.mp4", rng, rng.choice((15, 24, 30))) for number in range(videos)]
        figures = measure(films, Path(folder))
    figures |= {"videos": videos, "seed": seed, "machine": platform.machine(), "date": str(date.today())}
    print(json.dumps(figures, indent=2))
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(films: list[Film], folder: Path) -> dict[str, Any]:
    """Return recall and precision of cuts, pictures a video, and the seconds of each way."""
    hits = wanted = named = pictures = covered = scenes = 0
    seconds = dict.fromkeys(("scenes_and_text", "text_alone", "scenes_alone", "eight_even"), 0.0)
    for one in films:
        times = [one.seconds * (n + 0.5) / 8 for n in range(8)]
        ways: dict[str, Callable[[], object]] = {
            "text_alone": partial(look, one.path),
            "scenes_alone": partial(look, one.path, 0, MAX_PICTURES),
            "eight_even": partial(strip, one.path, times, folder / "strip.webp"),
        }
        for name, way in ways.items():
            started = time.process_time()
            way()
            seconds[name] += time.process_time() - started
        started = time.process_time()
        seen = look(one.path, MAX_FRAMES, MAX_PICTURES)
        seconds["scenes_and_text"] += time.process_time() - started
        found = matched(one.cuts, seen.cuts)
        hits, wanted, named = hits + found, wanted + len(one.cuts), named + len(seen.cuts)
        pictures += len(seen.pictures)
        starts = [picture.start_s for picture in seen.pictures]
        shots = list(pairwise([0.0, *one.cuts, one.seconds]))
        covered += sum(any(first - 0.05 <= start < last for start in starts) for first, last in shots)
        scenes += len(shots)
    return {
        "recall": round(hits / wanted, 3),
        "precision": round(hits / max(1, named), 3),
        "cuts": wanted,
        "pictures_a_video": round(pictures / len(films), 2),
        "shots_with_a_picture": round(covered / scenes, 3),
        "seconds_of_video": round(sum(one.seconds for one in films), 1),
        "cpu_ms_a_video": {name: round(1000 * value / len(films), 1) for name, value in seconds.items()},
    }


def matched(wanted: list[float], named: list[float]) -> int:
    """Return how many cuts are named, each by a time of its own."""
    left = sorted(named)
    count = 0
    for cut in wanted:
        close = next((time_s for time_s in left if abs(time_s - cut) <= WITHIN_S), None)
        if close is not None:
            left.remove(close)
            count += 1
    return count


# -- videos -------------------------------------------------------------------------------------------------------


def film(path: Path, rng: Random, fps: int) -> Film:
    """Write a video of some scenes. Return it with the seconds of its cuts."""
    frames: list[Pixels] = []
    cuts: list[float] = []
    count = rng.randint(5, 9)
    previous = ""
    for number in range(count):
        kind = rng.choice(KINDS)
        if number and not (kind == previous == "fade"):  # from black to black
            cuts.append(len(frames) / fps)
        frames += scene(kind, rng, round(fps * rng.uniform(0.8, 5)), fps, ends=(number > 0, number < count - 1))
        previous = kind
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "26", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return Film(path, cuts, count, len(frames) / fps)


def scene(kind: str, rng: Random, count: int, fps: int, ends: tuple[bool, bool]) -> list[Pixels]:
    """Return the frames of one scene."""
    ground = texture(rng)
    walk = np.cumsum(np.random.default_rng(rng.randint(0, 1 << 30)).normal(0, 1.2, (count, 2)), axis=0).clip(-40, 40)
    thing, speed = Image.new("RGB", (110, 110), tuple(rng.randint(0, 255) for _ in range(3))), rng.uniform(60, 260)
    direction, flash = rng.choice((-1, 1)), rng.randrange(2, max(3, count - 2))
    fade = min(fps // 2, count // 3)
    shown = []
    for number in range(count):
        t = number / fps
        left, top, width = 96.0, 96.0, float(SIZE[0])
        if kind == "pan":
            left += direction * 45 * np.sin(t)
        elif kind == "zoom":
            width -= min(80, 25 * t)
        elif kind in ("shake", "caption"):
            left, top = left + walk[number][0], top + walk[number][1]
        height = width * SIZE[1] / SIZE[0]
        frame = ground.resize(SIZE, Image.Resampling.BILINEAR, (left, top, left + width, top + height))
        if kind == "moving":
            frame.paste(thing, (round(t * speed) % SIZE[0] - 40, 200))
        if kind == "caption":
            face = ImageFont.load_default(size=34)
            ImageDraw.Draw(frame).text((20, 330), f"line {int(t)}", "white", face, stroke_width=3, stroke_fill="black")
        pixels = np.asarray(frame).astype(np.float32)
        if kind == "pulse":
            pixels *= 0.85 + 0.15 * np.sin(2 * np.pi * 2 * t)
        if kind == "flash" and number == flash:
            pixels = pixels * 0.2 + 200
        if kind == "fade" and ends[0] and number < fade:
            pixels *= number / fade
        if kind == "fade" and ends[1] and number >= count - fade:
            pixels *= (count - 1 - number) / fade
        shown.append(pixels.clip(0, 255).astype(np.uint8))
    return shown


def texture(rng: Random) -> Image.Image:
    """Return a picture larger than a frame: soft noise of some size in some colours, and shapes."""
    source = np.random.default_rng(rng.randint(0, 1 << 30))
    cells = rng.choice((6, 10, 24))
    base = source.integers(0, 255, 3)
    noise = np.clip(base + source.normal(0, rng.choice((25, 50)), (cells, cells, 3)), 0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).resize((SIZE[0] + 192, SIZE[1] + 192), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(2, 9)):
        x, y, r = rng.randint(0, picture.width), rng.randint(0, picture.height), rng.randint(15, 90)
        draw.ellipse((x - r, y - r, x + r, y + r), tuple(rng.randint(0, 255) for _ in range(3)))
    return picture


if __name__ == "__main__":
    typer.run(main)
