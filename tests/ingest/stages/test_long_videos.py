"""A video of three hours -> its transcript, in no more memory than one of ten minutes, with times true to the end."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from ingest.catalog import Catalog
from ingest.media import SAMPLE_RATE
from ingest.sound import audio
from tests.ingest import media_samples

REPOSITORY = Path(__file__).resolve().parents[3]
SHORT_S = 600
TIMES = 18  # repetitions of the short one: three hours
SPOKEN_S = (20.0, 140.0, 260.0, 380.0, 500.0)  # of speech in the short one, between tones and silence
CLIP, FROM_S, TO_S = "9000000000000000110", 1.5, 6.0  # a clip of the sample, and where it has a sentence
MEASURED = """
import json, resource, sys
from ingest.__main__ import app
try:
    app(sys.argv[1:])
finally:
    peaks = [resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps(peaks))
"""


def ten_minutes(folder: Path, sample: Path) -> Path:
    """Spoken sentences with a tone before and silence after each, and a small picture, a frame a second."""
    spoken = audio(sample / "videos" / f"{CLIP}.mp4")[round(FROM_S * SAMPLE_RATE) : round(TO_S * SAMPLE_RATE)]
    samples = np.zeros(SHORT_S * SAMPLE_RATE, np.float32)
    time_s = np.arange(len(samples)) / SAMPLE_RATE
    for start_s in SPOKEN_S:
        tone = (time_s > start_s - 18) & (time_s < start_s - 8)
        samples[tone] = 0.1 * np.sin(2 * np.pi * 440 * time_s[tone])
        samples[round(start_s * SAMPLE_RATE) :][: len(spoken)] = spoken
    return media_samples.video(folder / "short.mkv", samples, SHORT_S)


def repeated(source: Path, target: Path, times: int) -> Path:
    """A video that follows itself, its packets as they are: to encode hours would take minutes."""
    with av.open(str(target), "w") as write, av.open(str(source)) as first:
        streams = [write.add_stream_from_template(stream) for stream in first.streams]
        for number in range(times):
            with av.open(str(source)) as read:
                for packet in read.demux():
                    if packet.pts is None or packet.dts is None or packet.time_base is None:
                        continue
                    late = round(number * SHORT_S / packet.time_base)
                    packet.pts, packet.dts = packet.pts + late, packet.dts + late
                    packet.stream = streams[packet.stream_index]
                    write.mux(packet)
    return target


@pytest.mark.heavy
def test_three_hours_take_no_more_memory_than_ten_minutes_and_keep_their_times(
    tmp_path: Path, sample_corpus: Path
) -> None:
    short = ten_minutes(tmp_path, sample_corpus)
    videos = {"short": short, "long": repeated(short, tmp_path / "long.mkv", TIMES)}
    peaks: dict[str, list[int]] = {}
    for name, path in videos.items():
        data = tmp_path / name
        with Catalog(data, create=True) as catalog:
            media_samples.add(catalog, "10001", video=path)
        command = [sys.executable, "-c", MEASURED, "transcribe", "--data", str(data), "--quiet"]
        command += ["--whisper", "openai/whisper-tiny.en", "--processes", "1"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=1800, check=True)
        peaks[name] = json.loads(done.stdout.splitlines()[-1])
        with Catalog(data) as catalog:
            entry = catalog.get("10001")
        assert entry and entry.states["transcribe"] == "done"
        starts = [segment.start_s for segment in entry.texts["transcript"].segments]
        wanted = [n * SHORT_S + start_s for n in range(TIMES if name == "long" else 1) for start_s in SPOKEN_S]
        assert starts == pytest.approx(wanted, abs=0.3)
    print(f"MiB of the program and of the process that decodes: {peaks}")
    for short_mib, long_mib in zip(peaks["short"], peaks["long"], strict=True):
        assert long_mib < short_mib + 100  # as floats, three hours are 660 MiB
