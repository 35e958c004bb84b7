"""The name of a scene and a palette -> a painted background of the sample's covers."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter

# Scenes are painted at twice the size of a cover (360 x 640) and scaled down, which smooths every edge.
WIDTH, HEIGHT = 720, 1280

Colour = tuple[int, int, int]


class Palette(NamedTuple):
    """Five colours that go together: a background from top to bottom, two accents, and a dark one."""

    top: str
    bottom: str
    accent: str
    second: str
    dark: str


PALETTES = (
    Palette("#ffd9a0", "#ff9a76", "#e8505b", "#fff3d6", "#4a2c40"),
    Palette("#c9f2e7", "#7ccfc2", "#f9a03f", "#fdf6e3", "#16423c"),
    Palette("#d9d7ff", "#9a8cff", "#ff7eb6", "#fff7ae", "#2b2559"),
    Palette("#bfe3ff", "#6fb1f2", "#ffcf56", "#f7fbff", "#173f6b"),
    Palette("#ffe3ec", "#f9a8c4", "#7b4ae2", "#fffbe9", "#5a1a3c"),
    Palette("#f6f0c4", "#d8c26a", "#3f8f7b", "#fff8e6", "#3d3a1e"),
    Palette("#e2f4c5", "#9ccc65", "#ff8a5c", "#fffdf0", "#28451f"),
    Palette("#ffe0cc", "#e78f6d", "#2a9d8f", "#fff1e0", "#3b2016"),
    Palette("#d6ecef", "#84b6c4", "#e76f51", "#fefae0", "#203a43"),
    Palette("#f4d8ff", "#c77dff", "#ffd166", "#fdf0ff", "#3c096c"),
)


class Brush:
    """A canvas with a palette and a random generator, which the scenes below paint on."""

    def __init__(self, palette: Palette, rng: Random) -> None:
        self.palette, self.rng = palette, rng
        self.image = Image.new("RGB", (WIDTH, HEIGHT), palette.top)
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def gradient(self, top: str, bottom: str, y0: int = 0, y1: int = HEIGHT) -> None:
        first, last = rgb(top), rgb(bottom)
        for y in range(y0, y1):
            share = (y - y0) / max(1, y1 - y0 - 1)
            colour = tuple(round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
            self.draw.line([(0, y), (WIDTH, y)], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: str, alpha: int = 255) -> None:
        self.draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(*rgb(colour), alpha))

    def box(self, x: float, y: float, w: float, h: float, colour: str, radius: float = 0, alpha: int = 255) -> None:
        self.draw.rounded_rectangle([x, y, x + w, y + h], radius, fill=(*rgb(colour), alpha))

    def hill(self, base: float, height: float, colour: str, waves: float, phase: float) -> None:
        points = [
            (x, base - height * (0.5 + 0.5 * math.sin(x / WIDTH * math.tau * waves + phase)))
            for x in range(0, WIDTH + 8, 8)
        ]
        self.draw.polygon([*points, (WIDTH, HEIGHT), (0, HEIGHT)], fill=colour)


def paint(scene: str, palette: Palette, rng: Random) -> Image.Image:
    """The background `scene` in 720 x 1280 pixels; KeyError if there is no such scene."""
    brush = Brush(palette, rng)
    SCENES[scene](brush)
    return brush.image


def rgb(colour: str) -> Colour:
    """`#rrggbb` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _kitchen(b: Brush) -> None:
    b.gradient(b.palette.second, b.palette.top)
    for row, y in enumerate(range(0, 860, 90)):
        for x in range(-90 * (row % 2), WIDTH, 180):
            b.box(x + 4, y + 4, 172, 82, b.palette.top, 10, 150)
    b.box(0, 200, WIDTH, 26, b.palette.dark, 0, 200)
    for x in range(60, WIDTH, 130):
        height = b.rng.randint(70, 120)
        b.box(x, 200 - height, 78, height, b.rng.choice(b.palette[1:4]), 16)
        b.box(x + 8, 190 - height, 62, 18, b.palette.dark, 6)
    b.gradient(b.palette.bottom, b.palette.accent, 900)
    b.box(0, 884, WIDTH, 34, b.palette.dark, 0, 170)


def _room(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.second)
    b.box(110, 120, 300, 380, b.palette.dark, 18)
    b.gradient("#bfe3ff", "#fef6dc", 138, 139)
    b.box(128, 138, 264, 344, "#bfe3ff", 8)
    b.disc(310, 230, 46, "#fff2b0")
    b.box(252, 138, 14, 344, b.palette.dark)
    b.box(128, 300, 264, 14, b.palette.dark)
    for x, colour in ((480, b.palette.accent), (590, b.palette.bottom)):
        b.box(x, 170, 86, 116, b.palette.dark, 6)
        b.box(x + 9, 179, 68, 98, colour, 2)
    b.gradient(b.palette.bottom, b.palette.dark, 980)
    b.draw.ellipse([90, 960, 630, 1180], fill=(*rgb(b.palette.accent), 210))
    b.draw.ellipse([140, 985, 580, 1150], fill=(*rgb(b.palette.second), 150))


def _hills(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.second, 0, 900)
    b.disc(b.rng.randint(140, 580), 300, 120, "#fff4c2")
    for number, colour in enumerate(("#b7d8b0", "#8fbf87", "#639a67", "#3f7550")):
        b.hill(820 + number * 130, 190, colour, b.rng.uniform(0.7, 1.5), b.rng.uniform(0, 6))


def _garden(b: Brush) -> None:
    b.gradient("#cdeeff", "#f2fbe4", 0, 760)
    for x in range(10, WIDTH, 100):
        b.draw.polygon([(x, 520), (x + 40, 460), (x + 80, 520), (x + 80, 840), (x, 840)], fill=b.palette.second)
    b.box(0, 590, WIDTH, 34, b.palette.bottom)
    b.gradient("#8ccb6c", "#3f8a45", 800)
    for _ in range(46):
        x, y = b.rng.randint(0, WIDTH), b.rng.randint(830, HEIGHT)
        b.disc(x, y, b.rng.randint(7, 15), b.rng.choice((b.palette.accent, b.palette.second, "#ffd166")))
        b.disc(x, y, 4, "#fff6d0")


def _sea(b: Brush) -> None:
    b.gradient("#d7f3ff", "#8fd3f4", 0, 600)
    b.disc(b.rng.randint(160, 560), 230, 95, b.palette.accent, 220)
    for number, colour in enumerate(("#6ec3e0", "#3fa3cc", "#237fae", "#14608d", "#0d466d")):
        b.hill(560 + number * 150, 70, colour, b.rng.uniform(2, 3.5), b.rng.uniform(0, 6))


def _night(b: Brush) -> None:
    b.gradient("#0b1037", "#4b3f8f")
    for _ in range(130):
        b.disc(b.rng.randint(0, WIDTH), b.rng.randint(0, 900), b.rng.uniform(1, 4), "#fffbe0", b.rng.randint(120, 255))
    x = b.rng.randint(140, 580)
    b.disc(x, 240, 92, "#ffeeb5")
    b.disc(x + 34, 220, 80, "#171a4a")
    b.hill(1080, 120, "#231c55", 1.2, b.rng.uniform(0, 6))
    b.hill(1200, 110, "#140f38", 0.9, b.rng.uniform(0, 6))


def _city(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.second)
    b.disc(b.rng.randint(150, 570), 330, 110, b.palette.accent, 230)
    for base, colour, alpha in ((430, b.palette.bottom, 255), (620, b.palette.dark, 215)):
        x = -20
        while x < WIDTH:
            width, top = b.rng.randint(90, 160), base + b.rng.randint(0, 190)
            b.box(x, top, width - 8, HEIGHT, colour, 4, alpha)
            for wx in range(x + 18, x + width - 34, 36):
                for wy in range(top + 26, 1000, 58):
                    if b.rng.random() < 0.55:
                        b.box(wx, wy, 18, 28, "#ffe9a8", 2, 210)
            x += width
    b.gradient("#4c5063", "#2c2f3f", 1060)
    for x in range(20, WIDTH, 180):
        b.box(x, 1160, 100, 14, "#f5f0d8", 6)


def _chalkboard(b: Brush) -> None:
    b.gradient("#2f6150", "#1d4237")
    for _ in range(26):
        x, y, r = b.rng.randint(60, 660), b.rng.randint(60, 1160), b.rng.randint(20, 70)
        start = b.rng.randint(0, 300)
        b.draw.arc(
            [x - r, y - r, x + r, y + r], start, start + b.rng.randint(60, 220), fill=(255, 255, 255, 45), width=5
        )
    for _ in range(8):
        x, y = b.rng.randint(60, 560), b.rng.randint(60, 1160)
        b.draw.line([x, y, x + b.rng.randint(60, 150), y + b.rng.randint(-60, 60)], fill=(255, 246, 200, 60), width=5)
    b.draw.rectangle([0, 0, WIDTH - 1, HEIGHT - 1], outline="#9c6b3c", width=34)
    b.box(120, 1216, 480, 30, "#c08a55", 6)
    for x, colour in ((180, "#ffffff"), (300, "#ffd166"), (430, "#ff8fab")):
        b.box(x, 1204, 76, 16, colour, 8)


def _notebook(b: Brush) -> None:
    b.gradient("#fffdf3", "#f6efdc")
    for y in range(120, HEIGHT, 62):
        b.draw.line([0, y, WIDTH, y], fill=(120, 160, 210, 120), width=3)
    b.draw.line([110, 0, 110, HEIGHT], fill=(230, 100, 110, 170), width=4)
    for y in range(60, HEIGHT, 124):
        b.disc(48, y, 22, b.palette.bottom)
    for _ in range(4):
        x, y = b.rng.randint(160, 520), b.rng.randint(80, 1100)
        b.draw.line([x, y, x + 150, y - 14], fill=(*rgb(b.palette.accent), 120), width=26)
    b.box(430, 60, 230, 60, b.palette.top, 0, 200)


def _sunburst(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.bottom)
    centre, turn = (WIDTH / 2, HEIGHT * 0.56), b.rng.uniform(0, 0.3)
    for ray in range(0, 28, 2):
        angles = [(ray + side) * math.tau / 28 + turn for side in (0, 1)]
        rim = [(centre[0] + 1500 * math.cos(a), centre[1] + 1500 * math.sin(a)) for a in angles]
        b.draw.polygon([centre, *rim], fill=(*rgb(b.palette.second), 150))
    b.disc(*centre, 265, b.palette.second)
    b.disc(*centre, 235, b.palette.accent)


def _blobs(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.bottom)
    for _ in range(7):
        x, y = b.rng.randint(0, WIDTH), b.rng.randint(0, HEIGHT)
        b.disc(x, y, b.rng.randint(120, 320), b.rng.choice((b.palette.accent, b.palette.second, b.palette.bottom)), 170)
    b.image.paste(b.image.filter(ImageFilter.GaussianBlur(70)))
    b.disc(WIDTH / 2, HEIGHT * 0.56, 250, b.palette.second, 130)


def _stripes(b: Brush) -> None:
    b.gradient(b.palette.top, b.palette.top)
    for x in range(-HEIGHT, WIDTH, 180):
        b.draw.polygon(
            [(x, HEIGHT), (x + 90, HEIGHT), (x + 90 + HEIGHT, 0), (x + HEIGHT, 0)], fill=(*rgb(b.palette.bottom), 190)
        )
    b.disc(WIDTH / 2, HEIGHT * 0.56, 262, b.palette.second)


def _dots(b: Brush) -> None:
    b.gradient(b.palette.second, b.palette.top)
    for row, y in enumerate(range(30, HEIGHT, 92)):
        for x in range(40 + 53 * (row % 2), WIDTH, 106):
            b.disc(x, y, 21, b.rng.choice((b.palette.bottom, b.palette.bottom, b.palette.accent)), 200)
    b.disc(WIDTH / 2, HEIGHT * 0.56, 262, b.palette.second)


def _confetti(b: Brush) -> None:
    b.gradient(b.palette.second, b.palette.top)
    for _ in range(150):
        x, y, angle = b.rng.randint(0, WIDTH), b.rng.randint(0, HEIGHT), b.rng.uniform(0, math.tau)
        dx, dy = 17 * math.cos(angle), 17 * math.sin(angle)
        colour = b.rng.choice((b.palette.bottom, b.palette.accent, "#ffd166", "#4cc9f0", "#80ed99"))
        b.draw.line([x - dx, y - dy, x + dx, y + dy], fill=colour, width=13)


def _bokeh(b: Brush) -> None:
    b.gradient("#2b1d3a", b.palette.dark)
    for _ in range(40):
        x, y, r = b.rng.randint(0, WIDTH), b.rng.randint(0, HEIGHT), b.rng.randint(24, 90)
        b.disc(x, y, r, b.rng.choice((b.palette.accent, b.palette.top, "#ffd166")), b.rng.randint(40, 120))
    b.image.paste(b.image.filter(ImageFilter.GaussianBlur(6)))


def _bookshelf(b: Brush) -> None:
    b.gradient("#6d4630", "#4f3122")
    colours = (*b.palette[:4], "#c44536", "#2a9d8f", "#e9c46a", "#577590")
    for shelf in range(5):
        floor, x = 250 + shelf * 256, 14
        while x < WIDTH - 50:
            width, height = b.rng.randint(30, 64), b.rng.randint(150, 222)
            b.box(x, floor - height, width, height, b.rng.choice(colours), 5)
            b.box(x + 5, floor - height + 24, width - 10, 9, "#fff6df", 0, 170)
            x += width + b.rng.choice((3, 3, 3, 40))
        b.box(0, floor, WIDTH, 26, "#3a2317")
    b.box(120, 520, 480, 420, "#fff7e4", 40, 235)


def _stage(b: Brush) -> None:
    b.gradient("#3b0a2a", "#7a1236")
    for x in range(0, WIDTH, 60):
        b.box(x, 0, 26, 1010, "#000000", 0, 46)
    for x in (130, 590):
        lamp = Image.new("L", (WIDTH, HEIGHT), 0)
        ImageDraw.Draw(lamp).polygon([(x - 20, 0), (x + 20, 0), (560, 1100), (160, 1100)], fill=90)
        b.image.paste(Image.new("RGB", lamp.size, "#fff0b8"), mask=lamp.filter(ImageFilter.GaussianBlur(14)))
    b.gradient("#a8683f", "#6b3d22", 1010)
    b.draw.ellipse([130, 1020, 590, 1190], fill=(255, 236, 170, 150))


def _pitch(b: Brush) -> None:
    for number, y in enumerate(range(0, HEIGHT, 128)):
        b.box(0, y, WIDTH, 128, ("#5fb85a", "#4fa64c")[number % 2])
    white = (255, 255, 255, 210)
    b.draw.rectangle([50, 50, WIDTH - 50, HEIGHT - 50], outline=white, width=9)
    b.draw.line([50, 720, WIDTH - 50, 720], fill=white, width=9)
    b.draw.ellipse([180, 540, 540, 900], outline=white, width=9)
    b.draw.rectangle([190, 50, 530, 210], outline=white, width=9)


def _workshop(b: Brush) -> None:
    b.gradient("#e3c79d", "#cfa978")
    for y in range(34, 930, 58):
        for x in range(30, WIDTH, 58):
            b.disc(x, y, 7, "#8b6a43", 190)
    for x in (90, 250, 560):
        length = b.rng.randint(110, 190)
        b.box(x, 60, 26, length, b.palette.accent, 12)
        b.box(x + 7, 60 + length, 12, 110, "#8d99a6", 3)
    b.gradient("#9a6b3f", "#704826", 960)
    b.box(0, 940, WIDTH, 34, "#5b391d")


def _screen(b: Brush) -> None:
    b.gradient(b.palette.bottom, b.palette.top)
    b.box(58, 330, 620, 720, b.palette.dark, 28, 90)
    b.box(46, 310, 620, 720, "#fbfbff", 28)
    b.box(46, 310, 620, 84, b.palette.dark, 28)
    b.box(46, 360, 620, 34, b.palette.dark)
    for x, colour in ((86, "#ff5f57"), (130, "#febc2e"), (174, "#28c840")):
        b.disc(x, 352, 14, colour)
    for y in range(940, 1010, 34):
        b.box(90, y, b.rng.randint(260, 520), 14, b.palette.top, 7)
    b.box(0, 1180, WIDTH, 100, b.palette.dark, 0, 160)
    for x in range(150, 600, 90):
        b.box(x, 1200, 60, 60, b.rng.choice(b.palette[:4]), 16)


def _pixel(b: Brush) -> None:
    b.gradient("#5c94fc", "#a6c8ff")
    size = 40
    for _ in range(5):
        x, y = b.rng.randrange(0, WIDTH, size), b.rng.randrange(80, 520, size)
        for dx, dy, w in ((0, size, 4), (size, 0, 2)):
            b.box(x + dx, y + dy, w * size, size, "#ffffff", 0, 230)
    for x in range(0, WIDTH, size):
        top = 960 - size * b.rng.randint(0, 3)
        b.box(x, top, size, HEIGHT - top, "#3fae49")
    for y in range(1040, HEIGHT, size * 2):
        for x in range(-size * ((y // size) % 2), WIDTH, size * 2):
            b.box(x + 3, y + 3, size * 2 - 6, size * 2 - 6, "#b5622d")


SCENES: dict[str, Callable[[Brush], None]] = {
    "blobs": _blobs,
    "bokeh": _bokeh,
    "bookshelf": _bookshelf,
    "chalkboard": _chalkboard,
    "city": _city,
    "confetti": _confetti,
    "dots": _dots,
    "garden": _garden,
    "hills": _hills,
    "kitchen": _kitchen,
    "night": _night,
    "notebook": _notebook,
    "pitch": _pitch,
    "pixel": _pixel,
    "room": _room,
    "screen": _screen,
    "sea": _sea,
    "stage": _stage,
    "stripes": _stripes,
    "sunburst": _sunburst,
    "workshop": _workshop,
}
