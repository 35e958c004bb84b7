"""The scene, emoji and overlay text of a video -> its cover or slide. Also draws the parts of clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

import regex
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from data.sample_source.scenes import HEIGHT, PALETTES, WIDTH, paint, rgb

COVER_SIZE = (360, 640)  # pixels, the 9:16 of a phone
JPEG_QUALITY = 74  # about 20 kB a cover; overlay text stays readable for Tesseract
EMOJI_PIXELS = 109  # the only size the bitmap font Noto Color Emoji is drawn in

PLAIN_STYLES = ("card", "band", "poster")  # flat letters on a flat background: OCR can read them
STYLISED = ("outline", "sticker", "script", "neon")  # rotated, outlined, glowing: difficult for OCR

FONT_FOLDER = Path("/usr/share/fonts")
FONTS = {  # name -> (file under FONT_FOLDER, Debian package)
    "black": ("truetype/lato/Lato-Black.ttf", "fonts-lato"),
    "tall": ("opentype/bebas-neue/BebasNeue-Bold.otf", "fonts-bebas-neue"),
    "script": ("opentype/lobster/lobster.otf", "fonts-lobster"),
    "round": ("truetype/comfortaa/Comfortaa-Bold.ttf", "fonts-comfortaa"),
    "symbols": ("truetype/dejavu/DejaVuSans-Bold.ttf", "fonts-dejavu-core"),
    "cjk": ("opentype/noto/NotoSansCJK-Bold.ttc", "fonts-noto-cjk"),
    "arabic": ("truetype/noto/NotoSansArabic-Bold.ttf", "fonts-noto-core"),
    "devanagari": ("truetype/noto/NotoSansDevanagari-Bold.ttf", "fonts-noto-core"),
    "emoji": ("truetype/noto/NotoColorEmoji.ttf", "fonts-noto-color-emoji"),
}
SCRIPTS = (  # the first pattern found in a text decides the font
    ("cjk", regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")),
    ("arabic", regex.compile(r"\p{Arabic}")),
    ("devanagari", regex.compile(r"\p{Devanagari}")),
    ("symbols", regex.compile(r"[^\x20-\x7e\n\u00a0-\u017f’‘“”…€]")),
)


def missing_fonts() -> list[str]:
    """Debian packages whose fonts are not installed."""
    return sorted({package for file, package in FONTS.values() if not (FONT_FOLDER / file).is_file()})


def draw_cover(scene: str, emoji: str, text: str, style: str, rng: Random, size: float = 1.0) -> Image.Image:
    """A 360 x 640 RGB picture: `scene` behind `emoji`, with `text` over it unless that is empty.

    `style` is one of PLAIN_STYLES or STYLISED; `size` scales the emoji.
    """
    canvas = backdrop(scene, rng)
    place_emoji(canvas, emoji, (WIDTH // 2, round(HEIGHT * 0.56)), round(330 * size), rng)
    if text:
        layer = letter(text, style, rng)
        y = rng.choice((0.16, 0.2)) if rng.random() < 0.7 or size < 1 else 0.86
        top = min(max(40, round(HEIGHT * y - layer.height / 2)), HEIGHT - 40 - layer.height)
        canvas.paste(layer, ((WIDTH - layer.width) // 2, top), layer)
    return canvas.resize(COVER_SIZE, Image.Resampling.LANCZOS)


def backdrop(scene: str, rng: Random) -> Image.Image:
    """The scene alone, 720 x 1280, a little darker towards the corners."""
    image = paint(scene, rng.choice(PALETTES), rng)
    shade = Image.new("L", (WIDTH // 8, HEIGHT // 8), 70)
    ImageDraw.Draw(shade).ellipse([-10, -20, WIDTH // 8 + 10, HEIGHT // 8 + 20], fill=0)
    shade = shade.filter(ImageFilter.GaussianBlur(16)).resize(image.size)
    image.paste(Image.new("RGB", image.size, "#000000"), mask=shade)
    return image


def place_emoji(canvas: Image.Image, emoji: str, centre: tuple[int, int], height: int, rng: Random) -> None:
    """Draw one to three emoji side by side around `centre`, slightly turned, each with a soft shadow."""
    glyphs = regex.findall(r"\X", emoji)
    if not glyphs:
        return
    height = height if len(glyphs) == 1 else round(height * 0.84)
    step = round(height * 0.9)
    left = centre[0] - step * (len(glyphs) - 1) // 2
    for number, glyph in enumerate(glyphs):
        sprite = emoji_sprite(glyph, height).rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC, expand=True)
        x, y = left + number * step, centre[1] + (-1) ** number * (26 if len(glyphs) > 1 else 0)
        shadow = Image.new("RGBA", (sprite.width + 60, sprite.height + 60), (0, 0, 0, 0))
        shadow.paste((20, 10, 30, 120), (30, 30), sprite.getchannel("A"))
        shadow = shadow.filter(ImageFilter.GaussianBlur(14))
        for layer, drop in ((shadow, 18), (sprite, 0)):
            canvas.paste(layer, (x - layer.width // 2, y - layer.height // 2 + drop), layer)


@cache
def emoji_sprite(glyph: str, height: int) -> Image.Image:
    """One emoji as a transparent picture at most `height` pixels tall and a fifth more wide."""
    stamp = Image.new("RGBA", (180, 180), (0, 0, 0, 0))
    ImageDraw.Draw(stamp).text((20, 20), glyph, font=font("emoji", EMOJI_PIXELS), embedded_color=True)
    stamp = stamp.crop(stamp.getbbox())
    scale = height / max(stamp.height, stamp.width / 1.2)
    return stamp.resize((round(stamp.width * scale), round(stamp.height * scale)), Image.Resampling.LANCZOS)


def letter(text: str, style: str, rng: Random) -> Image.Image:
    """Overlay text in one of the styles, as a transparent layer at most as wide as the canvas."""
    palette = rng.choice(PALETTES)
    if style == "card":
        return _boxed(text, "black", 74, "#17171c", "#ffffff")
    if style == "band":
        return _boxed(text, "black", 78, "#ffffff", "#17171c")
    if style == "poster":
        return _boxed(text, "symbols", 62, palette.dark, palette.second)
    if style == "sticker":
        return _turn(_boxed(text, "tall", 112, "#ffffff", palette.accent), rng.choice((-7, -5, 5, 7)))
    if style == "outline":
        layer = _words(text, "black", 92, "#ffffff", stroke=9, edge="#101014")
        return _turn(layer, rng.choice((-4, 0, 4)))
    if style == "script":
        layer = _words(text, "script", 108, rng.choice(("#fff3b0", "#ffffff", "#ffd6e8")), stroke=6, edge=palette.dark)
        return _turn(layer, rng.choice((-6, -3, 3)))
    glow = _words(text, "round", 84, palette.accent, stroke=10, edge=palette.accent)
    glow = glow.filter(ImageFilter.GaussianBlur(12))
    glow.alpha_composite(glow)
    glow.alpha_composite(_words(text, "round", 84, "#ffffff", stroke=10, edge=palette.accent, edge_alpha=60))
    return glow


def font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """The font `name` of FONTS at a height in pixels."""
    return ImageFont.truetype(str(FONT_FOLDER / FONTS[name][0]), pixels)


def _font_for(text: str, wanted: str) -> str:
    return next((name for name, pattern in SCRIPTS if pattern.search(text)), wanted)


def _words(
    text: str, wanted: str, pixels: int, colour: str, stroke: int = 0, edge: str = "#000000", edge_alpha: int = 255
) -> Image.Image:
    """The lines of `text`, centred, made smaller until the widest fits."""
    name, limit, margin = _font_for(text, wanted), WIDTH - 130, 40
    spread = 16 if name == "script" else 5  # the script font has wide lines
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    while True:
        face = font(name, pixels)
        box = probe.multiline_textbbox(
            (0, 0), text, face, spacing=pixels // spread, align="center", stroke_width=stroke
        )
        if box[2] - box[0] <= limit or pixels < 30:
            break
        pixels -= 4
    layer = Image.new("RGBA", (round(box[2] - box[0]) + 2 * margin, round(box[3] - box[1]) + 2 * margin), (0, 0, 0, 0))
    ImageDraw.Draw(layer).multiline_text(
        (margin - box[0], margin - box[1]),
        text,
        fill=colour,
        font=face,
        spacing=pixels // spread,
        align="center",
        stroke_width=stroke,
        stroke_fill=(*rgb(edge), edge_alpha) if stroke else None,
    )
    return layer


def _boxed(text: str, wanted: str, pixels: int, colour: str, ground: str) -> Image.Image:
    words = _words(text, wanted, pixels, colour)
    layer = Image.new("RGBA", words.size, (0, 0, 0, 0))
    ImageDraw.Draw(layer).rounded_rectangle([4, 4, words.width - 5, words.height - 5], 26, fill=ground)
    layer.alpha_composite(words)
    return layer


def _turn(layer: Image.Image, degrees: float) -> Image.Image:
    return layer.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
