"""Captions that are downloaded are the transcript, if they can be read and nothing better is there."""

import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import CAPTIONS, Segment
from ingest.stages import download
from ingest.stages.pipeline import run_stage
from scraper.records import Caption, Video
from tests.ingest.stages.running import HERE, VTT
from tests.scraper.faulty_server import FaultyServer


def captioned(*tracks: tuple[str, str], **record: object) -> Video:
    captions = [Caption(url=url, language="eng-US", source=source) for url, source in tracks]
    return Video.model_validate({"id": "70001", "captions": captions} | record)


@pytest.mark.parametrize("path", ["/caption.vtt", "/caption.srt", "/caption.json"])
def test_captions_are_the_transcript_with_times_and_provenance(
    catalog: Catalog, server: FaultyServer, path: str
) -> None:
    server.answers["/caption.vtt"] = lambda t: t.whole(VTT)
    catalog.put_video(captioned((server.https(path), "ASR")))
    assert run_stage(catalog, "download", HERE).done == 1
    entry = catalog.get("70001")
    assert entry and entry.states["transcribe"] == "done", "nothing is left for Whisper"
    said = entry.texts["transcript"]
    assert (said.engine, said.version, said.model, said.language) == (CAPTIONS, path[9:], "ASR", "eng-US")
    if path == "/caption.vtt":
        assert said.text == "good morning and good night"
        assert list(said.segments) == [Segment(1.0, 2.5, "good morning"), Segment(4.0, 5.0, "and good night")]
    else:
        assert [(segment.start_s, segment.text) for segment in said.segments] == [(0.0, "hello")]
    assert [media.kind for media in entry.media] == ["caption"]


def test_missing_captions_leave_the_speech_to_whisper(catalog: Catalog, server: FaultyServer) -> None:
    server.answers["/caption.txt"] = lambda t: t.whole(b"WEBVTT\n\nno cue in here\n")
    tracks = [(server.https("/404"), "ASR"), (server.https("/caption.txt"), "creator")]
    catalog.put_video(captioned(*tracks, video_sources=[server.https("/video")]))
    assert run_stage(catalog, "download", HERE).done == 1
    entry = catalog.get("70001")
    assert entry and entry.states["transcribe"] == "due"
    words = {(line["kind"], line["position"]): line["code"] for line in catalog.ledger.files()}
    assert words == {("video", 0): "", ("caption", 0): "notfound", ("caption", 1): "type"}
    assert [path.name for path in (catalog.data / "media" / "01" / "70001").iterdir()] == ["video.mp4"]


def test_damaged_captions_stand_in_until_whisper_has_transcribed(catalog: Catalog, server: FaultyServer) -> None:
    damaged = b"WEBVTT\n\n00:01.000 --> 00:02.500\nhalf \xef\xbf\xbd\xef\xbf\xbd\n"
    server.answers["/caption.bad"] = lambda t: t.whole(damaged)
    server.answers["/caption.16"] = lambda t: t.whole("1\n00:00:01,0 --> 00:00:02,0\ndéjà vu\n".encode("utf-16-le"))
    bad, wide = (server.https("/caption.bad"), "ASR"), (server.https("/caption.16"), "ASR")
    catalog.put_video(captioned(bad, video_sources=[server.https("/video")]))
    catalog.put_video(captioned(bad, wide, id="70002", video_sources=[server.https("/video")]))
    assert run_stage(catalog, "download", HERE).done == 2
    entry, other = catalog.get("70001"), catalog.get("70002")
    assert entry and entry.texts["transcript"].engine == CAPTIONS and entry.states["transcribe"] == "due"
    assert other and other.texts["transcript"].text == "déjà vu" and other.states["transcribe"] == "done"


def test_translated_captions_are_used_only_without_audio(catalog: Catalog, server: FaultyServer) -> None:
    tracks = [(server.https("/caption"), "MT")]
    catalog.put_video(captioned(*tracks, video_sources=[server.https("/video")]))
    catalog.put_video(captioned(*tracks, id="70002", video_sources=[server.https("/404")]))
    run_stage(catalog, "download", HERE)
    with_video, without = catalog.get("70001"), catalog.get("70002")
    assert with_video and "transcript" not in with_video.texts
    assert without and without.texts["transcript"].model == "MT"


def test_captions_in_several_languages_of_unknown_origin_are_not_used(catalog: Catalog, server: FaultyServer) -> None:
    both = [Caption(url=server.https("/caption"), language=language) for language in ("deu-DE", "eng-US")]
    catalog.put_video(Video(id="70001", captions=both, video_sources=[server.https("/video")]))
    run_stage(catalog, "download", HERE)
    entry = catalog.get("70001")
    assert entry and "transcript" not in entry.texts and entry.states["transcribe"] == "due"
    assert server.counts["/caption"] == 0


def test_captions_that_failed_by_server_trouble_are_retried(catalog: Catalog, server: FaultyServer) -> None:
    server.answers["/later"] = lambda t: t.whole(b"", "503 Busy") if t.asked.number < 6 else t.whole(VTT)
    catalog.put_video(captioned((server.https("/later"), "ASR"), cover_sources=[server.https("/cover")]))
    assert run_stage(catalog, "download", HERE).failed == 1
    assert catalog.ledger.error("70001", "download").startswith("caption: server: ")
    server.answers["/later"] = lambda t: t.whole(VTT)
    assert catalog.ledger.retry("download") == 1
    assert run_stage(catalog, "download", HERE).done == 1
    entry = catalog.get("70001")
    assert entry and entry.texts["transcript"].text == "good morning and good night"


def test_the_number_of_tried_tracks_is_limited(catalog: Catalog, server: FaultyServer) -> None:
    tracks = [(server.https(f"/404?{number}"), "ASR") for number in range(9)]
    server.answers["/404"] = lambda t: t.whole(b"", "404 Not ParsedRecord")
    catalog.put_video(captioned(*tracks, video_sources=[server.https("/video")]))
    run_stage(catalog, "download", HERE)
    assert server.counts["/404"] == download.MAX_TRACKS


def test_captions_do_not_replace_a_transcript(catalog: Catalog, server: FaultyServer) -> None:
    catalog.put_video(captioned((server.https("/caption"), "ASR")))
    catalog.import_text("70001", "transcript", "known from elsewhere")
    run_stage(catalog, "download", HERE)
    entry = catalog.get("70001")
    assert entry and entry.texts["transcript"].text == "known from elsewhere"
    assert not server.asked
