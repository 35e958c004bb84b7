"""Images with known text -> the words that each OCR engine finds and invents, and its time.

    python benchmarks/ocr.py --reference pictures/reference.tsv

The images are the covers and slides of the sample, whose texts are in data/sample_source, and those of each reference:
a table with the columns file (relative to the table), expected, and match. `plain` is `pytesseract.image_to_string`
without options. The last figure is its total time divided by ours with several processes.

Figures are means over images. Recall is the share of the words that were found. Precision is the share of the found
words that are correct, over images with any found word. CER is the number of edits per character, at most 1. Words are
sequences of letters and digits, ignoring case, and single characters of Chinese, Japanese and Thai. Pictures whose
letters are mostly not Latin are groups of their own. If `match` is
"contains" or "startswith", only some words are known, and only recall counts.
"""

import csv
import json
import os
import platform
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

import regex
import typer
from PIL import Image
from rapidfuzz.distance import Levenshtein

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a script, Python only searches this file's folder

from ingest.media import MediaError  # noqa: E402
from ingest.ocr import engine as ocr  # noqa: E402
from ingest.stages.workers import each  # noqa: E402

PLAIN = "plain"
WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\w--\p{Han}--\p{Hiragana}--\p{Katakana}--\p{Thai}]+", regex.V1
)
IN_PART = ("contains", "startswith")
OTHER_LETTER = regex.compile(r"[\p{L}--\p{Latin}]", regex.V1)


@dataclass(frozen=True)
class Picture:
    group: str
    path: Path
    expected: str
    match: str = "exact"


@dataclass(frozen=True)
class _Read:
    picture: Picture
    text: str
    seconds: float
    cpu_seconds: float  # of all threads and of Tesseract; other load on the machine does not change it


def main(
    reference: Annotated[list[Path], typer.Option(help="Table of images; repeatable.")] = [],  # noqa: B006
    engine: Annotated[list[str], typer.Option(help="Engines to measure; by default all that are installed.")] = [],  # noqa: B006
    languages: Annotated[str, typer.Option(help="Tesseract's language packs, or auto.")] = "eng",
    processes: Annotated[int, typer.Option(help="Number of processes for the last figure.")] = 2,
    part: Annotated[str, typer.Option(help="all, even (tuned on), or odd (held out) images.")] = "all",
    sample: Annotated[bool, typer.Option(help="Include the sample corpus.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure OCR: words found, words invented, seconds per image."""
    pictures = [*(_sample() if sample else []), *(row for table in reference for row in _table(table))]
    pictures = [replace(one, group=f"{one.group}, other scripts") if _other_script(one) else one for one in pictures]
    pictures = pictures[{"all": 0, "even": 0, "odd": 1}[part] :: 1 if part == "all" else 2]
    if not pictures:
        _skip("there is no picture to read: give a --reference")
        return
    readers: dict[str, Callable[[Path], str]] = {PLAIN: _plain}
    versions = {}
    engines: list[Any] = engine or list(get_args(ocr.Engine))
    for name in engines:
        try:
            versions[name] = ocr.check(languages, name)
            readers[name] = partial(_ours, languages=languages, engine=name)
        except ocr.OcrError as error:
            _skip(f"{name} is left out: {error}")

    results: dict[str, dict[str, dict[str, float | None]]] = {}
    total_s: dict[str, float] = {}
    for name, reader in readers.items():
        reader(pictures[0].path)  # loading is not measured
        texts, start = [], time.perf_counter()
        for picture in pictures:
            began, began_cpu = time.perf_counter(), _cpu_s()
            text = reader(picture.path)
            texts.append(_Read(picture, text, time.perf_counter() - began, _cpu_s() - began_cpu))
        total_s[name] = time.perf_counter() - start
        groups = dict.fromkeys(picture.group for picture in pictures)
        results[name] = {group: _score([row for row in texts if row.picture.group == group]) for group in groups}
    report = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": versions,
        "pictures": len(pictures),
        "part": part,
        "results": results,
        "processes": processes,
        "speed_against_plain": {
            name: round(total_s[PLAIN] / _in_processes(readers[name], pictures, processes), 2)
            for name in readers
            if name != PLAIN
        },
    }
    print(json.dumps(report, indent=1) if as_json else _as_text(report))


def _sample() -> Iterable[Picture]:
    from data.make_sample import SAMPLE, read_videos

    if not SAMPLE.is_dir():
        _skip(f"the sample is left out: {SAMPLE} does not exist (run `python data/make_sample.py`)")
        return
    for video in read_videos():
        yield Picture("sample covers", SAMPLE / "coverphotos" / f"{video['id']}.jpg", video["cover"])
        for number, text in enumerate(video.get("slides", []), 1):
            yield Picture("sample slides", SAMPLE / "slides" / f"{video['id']}_{number}.jpg", text)


def _table(path: Path) -> Iterable[Picture]:
    if not path.is_file():
        _skip(f"{path} is left out: it does not exist")
        return
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            group = row["file"].rpartition("/")[0] or path.stem
            yield Picture(group, path.parent / row["file"], row["expected"], row["match"])


def _other_script(picture: Picture) -> bool:
    """Return whether most letters of a picture are not Latin ones."""
    return 2 * len(OTHER_LETTER.findall(picture.expected)) > sum(map(str.isalpha, picture.expected))


def _plain(path: Path) -> str:
    import pytesseract

    os.environ.pop("OMP_THREAD_LIMIT", None)
    try:
        with Image.open(path) as image:
            return str(pytesseract.image_to_string(image))
    except (OSError, TypeError, pytesseract.TesseractError):  # TypeError: a format that pytesseract does not support
        return ""


def _ours(path: Path, languages: str, engine: Any) -> str:
    os.environ["OMP_THREAD_LIMIT"] = "1"  # as the pipeline does
    try:
        return ocr.read_cover(path, languages, engine).text
    except (MediaError, ocr.ReadingError):
        return ""


def _in_processes(reader: Callable[[Path], str], pictures: list[Picture], processes: int) -> float:
    """Return the seconds for all images, including the start of the processes."""
    start = time.perf_counter()
    items = enumerate(picture.path for picture in pictures)
    for _, text in each(reader, items, processes=processes, limit_s=lambda _: ocr.IMAGE_LIMIT_S):
        if isinstance(text, Exception):
            raise text
    return time.perf_counter() - start


def words(text: str) -> Counter[str]:
    """Return the words of a text with their counts."""
    return Counter(WORD.findall(_plainly(regex.sub("['’]", "", text))))


def _score(rows: list[_Read]) -> dict[str, float | None]:
    recall, precision, cer, invented = [], [], [], 0
    for row in rows:
        picture, text = row.picture, row.text
        true, read = words(picture.expected), words(text)
        hits = (true & read).total()
        if true:
            recall.append(hits / true.total())
        if picture.match in IN_PART:
            continue
        invented += read.total() - hits
        if read:
            precision.append(hits / read.total())
        if true or read:
            expected = _plainly(picture.expected)
            cer.append(min(1.0, Levenshtein.distance(expected, _plainly(text)) / max(1, len(expected))))
    return {
        "recall": _mean(recall),
        "precision": _mean(precision),
        "cer": _mean(cer),
        "invented_words": invented,
        "seconds": _mean([row.seconds for row in rows]),
        "cpu_seconds": _mean([row.cpu_seconds for row in rows]),
        "pictures": len(rows),
    }


def _cpu_s() -> float:
    """Return the CPU seconds of this process and its finished children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _plainly(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['date']}, {report['machine']}, {report['pictures']} pictures ({report['part']})"]
    lines += [f"{name}: {version}" for name, version in report["versions"].items()]
    shown = ("recall", "precision", "cer", "invented_words", "seconds", "cpu_seconds")
    lines += ["", f"| pictures | engine | {' | '.join(shown)} |", "|" + "---|" * (2 + len(shown))]
    for group in next(iter(report["results"].values())):
        for name, groups in report["results"].items():
            values = ["" if groups[group][key] is None else str(groups[group][key]) for key in shown]
            lines.append(f"| {group} ({groups[group]['pictures']}) | {name} | {' | '.join(values)} |")
    lines += [
        "",
        f"times as fast as a plain loop, with {report['processes']} processes: {report['speed_against_plain']}",
    ]
    return "\n".join(lines)


def _skip(why: str) -> None:
    print(why, file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
