"""Options that several commands share. Defaults come from the settings."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.progress import ProgressMode
from ingest.settings import Device, Engine, default

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of the catalog.", metavar="DIR", show_default="./data, or the user data folder"
    ),
]
Indexes = Annotated[
    Path | None,
    typer.Option(
        "--indexes", help="Folder of the indexes.", metavar="DIR", show_default="./indexes, or the user data folder"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Progress = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        help="How to show progress on stderr: a bar or lines of text (auto), lines of JSON, or not at all.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Same as --progress off.")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="Processes that read media.", metavar="N", show_default="one per core")
]
Languages = Annotated[
    str | None,
    typer.Option(
        "--ocr-languages", help="Tesseract language packs.", metavar="eng+deu", show_default=default("ocr_languages")
    ),
]
OcrEngine = Annotated[
    Engine | None, typer.Option("--ocr-engine", help="OCR engine.", show_default=default("ocr_engine"))
]
Frames = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=100,
        help="Frames per video to read on-screen text from.",
        metavar="N",
        show_default=default("frames"),
    ),
]
SpeechLanguages = Annotated[
    str | None,
    typer.Option("--speech-languages", help="Languages to expect in speech.", metavar="en,de", show_default="any"),
]
ComputeDevice = Annotated[
    Device | None, typer.Option("--device", help="Device that Whisper runs on.", show_default=default("device"))
]
Report = Annotated[
    Path | None, typer.Option("--report", help="Write a report of the run to this file, as JSON.", metavar="FILE")
]
Whisper = Annotated[
    str | None,
    typer.Option(help="Whisper model or folder.", metavar="NAME|FOLDER", show_default=default("whisper")),
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, help="Whisper batch size (30 s windows).", metavar="N", show_default=default("batch")),
]


ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Let the nodes of a Ray cluster do the work: auto (this machine is one of them), local, or an address.",
        metavar="auto|local|ray://HOST:PORT",
        show_default="this machine alone",
    ),
]
Media = Annotated[
    str | None,
    typer.Option(
        "--media",
        help="Address of the data folder for the nodes of a cluster, such as s3://bucket/folder. What it lacks is"
        " copied there. Without it, nodes use a shared folder, or get each file sent.",
        metavar="ADDRESS",
        show_default="none",
    ),
]


def progress_mode(progress: ProgressMode, quiet: bool) -> ProgressMode:
    """Return the mode that --progress and --quiet ask for together."""
    return "off" if quiet else progress
