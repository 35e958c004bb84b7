"""Run a stage of a catalog, with the faulty server or with a Tesseract that is disturbed."""

import os
import shutil
from pathlib import Path

import pytest

from ingest.catalog import Catalog, Stage
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from ingest.stages.stage_run import StageReport

HERE = Settings(download_hosts="localhost, 169.254.169.254 nobody.invalid", download_local=True)
VTT = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500\ngood morning\n\n00:00:04.000 --> 00:00:05.000\nand good night\n"
SOON = "https://v.example/a.mp4"  # a link that is never requested in these tests


def run(catalog: Catalog, stage: Stage, whisper: Path | str = "none") -> StageReport:
    return run_stage(
        catalog, stage, Settings(whisper=str(whisper), download_hosts="v.example", download_http=True), processes=2
    )


def text(catalog: Catalog, video_id: str, stage: Stage) -> str | None:
    entry = catalog.get(video_id)
    assert entry
    return entry.texts["cover" if stage == "ocr" else "transcript"].text


def disturb_tesseract(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have `script` (sh) run before each picture that Tesseract reads."""
    real = shutil.which("tesseract")
    assert real
    folder.mkdir()
    wrapper = folder / "tesseract"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *--psm*)\n{script}\n;; esac\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_ENGINE", "tesseract")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_LANGUAGES", "eng")
