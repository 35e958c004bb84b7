"""tiktok-retrieval run: all stages in order."""

from ingest.commands.options import (
    Batch,
    ClusterAddress,
    ComputeDevice,
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
    SpeechLanguages,
    Whisper,
    progress_mode,
)
from ingest.commands.stages import run_stages
from ingest.settings import load_settings

EXAMPLES = ("run --data data", "run --ocr-engine auto --report run.json", "run --json --quiet", "run --cluster auto")


def run(
    data: Data = None,
    indexes: Indexes = None,
    engine: OcrEngine = None,
    languages: Languages = None,
    frames: Frames = None,
    whisper: Whisper = None,
    speech_languages: SpeechLanguages = None,
    device: ComputeDevice = None,
    processes: Processes = None,
    batch: Batch = None,
    cluster: ClusterAddress = None,
    media: Media = None,
    report: Report = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Run all stages that are due: download, ocr, transcribe.

    Can be stopped at any time; the next run resumes. Exits with 1 if any item failed.
    """
    from ingest.catalog.entries import STAGES

    settings = load_settings(
        data=data,
        indexes=indexes,
        ocr_engine=engine,
        ocr_languages=languages,
        frames=frames,
        whisper=whisper,
        speech_languages=speech_languages,
        device=device,
        batch=batch,
        cluster=cluster,
        media=media,
    )
    run_stages(
        STAGES,
        settings,
        as_json=as_json,
        progress=progress_mode(progress, quiet),
        report_file=report,
        processes=processes,
    )
