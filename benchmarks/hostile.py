"""The outcomes of hostile files, each as a cover and as a video, in the real stages.

    python benchmarks/hostile.py --files hostile --whisper openai/whisper-tiny.en

Prints a Markdown table of the outcomes, and fails if the ledger has no outcome for a file.
"""

import json
import platform
import resource
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from ingest.catalog import Catalog
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from scraper.records import Video


def main(
    files: Annotated[Path, typer.Option(help="Folder of files, including sub-folders.")],
    whisper: Annotated[str, typer.Option(help="Whisper model or folder.")] = "openai/whisper-tiny.en",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run `ocr` and `transcribe` over every file, once as a cover and once as a video."""
    hostile = sorted(path for path in files.rglob("*") if path.is_file())
    if not hostile:
        raise typer.BadParameter(f"no files in {files}", param_hint="--files")
    outcomes: Counter[tuple[str, str, str]] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Catalog(Path(folder), create=True) as catalog:
        kinds: dict[str, str] = {}
        for number, path in enumerate(hostile):
            for kind in ("cover", "video"):
                video_id = f"{1 if kind == 'cover' else 2}{number:06}"
                kinds[video_id] = kind
                catalog.put_video(Video(id=video_id))
                target = catalog.media_folder(video_id) / f"{kind}{path.suffix.lower()}"
                target.write_bytes(path.read_bytes())
                catalog.put_media(video_id, "cover" if kind == "cover" else "video", target, "imported")
        settings = Settings(whisper=whisper)
        reports = [run_stage(catalog, stage, settings) for stage in ("ocr", "transcribe")]
        for video_id, kind in kinds.items():
            entry = catalog.get(video_id)
            assert entry
            for stage in ("ocr", "transcribe") if kind == "video" else ("ocr",):
                state = entry.states[stage]
                assert state != "due", f"{video_id}: {stage} has no outcome"
                text = entry.texts.get("cover" if stage == "ocr" else "transcript")
                what = catalog.ledger.error(video_id, stage) or state
                if state == "done":
                    what = "done, with text" if text and text.text else "done, nothing there"
                outcomes[kind, stage, what] += 1
    peak_mb = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) >> 10
    about = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "files": len(hostile),
        "seconds": round(time.monotonic() - started),
        "stage_seconds": {report.stage: round(report.seconds) for report in reports},
        "largest_process_mb": peak_mb,
    }
    rows = [{"as": kind, "stage": stage, "outcome": what, "files": n} for (kind, stage, what), n in outcomes.items()]
    rows.sort(key=lambda row: (str(row["as"]), str(row["stage"]), -int(str(row["files"]))))
    if as_json:
        print(json.dumps(about | {"outcomes": rows}, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print("\n| as | stage | outcome | files |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['as']} | {row['stage']} | {row['outcome']} | {row['files']} |")


if __name__ == "__main__":
    typer.run(main)
