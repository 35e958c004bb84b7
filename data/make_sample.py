"""Turn the invented texts in data/sample_source into the sample corpus, data/sample: records in the format of the
scraper, painted covers, spoken clips, and queries with known answers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python searches only the folder of this file

SOURCE, SAMPLE = ROOT / "data" / "sample_source", ROOT / "data" / "sample"
NEEDS = """\
Needs Pillow, PyAV, numpy and regex (all come with this project) and, from Debian:
  apt install espeak-ng fonts-lato fonts-bebas-neue fonts-lobster fonts-comfortaa fonts-dejavu-core \\
              fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji
The same packages give the same bytes; other versions give the same texts with slightly other pictures and voices."""

FIRST_ID = 9_000_000_000_000_000_000  # 19 digits, far above any real id
RECORDS_PER_BATCH = 50
SCRAPED_AT = 1_700_500_000.0  # unix seconds: 20 November 2023, 17:06 UTC
SECONDS_PER_RECORD = 2.06  # the console script needs about as long for each video
SHORTENED_FROM = 10_000  # the site shortens larger counts: 10K, 1.1M
PLAIN_SHARE = 0.62  # of the covers, which have letters that OCR can read
HOURS_PER_DAY, HOURS_PER_WEEK = 24, 168

Video = dict[str, Any]


def main() -> int:
    """Build the sample and print its content."""
    parser = argparse.ArgumentParser(
        description="Rebuild data/sample from data/sample_source.",
        epilog=NEEDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=SAMPLE, help="folder to write (emptied first): data/sample")
    out: Path = parser.parse_args().out
    if out.exists() and any(out.iterdir()) and not (out / "queries.json").is_file():
        print(f"{out} contains something else than a sample, so nothing was changed", file=sys.stderr)
        return 1
    if problem := what_is_missing():
        print(f"{problem}\n\n{NEEDS}", file=sys.stderr)
        return 1
    build(out)
    print(summary(out))
    return 0


def what_is_missing() -> str:
    """A sentence that names the missing programs and fonts, or ""."""
    from data.sample_source.covers import missing_fonts

    lacking = missing_fonts() + ([] if shutil.which("espeak-ng") else ["espeak-ng"])
    return f"Not installed: {', '.join(lacking)}" if lacking else ""


def build(out: Path) -> None:
    """Write every file of the sample to `out`, which is emptied first."""
    from data.sample_source import clips, covers

    videos = read_videos()
    shutil.rmtree(out, ignore_errors=True)
    for folder in ("info", "coverphotos", "videos", "slides"):
        (out / folder).mkdir(parents=True)
    spoken: dict[str, list[clips.Spoken]] = {}
    for video in videos:
        # A random generator per video and purpose, so that a change to one text changes no other picture.
        rng = Random(f"{video['slug']} cover")
        style = video.get("style") or rng.choice(covers.PLAIN_STYLES if rng.random() < PLAIN_SHARE else covers.STYLISED)
        look = (video["scene"], video["emoji"])
        cover = covers.draw_cover(*look, video["cover"], style, rng)
        _save(cover, out / "coverphotos" / f"{video['id']}.jpg", covers.JPEG_QUALITY)
        for number, text in enumerate(video.get("slides", []), 1):
            slide = covers.draw_cover(*look, text, "card", Random(f"{video['slug']} slide"), size=0.8)
            _save(slide, out / "slides" / f"{video['id']}_{number}.jpg", covers.JPEG_QUALITY)
        if "clip" in video:
            path = out / "videos" / f"{video['id']}.mp4"
            spoken[video["id"]] = clips.film(video, path, Random(f"{video['slug']} clip"))
    records = [record(video, position) for position, video in enumerate(videos)]
    for start in range(0, len(records), RECORDS_PER_BATCH):
        name = f"batch_{start // RECORDS_PER_BATCH + 1}.json"
        _write_json(out / "info" / name, records[start : start + RECORDS_PER_BATCH])
    _write_json(out / "spoken.json", spoken)
    write_queries(out, {video["slug"]: video["id"] for video in videos})
    write_queries_by_language(out, {video["slug"]: video for video in videos})
    write_queries_seen(out, {video["slug"]: video["id"] for video in videos})


def read_videos() -> list[Video]:
    """Every `[[video]]` of the source files, in a shuffled but fixed order, with its `id`."""
    videos: list[Video] = []
    for path in sorted(SOURCE.glob("*.toml")):
        videos += tomllib.loads(path.read_text(encoding="utf-8")).get("video", [])
    Random("order").shuffle(videos)  # so that no topic fills the first page
    for number, video in enumerate(videos, 1):
        video["id"] = str(FIRST_ID + number)
        for key in ("text", "cover", "comments"):
            video[key] = video[key].strip()
    return videos


def record(video: Video, position: int) -> dict[str, Any]:
    """A video in the format of the console script: counts and times are strings, as on the page."""
    rng = Random(f"{video['slug']} record")
    handle, nickname = (part.strip() for part in video["by"].split("|", 1))
    # Half of the videos are days old, half up to three years.
    age_h = rng.uniform(2, 300) if rng.random() < 0.5 else rng.uniform(300, 26_000)
    likes = video.get("likes") or scraped_count(round(10 ** rng.uniform(2.2, 5.6)))
    comments = [_comment(line, age_h, rng) for line in video["comments"].splitlines()]
    kind, photo = ("photo", True) if video.get("photo") else ("video", False)
    music = video.get("music") or f"original sound - {nickname}"
    entry: dict[str, Any] = {
        "video-src": "",
        "coverphoto-src": "",
        "permalink": f"https://www.tiktok.example/{handle}/{kind}/{video['id']}",
        "web-id": str(FIRST_ID),
        "id": video["id"],
        "like-count": likes,
        "comment-count": scraped_count(len(comments) * rng.choice((1, 1, 2, 7, 40)) if comments else 0),
        "creator-username": handle,
        "creator-nickname": nickname,
        "time-posted": scraped_time(age_h),
        "music-title": music,
        "music-src": f"https://www.tiktok.example/music/sound-{video['id']}",
        "description": video["text"],
        "comments": comments,
        "scrape-timestamp": round(SCRAPED_AT + position * SECONDS_PER_RECORD, 3),
    }
    if photo:
        entry["slides-src"] = [""] * len(video["slides"])
    return entry


def scraped_count(number: int) -> str:
    """873 -> "873", 20200 -> "20.2K", 1100000 -> "1.1M"."""
    if number < SHORTENED_FROM:
        return str(number)
    unit, size = ("M", 1_000_000) if number >= 999_950 else ("K", 1_000)
    return f"{number / size:.1f}".removesuffix(".0") + unit


def scraped_time(age_h: float) -> str:
    """An age in hours before SCRAPED_AT as the page shows it: "16h ago", "3d ago", "5-5", "2020-3-28"."""
    if age_h < 1:
        return f"{max(1, int(age_h * 60))}m ago"
    if age_h < HOURS_PER_DAY:
        return f"{int(age_h)}h ago"
    if age_h < HOURS_PER_WEEK:
        return f"{int(age_h / HOURS_PER_DAY)}d ago"
    now = datetime.fromtimestamp(SCRAPED_AT, UTC)
    then = now - timedelta(hours=age_h)
    day = f"{then.month}-{then.day}"
    return day if then.year == now.year else f"{then.year}-{day}"


def write_queries(out: Path, ids: dict[str, str]) -> None:
    """Write queries.json and queries_long.json for people, and of the former qrels.tsv (BEIR's format) for programs.

    Raises:
        KeyError: a target is not a video.
    """
    for name in ("queries_long", "queries"):
        queries = tomllib.loads((SOURCE / f"{name}.toml").read_text(encoding="utf-8"))["query"]
        for query in queries:
            query["target"] = ids[query["target"]]
        _write_json(out / f"{name}.json", queries)
    lines = [f"q{number}\t{query['target']}\t1" for number, query in enumerate(queries, 1)]
    (out / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines, ""]), encoding="utf-8")


def write_queries_by_language(out: Path, videos: dict[str, Video]) -> None:
    """Write queries_by_language.json. Each question has its language, and that of its video unless nothing answers it.

    Raises:
        KeyError: a target is not a video.
        ValueError: a question is in the wrong one of the lists `same` and `across`.
    """
    queries: list[dict[str, Any]] = []
    source = tomllib.loads((SOURCE / "queries_by_language.toml").read_text(encoding="utf-8"))
    for language, lists in source.items():
        for across in (False, True):
            for text, slug, remembers in lists["across" if across else "same"]:
                video_language = videos[slug].get("lang", "en")
                if across == (video_language == language):
                    raise ValueError(f"{text!r} is asked in {language}, its video is in {video_language}")
                queries.append(
                    {
                        "text": text,
                        "target": videos[slug]["id"],
                        "language": language,
                        "video-language": video_language,
                        "across": across,
                        "remembers": remembers,
                    }
                )
        queries += [{"text": text, "unanswerable": True, "language": language} for text in lists["none"]]
    _write_json(out / "queries_by_language.json", queries)


def write_queries_seen(out: Path, ids: dict[str, str]) -> None:
    """Write queries_seen.json, about what is drawn and written nowhere. KeyError if a target is not a video."""
    queries = tomllib.loads((SOURCE / "queries_seen.toml").read_text(encoding="utf-8"))["query"]
    seen = [{"text": query["text"], "target": ids[query["target"]], "remembers": "seen"} for query in queries]
    _write_json(out / "queries_seen.json", seen)


def summary(out: Path) -> str:
    """The content of the sample in three lines."""
    videos = read_videos()
    languages = Counter(video.get("lang", "en") for video in videos)
    files = [path for path in out.rglob("*") if path.is_file()]
    kinds = Counter(path.parent.name for path in files)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    return "\n".join(
        (
            f"{len(videos)} videos, {sum('photo' in video for video in videos)} of them photo posts; "
            + ", ".join(f"{language} {count}" for language, count in languages.most_common()),
            f"{kinds['coverphotos']} covers, {kinds['slides']} slides, {kinds['videos']} mp4 files",
            f"{megabytes:.1f} MB in {out}",
        )
    )


def _comment(line: str, video_age_h: float, rng: Random) -> dict[str, str]:
    name, text = line.split(": ", 1)
    replies = rng.choice((0, 0, 0, 1, 2, 6))
    return {
        "commenter-username": f"@{name}",
        "comment-text": text,
        "time-posted": scraped_time(video_age_h * rng.uniform(0.05, 0.95)),
        "like-count": scraped_count(int(10 ** rng.uniform(0, 3.6))),
        "replies-count": str(replies) if replies else "",
    }


def _save(image: Any, path: Path, quality: int) -> None:
    image.save(path, "JPEG", quality=quality, optimize=True, progressive=True)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
