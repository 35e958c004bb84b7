"""tiktok-retrieval transcribe: the sound of videos -> transcripts."""

from ingest.commands.options import (
    Batch,
    ClusterAddress,
    ComputeDevice,
    Data,
    Indexes,
    Json,
    Media,
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

EXAMPLES = ("transcribe", "transcribe --whisper openai/whisper-tiny.en", "transcribe --batch 16")


def transcribe(
    data: Data = None,
    indexes: Indexes = None,
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
    """Transcribe the speech in videos."""
    settings = load_settings(
        data=data,
        indexes=indexes,
        whisper=whisper,
        speech_languages=speech_languages,
        device=device,
        batch=batch,
        cluster=cluster,
        media=media,
    )
    run_stages(
        ("transcribe",),
        settings,
        as_json=as_json,
        progress=progress_mode(progress, quiet),
        report_file=report,
        processes=processes,
    )
