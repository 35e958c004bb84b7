"""Does it help to say where a memory comes from? Questions made from one field of real videos, with and without.

    python benchmarks/presets.py --data data --indexes indexes --questions 250

A question is a sentence of what is said, a comment, a text on the screen or a sentence of a description, in English, of
5 to 30 words. The person has forgotten a fifth of the words, the rarest in the corpus, and writes the others in lower
case without punctuation. What is left has two words that fewer than a fifth of the texts have. Each is asked with no
weights (balanced) and with the field that it was made from at 2. For creator and music, it is up to two words of the
name or title and three of the description that more than a hundredth of the texts have. The words are those of the
video: this shows how a preset treats the field, not how people remember. For that there are the sample's questions.
"""

import os
import platform
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.evaluation.significance import interval
from retrieval.index.documents import Document, document
from retrieval.search.searcher import Searcher

_settings = Settings()
FIELDS = ("transcript", "cover", "comments", "description")
WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
SENTENCES = re.compile(r"(?<=[.!?])\s+")
NAMES = ("creator", "music")
MIN_WORDS, MAX_WORDS = 5, 30
NAME_WORDS, WORDS_BESIDES = 2, 3
COMMON = 0.01
FORGOTTEN = 0.2
RARE = 0.2


def made_up(documents: Sequence[Document], field: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return a question for each video that has a fitting sentence in the field, with the video's id, shuffled."""
    texts = [set(map(str.lower, WORD.findall(text))) for doc in documents for text in doc.texts.values()]
    known = Counter(word for words in texts for word in words)
    questions = []
    for doc in documents:
        sentences = [part for passage in doc.passages.get(field, []) for part in SENTENCES.split(passage.text)]
        split = [[word.lower() for word in WORD.findall(sentence)] for sentence in sentences if sentence.isascii()]
        fitting = [words for words in split if MIN_WORDS <= len(words) <= MAX_WORDS]
        if not fitting or doc.languages.get(field) != "en":
            continue
        words = rng.choice(fitting)
        rarest = sorted(range(len(words)), key=lambda n: known[words[n]])[: max(1, int(FORGOTTEN * len(words)))]
        kept = [word for n, word in enumerate(words) if n not in rarest]
        if sum(known[word] < RARE * len(texts) for word in kept) >= 2:
            questions.append((" ".join(kept), doc.id))
    rng.shuffle(questions)
    return questions


def made_up_names(documents: Sequence[Document], field: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return a question for each video that has a name or title in the field, with the video's id, shuffled."""
    texts = [set(map(str.lower, WORD.findall(text))) for doc in documents for text in doc.texts.values()]
    known = Counter(word for words in texts for word in words)
    questions = []
    for doc in documents:
        named = list(dict.fromkeys(map(str.lower, WORD.findall(doc.texts.get(field, "")))))[:NAME_WORDS]
        described = sorted(set(map(str.lower, WORD.findall(doc.texts.get("description", "")))) - set(named))
        common = [word for word in described if known[word] > COMMON * len(texts)]
        if named and len(common) >= WORDS_BESIDES:
            questions.append((" ".join([*named, *rng.sample(common, WORDS_BESIDES)]), doc.id))
    rng.shuffle(questions)
    return questions


def main(
    data: Annotated[Path, typer.Option()] = _settings.data,
    indexes: Annotated[Path, typer.Option()] = _settings.indexes,
    questions: Annotated[int, typer.Option(help="For each field.")] = 250,
    seed: Annotated[int, typer.Option()] = 20,
) -> None:
    """Print RR without weights and with the field's, and the 95 % interval of the difference."""
    searcher = Searcher.open(indexes, complete=True)
    with Catalog(data, read_only=True) as catalog:
        documents = [document(entry) for entry in catalog.entries(searcher.generation.ids)]
    typer.echo(
        f"{len(documents)} videos, {searcher.generation.manifest.encoder}, {platform.machine()}, {os.cpu_count()} cores"
    )
    typer.echo(f"{'field':14}{'questions':>10}{'balanced':>10}{'preset':>10}{'gain':>9}   95 %")
    for field in (*FIELDS, *NAMES):
        make = made_up if field in FIELDS else made_up_names
        asked = make(documents, field, random.Random(seed))[:questions]
        ranks: dict[str, list[float]] = {"balanced": [], "preset": []}
        for (text, target), vectors in zip(asked, searcher.vectors([text for text, _ in asked]), strict=True):
            for name, weights in (("balanced", None), ("preset", {field: 2.0})):
                order, _ = searcher.order(text, weights=weights, vectors=vectors)
                position = int(np.flatnonzero(order == searcher.generation.positions[target])[0])
                ranks[name].append(1 / (position + 1))
        balanced, preset = (np.array(ranks[name]) for name in ("balanced", "preset"))
        low, high = interval(preset - balanced)
        typer.echo(
            f"{field:14}{len(asked):>10}{balanced.mean():>10.3f}{preset.mean():>10.3f}"
            f"{(preset - balanced).mean():>+9.3f}   {low:+.3f} to {high:+.3f}"
        )


if __name__ == "__main__":
    typer.run(main)
