"""Make a library of made-up videos for the ten tasks of docs/explanation/ten-tasks.md.

    python benchmarks/people.py made-up
    tiktok-retrieval import made-up/videos made-up/user_data_tiktok.json --data data/people --indexes indexes/people
    tiktok-retrieval build --data data/people --indexes indexes/people
    tiktok-retrieval serve --data data/people --indexes indexes/people

Nothing in it exists: 2,000 info files as yt-dlp writes them, with descriptions, comments and captions in four languages
over two years, drawn covers for half of them, and a data export with likes, favorites and a watch history.
"""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw

SEED = 7
TODAY = datetime(2026, 11, 27, 12)
NAMES = ("mira", "otto", "lena", "paco", "asha", "jun", "nora", "eli", "sol", "ida", "rafa", "kofi", "tess", "bruno")
KINDS = ("makes", "kitchen", "outdoors", "repairs", "stories", "sings", "garden", "daily")
LANGUAGES = ("en",) * 11 + ("es",) * 4 + ("de",) * 3 + ("hi",) * 2
# by language: who, what they do, where, what is said, what is commented
WORDS = {
    "en": (
        "my grandma|the barista|our new puppy|this old sailor|my boss|the vet|a street drummer|the plumber|an owl",
        "bakes sourdough|repairs a toaster|sorts buttons by colour|plays the accordion|tunes a piano|juggles lemons"
        "|knits a jumper for a tortoise|rides a unicycle|carves a pumpkin|hides in a cupboard|builds a raft of bottles",
        "on the balcony|in a lighthouse|at the laundromat|on a night train|in the snow|in a tiny kitchen|on the roof",
        "the trick is to wait seven minutes and then turn it over|the red wire goes to the left, not to the right"
        "|my uncle always said measure twice and cut once|if it smells like almonds you went too far"
        "|you can hear it click when it is right|that is why you never lend them a ladder",
        "the cat has filed a complaint with HR|instructions unclear, now I own a goat|I came for the recipe and stayed"
        " for the chaos|the chair has more personality than my ex|who gave the tortoise a better wardrobe than me",
    ),
    "es": (
        "mi abuela|mi vecino|el panadero|nuestro cachorro|un viejo pescador",
        "hace pan casero|arregla una tostadora|toca la guitarra|pinta un mural|cultiva tomates|monta en monociclo",
        "en el balcón|en un faro|en la lavandería|en la nieve|en el mercado",
        "primero tienes que esperar siete minutos|mi tío siempre decía que hay que medir dos veces"
        "|mira, se está moviendo",
        "el gato ha puesto una queja|ahora tengo una cabra y no sé por qué|vine por la receta",
    ),
    "de": (
        "meine Oma|mein Nachbar|der Bäcker|unser Welpe|ein alter Kapitän",
        "backt Roggenbrot|repariert einen Toaster|spielt Akkordeon|zieht Tomaten|stimmt ein Klavier|fährt Einrad",
        "auf dem Balkon|im Leuchtturm|im Waschsalon|im Schnee|auf dem Flohmarkt",
        "zuerst musst du sieben Minuten warten|mein Onkel sagte immer, zweimal messen|schau mal, es bewegt sich",
        "die Katze hat sich beschwert|jetzt habe ich eine Ziege|ich kam wegen des Rezepts",
    ),
    "hi": (
        "मेरी दादी|मेरा पड़ोसी|चाय वाला|हमारा पिल्ला",
        "रोटी बनाती है|टोस्टर ठीक करता है|हारमोनियम बजाता है|टमाटर उगाता है",
        "बालकनी पर|रेलगाड़ी में|बर्फ़ में|बाज़ार में",
        "पहले सात मिनट रुकना है|तरकीब यह है कि इसे पलट दो|देखो, यह हिल रहा है",
        "बिल्ली ने शिकायत दर्ज कर दी|अब मेरे पास एक बकरी है",
    ),
}


def made(draw: random.Random, folder: Path, number: int) -> tuple[str, datetime]:
    """Write the files of one video; return its id and when it was posted."""
    language = draw.choice(LANGUAGES)
    who, does, where, says, comments = (part.split("|") for part in WORDS[language])
    posted = TODAY - timedelta(days=draw.uniform(5, 760))
    video_id = str((int(posted.timestamp()) << 32) | draw.getrandbits(31))
    name, kind, length_s = draw.choice(NAMES), draw.choice(KINDS), draw.randint(8, 180 if draw.random() < 0.3 else 59)
    remarks = [
        {"id": str(n), "text": draw.choice(comments), "author": draw.choice(NAMES), "parent": "root"}
        for n in range(draw.choice((0, 0, 1, 2, 3, 5)))
    ]
    record = {
        "id": video_id,
        "extractor": "TikTok",
        "webpage_url": f"https://www.tiktok.com/@{name}.{kind}/video/{video_id}",
        "description": f"{draw.choice(who)} {draw.choice(does)} {draw.choice(where)} #{kind}",
        "uploader": f"{name}.{kind}",
        "channel": f"{name} {kind}".title(),
        "timestamp": int(posted.timestamp()),
        "duration": length_s,
        "like_count": int(10 ** draw.uniform(1, 5.5)),
        "comment_count": len(remarks),
        "comments": remarks,
    }
    (folder / f"{video_id}.info.json").write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    if number % 4:
        lines = [
            f"{stamp(at)} --> {stamp(at + 4)}\n{draw.choice(says)}\n"
            for at in range(0, length_s - 4, draw.randint(5, 12))
        ]
        (folder / f"{video_id}.{language}.vtt").write_text("WEBVTT\n\n" + "\n".join(lines), encoding="utf-8")
    if number % 2:
        cover(draw).save(folder / f"{video_id}.jpg", quality=72)
    return video_id, posted


def stamp(second: int) -> str:
    """Return a time as captions have it."""
    return f"00:{second // 60:02}:{second % 60:02}.500"


def cover(draw: random.Random) -> Image.Image:
    """Return a picture of a few coloured shapes."""
    picture = Image.new("RGB", (360, 640), tuple(draw.randint(60, 230) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(draw.randint(3, 9)):
        x, y, r = draw.randint(0, 360), draw.randint(0, 640), draw.randint(20, 120)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(draw.randint(0, 255) for _ in range(3)))
    return picture


def main(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    videos: Annotated[int, typer.Option(help="How many.")] = 2_000,
) -> None:
    """Make the library."""
    draw, folder = random.Random(SEED), out / "videos"
    folder.mkdir(parents=True)
    lists: dict[str, list[dict[str, str]]] = {"likes": [], "favorites": [], "history": []}
    for number in range(videos):
        video_id, posted = made(draw, folder, number)
        for name, chance in (("likes", 0.5), ("favorites", 0.12), ("history", 0.8)):
            if draw.random() < chance:
                at = min(TODAY, posted + timedelta(days=draw.expovariate(1 / 12)))
                link = f"https://www.tiktokv.com/share/video/{video_id}/"
                lists[name].append({"Date": f"{at:%Y-%m-%d %H:%M:%S}", "Link": link})
    export = {
        "Favorite Videos": {"FavoriteVideoList": lists["favorites"]},
        "Like List": {"ItemFavoriteList": [{"date": one["Date"], "link": one["Link"]} for one in lists["likes"]]},
        "Video Browsing History": {"VideoList": lists["history"]},
    }
    (out / "user_data_tiktok.json").write_text(json.dumps({"Activity": export}), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
