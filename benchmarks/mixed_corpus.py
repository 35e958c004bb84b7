"""The research data -> a corpus of any size with real words, and questions about it. Both depend on a seed alone.

The first videos are the records of scale/shortvideo_mix.jsonl, in a random order. Later ones are mixed: the first half
of one description and the second half of another, and so on. Speech, text on the screen, comments and music come from
all parts of the research data. Video `n` of a seed is always the same, so that a corpus can grow, an interrupted import
can go on, and a question can be made from a video without reading the corpus.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from scraper.parse import ParsedRecord
from scraper.records import Comment, Video

FIRST_ID = 7_000_000_000_000_000_000
SPOKEN, SHOWN, OWN_SOUND = 0.5, 0.6, 0.5  # of the videos have speech, text on the screen, a sound of their creator
NUMBERED = 1_000  # creators that share a name of the records, which a number distinguishes
QUESTION_WORDS = (7, 14)  # of one text of the video, of which a third is forgotten
FORGOTTEN = 1 / 3
FIRST_POSTED, DAYS = date(2019, 1, 1), 2_500
_WORD = re.compile(r"\w+(?:['’]\w+)?")


class NoResearchData(Exception):
    """The research data is not there; the message names the folder."""


@dataclass(frozen=True)
class Asked:
    """A question, and the id of the video from whose words it was made; "" if it was made from two."""

    text: str
    target: str


class MixedCorpus:
    """Makes videos from the parts in `shared`, the folder of the research data.

    Args:
        comments: of a video, on average.

    Raises:
        NoResearchData: there is nothing in `shared`.
    """

    def __init__(self, shared: Path, *, comments: float, seed: int = 21) -> None:
        self._shared, self._comments, self._seed = shared, comments, seed
        path = shared / "scale" / "shortvideo_mix.jsonl"
        if not path.is_file():
            raise NoResearchData(f"There is no research data in {shared}: --shared names its folder. Nothing was done.")
        with path.open(encoding="utf-8") as file:
            self._records: list[dict[str, str]] = [json.loads(line) for line in file]
        random.Random(seed).shuffle(self._records)

    @cached_property
    def _speech(self) -> list[str]:
        own = (record["transcript"] for record in self._records)
        return [text for text in chain(own, self._json("tiktok/speech_to_text.json", {}).values()) if text]

    @cached_property
    def _names(self) -> list[str]:
        return [record["author"] for record in self._records if record["author"]]

    @cached_property
    def _shown(self) -> list[str]:
        return [text for text in self._json("tiktok/ocr.json", {}).values() if text] or [""]

    @cached_property
    def _scraped(self) -> list[dict[str, Any]]:
        paths = sorted((self._shared / "tiktok" / "info").glob("*.json"))
        return [record for path in paths for record in json.loads(path.read_text(encoding="utf-8"))]

    @cached_property
    def _said(self) -> list[str]:
        found = [str(comment.get("comment-text") or "") for record in self._scraped for comment in record["comments"]]
        return [text for text in found if text.strip()] or [""]

    @cached_property
    def _music(self) -> list[str]:
        return [str(record["music-title"]) for record in self._scraped if record.get("music-title")] or [""]

    def _json(self, name: str, missing: Any) -> Any:
        path = self._shared / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else missing

    def videos(self, start: int, stop: int) -> Iterator[ParsedRecord]:
        """Yield the videos with the numbers from `start` to before `stop`."""
        return map(self.video, range(start, stop))

    def video(self, number: int) -> ParsedRecord:
        """Return the record of a video, with its speech and the text that it shows."""
        rng = random.Random(f"{self._seed} {number}")
        if number < len(self._records):
            record = self._records[number]
        else:
            one, other = rng.choices(self._records, k=2)
            record = {name: _mixed(one[name], other[name]) for name in ("title", "desc", "transcript")}
            record |= {"hashtags": other["hashtags"], "author": f"{rng.choice(self._names)}{rng.randrange(NUMBERED)}"}
        tags = [f"#{tag}" for tag in re.findall(r"\w+", record["hashtags"])]
        name = record["author"] or f"{rng.choice(self._names)}{rng.randrange(NUMBERED)}"
        creator = re.sub(r"\W+", "_", name).strip("_")
        speech = record["transcript"] or (self._some(rng, self._speech) if rng.random() < SPOKEN else "")
        shown = self._some(rng, self._shown) if rng.random() < SHOWN else ""
        comments = [
            self._some(rng, self._said) for _ in range(int(rng.expovariate(1 / (self._comments or 1e-9)) + 0.5))
        ]
        video = Video(
            id=str(FIRST_ID + number),
            creator_username=creator,
            creator_nickname=name,
            description=" ".join(filter(None, [record["title"], record["desc"], *tags])),
            music_title=f"original sound - {creator}" if rng.random() < OWN_SOUND else rng.choice(self._music),
            likes=int(rng.lognormvariate(7, 3)),
            duration_s=rng.uniform(5, 90),
            posted=(FIRST_POSTED + timedelta(rng.randrange(DAYS))).isoformat(),
            comments=[Comment(text=text) for text in comments if text],
            source="mixed",
        )
        return ParsedRecord(video, {"cover": shown, "transcript": speech})

    def _some(self, rng: random.Random, texts: list[str]) -> str:
        return _mixed(*rng.choices(texts, k=2))

    def questions(self, videos: int, count: int) -> list[Asked]:
        """Return questions about the first `videos` videos. Of every two, one is made from the words of a target."""
        rng = random.Random(f"questions {self._seed} {videos}")
        found: list[Asked] = []
        while len(found) < count:
            one, other = (self._words(rng, rng.randrange(videos)) for _ in range(2))
            if one[0] and other[0]:
                middle = len(one[0]) // 2
                mixed = [*one[0][:middle], *other[0][middle:]]
                found += [Asked(" ".join(one[0]), one[1]), Asked(" ".join(mixed), "")]
        return found[:count]

    def _words(self, rng: random.Random, number: int) -> tuple[list[str], str]:
        """Return the words that a person remembers of one text of a video, in its order, and the video's id."""
        made = self.video(number)
        texts = [made.video.description, *made.texts.values(), *(comment.text for comment in made.video.comments)]
        least, most = QUESTION_WORDS
        long_enough = [words for text in texts if text and len(words := _WORD.findall(text)) >= least]
        if not long_enough:
            return [], ""
        words = rng.choice(long_enough)
        length = rng.randint(least, min(most, len(words)))
        start = rng.randrange(len(words) - length + 1)
        kept = sorted(rng.sample(range(length), round(length * (1 - FORGOTTEN))))
        return [words[start + n].lower() for n in kept], made.video.id


def _mixed(one: str, other: str) -> str:
    """Return the first half of the words of one text, and the second half of those of the other."""
    first, second = one.split(), other.split()
    return " ".join([*first[: (len(first) + 1) // 2], *second[len(second) // 2 :]])
