"""Train the toy picture model of the demo and the tests, data/toy_vision, on pictures drawn here.

It knows the things and scenes that data/sample_source draws, and nothing else. Small pictures are drawn from these
named things. A small network learns to place each where all-MiniLM-L6-v2, which stays as it is, places the picture's
caption (locked-image tuning, Zhai et al. 2022, with the text model locked instead).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import regex
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python searches only the folder of this file

if TYPE_CHECKING:
    import torch

TARGET = ROOT / "data" / "toy_vision"
TEXT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SEED = 23
PICTURES = 12_000
EPOCHS = 12
BATCH = 128
RATE = 2e-3  # the highest learning rate
TEMPERATURE = 0.05
SIDE = 96  # px of the square that the model sees
DRAWN = (180, 320)  # px of a picture when drawn
BACKDROPS = 10  # of each scene
LETTERINGS = 160
# lettering tells nothing about a picture, as on most covers
WORDS = (
    "PART 2",
    "wait for it",
    "no way",
    "DAY 14",
    "listen",
    "3 TIPS",
    "finally",
    "so this happened",
    "STEP 1",
    "not again",
    "look closer",
    "47 seconds",
    "why though",
    "FULL STORY",
    "it works",
    "my turn",
    "she said yes",
    "level up",
    "the end",
    "again?",
    "QUIET",
    "do not",
    "ROUND 2",
    "number 9",
)
SCENES = {
    "blobs": ("soft coloured blobs", "a blurry colourful background"),
    "bokeh": ("out of focus lights in the dark", "blurred lights on a dark background"),
    "bookshelf": ("bookshelves", "shelves full of books"),
    "chalkboard": ("a chalkboard", "a green blackboard in a classroom"),
    "city": ("a city street", "city buildings with lit windows", "skyscrapers"),
    "confetti": ("confetti", "colourful paper confetti"),
    "dots": ("polka dots", "a dotted background"),
    "garden": ("a garden with flowers", "a garden fence and a lawn"),
    "hills": ("green hills under the sun", "rolling hills"),
    "kitchen": ("a kitchen", "a tiled kitchen with jars on a shelf"),
    "night": ("the night sky with a moon", "stars and a crescent moon at night"),
    "notebook": ("a lined notebook page", "a sheet of ruled paper"),
    "pitch": ("a football pitch", "a green sports field"),
    "pixel": ("a pixel video game", "a retro game world of blocks"),
    "room": ("a living room with a window", "a room with pictures on the wall and a rug"),
    "screen": ("a computer screen with a window", "a desktop screen"),
    "sea": ("the sea with waves", "waves of the ocean under the sun"),
    "stage": ("a stage with red curtains", "a theatre stage with spotlights"),
    "stripes": ("diagonal stripes", "a striped background"),
    "sunburst": ("rays of light around a circle", "a sunburst"),
    "workshop": ("a workshop with tools", "tools on a workshop wall"),
}

Pictures = NDArray[np.uint8]


def main() -> None:
    """Draw, train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET, help="Folder to write the model to.")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="How many pictures to draw.")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="How often to show each picture.")
    parser.add_argument("--threads", type=int, default=1, help="Threads to compute with.")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    started = time.monotonic()
    pictures, captions = draw(options.pictures, Random(SEED))
    print(f"{len(pictures):,} pictures drawn in {time.monotonic() - started:.0f} s", flush=True)
    vectors = encode_captions(captions)
    print(f"captions encoded after {time.monotonic() - started:.0f} s", flush=True)
    model = train(torch.from_numpy(pictures), torch.from_numpy(vectors), options.epochs)
    save(model, options.out)
    print(f"{options.out} written after {time.monotonic() - started:.0f} s")


# -- pictures -----------------------------------------------------------------------------------------------------


def draw(count: int, rng: Random) -> tuple[Pictures, list[tuple[str, str]]]:
    """Return pictures, uint8 [count, SIDE, SIDE, 3], and two captions of each."""
    from data.sample_source.covers import PLAIN_STYLES, STYLISED, backdrop, emoji_sprite, letter, missing_fonts

    if missing := set(missing_fonts()) - {"fonts-noto-cjk"}:  # the lettering is English
        raise SystemExit(f"Not installed: {', '.join(sorted(missing))}")
    names = thing_names()
    grounds = {
        scene: [backdrop(scene, rng).resize(DRAWN, Image.Resampling.BOX) for _ in range(BACKDROPS)] for scene in SCENES
    }
    letterings = [letter(rng.choice(WORDS), rng.choice(PLAIN_STYLES + STYLISED), rng) for _ in range(LETTERINGS)]
    letterings = [layer.resize((layer.width // 4, layer.height // 4), Image.Resampling.BOX) for layer in letterings]
    glyphs = sorted(names)
    pictures, captions = np.empty((count, SIDE, SIDE, 3), np.uint8), []
    for number in range(count):
        scene = rng.choice(sorted(SCENES))
        shown = rng.sample(glyphs, rng.choice((1, 1, 2, 2, 2)))
        canvas = rng.choice(grounds[scene]).copy()
        height = rng.randint(54, 92)
        for place, glyph in enumerate(shown):
            sprite = emoji_sprite(glyph, 110).rotate(rng.uniform(-14, 14), Image.Resampling.BILINEAR, expand=True)
            scale = height / 110
            sprite = sprite.resize((round(sprite.width * scale), round(sprite.height * scale)), Image.Resampling.BOX)
            x = 90 + round((place - (len(shown) - 1) / 2) * height * 0.92) + rng.randint(-8, 8)
            y = round(320 * 0.57) + rng.randint(-22, 22)
            canvas.paste(sprite, (x - sprite.width // 2, y - sprite.height // 2), sprite)
        if rng.random() < 0.6:
            layer = rng.choice(letterings)
            canvas.paste(layer, ((180 - layer.width) // 2, rng.choice((20, 40, 60, 250)) - layer.height // 4), layer)
        pictures[number] = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        captions.append((caption(shown, scene, names, rng), caption(shown, scene, names, rng)))
    return pictures, captions


def thing_names() -> dict[str, list[str]]:
    """Return the emoji that the sample draws, each with its English names."""
    import emoji

    from data.make_sample import read_videos

    found: dict[str, list[str]] = {}
    for glyph in sorted({glyph for video in read_videos() for glyph in regex.findall(r"\X", video["emoji"])}):
        data = emoji.EMOJI_DATA.get(glyph) or emoji.EMOJI_DATA.get(glyph.rstrip("\ufe0f"))
        if data:
            names = [data["en"], *data.get("alias", [])]
            found[glyph] = list(dict.fromkeys(name.strip(":").replace("_", " ").replace("-", " ") for name in names))
    return found


def caption(shown: Sequence[str], scene: str, names: dict[str, list[str]], rng: Random) -> str:
    """Return a caption that names what is drawn, sometimes only a part of it."""
    things = [rng.choice(names[glyph]) for glyph in shown]
    rng.shuffle(things)
    place = rng.choice(SCENES[scene])
    listed = " and ".join(things)
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(("a picture of {}", "{}", "a drawing of a {}")).format(rng.choice(things))
    if kind < 0.45:
        return rng.choice(("a picture of {}", "{}", "{} in the picture")).format(listed)
    if kind < 0.52:
        return rng.choice(("{}", "the background is {}")).format(place)
    return rng.choice(("{}, {}", "{} in front of {}", "{}, behind it {}", "{} and {}")).format(listed, place)


def encode_captions(captions: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Return the vectors of the captions, float32 [pictures, 2, 384]."""
    from retrieval.embedding.encoder import SentenceEncoder

    texts = sorted({text for pair in captions for text in pair})
    encoder = SentenceEncoder(TEXT_MODEL, precision="fp32")
    rows = dict(zip(texts, encoder.passages(texts), strict=True))
    return np.stack([np.stack([rows[first], rows[second]]) for first, second in captions])


# -- training -----------------------------------------------------------------------------------------------------


def train(pictures: torch.Tensor, vectors: torch.Tensor, epochs: int) -> torch.nn.Module:
    """Return a network whose 384 outputs are near the vectors of the captions."""
    import torch
    from torch.nn.functional import normalize
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(  # type: ignore[call-arg]
        embedding_size=32,
        hidden_sizes=[32, 64, 128, 256],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        num_labels=vectors.shape[-1],
    )
    model: torch.nn.Module = ResNetForImageClassification(config)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
    steps = epochs * (len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    chance = torch.Generator().manual_seed(SEED)
    for epoch in range(epochs):
        started, total = time.monotonic(), 0.0
        model.train()
        order = torch.randperm(len(pictures), generator=chance)
        for at in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[at : at + BATCH]
            pixels = as_input(pictures[rows], chance)
            of = vectors[rows, torch.randint(2, (len(rows),), generator=chance)]
            made = normalize(model(pixels).logits)
            loss = contrast(made, of)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(
            f"epoch {epoch + 1}: loss {total / (len(order) // BATCH):.3f}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
    return model.eval()


def as_input(pictures: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Return uint8 pictures as a batch for the network, each shifted and brightened a little, by chance."""
    import torch

    pixels = pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
    shift = torch.randint(-5, 6, (2,), generator=chance).tolist()
    gain = 1 + 0.15 * (torch.rand(len(pixels), 1, 1, 1, generator=chance) - 0.5)
    offset = 0.2 * (torch.rand(len(pixels), 1, 1, 1, generator=chance) - 0.5)
    shifted = torch.roll(pixels, shift, (2, 3)) * gain + offset
    return shifted.contiguous(memory_format=torch.channels_last)


def contrast(made: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
    """Return the loss: each picture is nearest to its caption, and each caption to its picture.

    Two pictures with like captions may be near to each other, as far as their captions are.
    """
    import torch
    from torch.nn.functional import cross_entropy

    wanted = (captions @ captions.T / TEMPERATURE).softmax(1)
    wanted = 0.5 * wanted + 0.5 * torch.eye(len(made))
    scores = made @ captions.T / TEMPERATURE
    return cross_entropy(scores, wanted) + cross_entropy(scores.T, wanted) + (1 - (made * captions).sum(1)).mean()


# -- the folder ---------------------------------------------------------------------------------------------------


def save(model: torch.nn.Module, folder: Path) -> None:
    """Write the model as transformers reads it, and the name of its text model."""
    from scraper.files import sha256

    model.half().save_pretrained(folder)  # type: ignore[operator]
    processor = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": int(Image.Resampling.BICUBIC),
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }
    about = {
        "text_model": TEXT_MODEL,
        "toy": True,
        "note": "It knows only what data/sample_source draws. It is for the demo and the tests.",
    }
    for name, content in (("preprocessor_config.json", processor), ("picture_tower.json", about)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    digest = sha256(folder / "model.safetensors")
    (folder / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n", encoding="utf-8")


if __name__ == "__main__":
    main()
