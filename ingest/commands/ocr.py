"""tiktok-retrieval ocr: covers, slides and video frames -> on-screen text."""

from ingest.commands.options import (
    ClusterAddress,
    Data,
    Frames,
    Indexes,
    Json,
    Languages,
    Media,
    OcrEngine,
    Processes,
    Progress,
    Quiet,
    Report,
    progress_mode,
)
from ingest.commands.stages import run_stages
from ingest.settings import load_settings

EXAMPLES = ("ocr", "ocr --ocr-languages eng+deu --processes 4", "ocr --ocr-engine auto --frames 0")


def ocr(
    data: Data = None,
    indexes: Indexes = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    processes: Processes = None,
    cluster: ClusterAddress = None,
    media: Media = None,
    report: Report = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Read on-screen text from covers, slides and video frames."""
    settings = load_settings(
        data=data,
        indexes=indexes,
        ocr_engine=engine,
        ocr_languages=languages,
        frames=frames,
        cluster=cluster,
        media=media,
    )
    run_stages(
        ("ocr",),
        settings,
        as_json=as_json,
        progress=progress_mode(progress, quiet),
        report_file=report,
        processes=processes,
    )
