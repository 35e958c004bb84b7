"""The download stage against the faulty server: files, failures, and the state after each failure."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.settings import Settings
from ingest.stages import download
from ingest.stages.importer import import_source
from ingest.stages.pipeline import StageError, run_stage
from ingest.stages.stage_run import StageReport
from scraper import refresh
from scraper.download import DEADLINE_S, FAILURES, HOSTS, MAX_BYTES, PER_HOST
from scraper.failures import DEAD
from scraper.records import Video
from tests.command_line import REPOSITORY
from tests.ingest import media_samples
from tests.ingest.stages.running import HERE
from tests.scraper.faulty_answers import Talk, picture, video
from tests.scraper.faulty_server import FAULTS, FaultyServer, quick

PAGE = REPOSITORY / "docs" / "reference" / "downloads.md"


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def media(catalog: Catalog) -> list[str]:
    return files(catalog.data / "media") if (catalog.data / "media").is_dir() else []


# -- failures -----------------------------------------------------------------------------------------------------


def test_every_fault_is_one_failed_line_and_in_the_table_of_the_docs(
    catalog: Catalog, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    asked = [path for path in FAULTS if path != "/ftp"]  # a record drops such a link
    ids = {f"70{number:03}": path for number, path in enumerate(asked)}
    for video_id, path in ids.items():
        catalog.put_video(Video(id=video_id, cover_sources=[server.https(path)]))
    assert run_stage(catalog, "download", HERE) == StageReport("download", failed=len(ids))
    assert media(catalog) == []
    lines = {str(line["video_id"]): line for line in catalog.ledger.files()}
    provoked: dict[str, list[str]] = {}
    for video_id, path in ids.items():
        word, sentence = str(lines[video_id]["word"]), lines[video_id]["error"]
        assert (word, sentence) == (FAULTS[path], FAILURES[FAULTS[path]]), path
        assert lines[video_id]["state"] == "failed" and lines[video_id]["tries"] == 1
        assert catalog.ledger.error(video_id, "download") == f"cover: {word}: {sentence}"
        provoked.setdefault(word, []).append(path[1:])
    table = "| code | message | a fresh link is requested | provoked by |\n|---|---|---|---|\n" + "".join(
        f"| `{word}` | {sentence} | {'yes' if word in DEAD else ''} | {', '.join(provoked.get(word, []))} |\n"
        for word, sentence in FAILURES.items()
    )
    page = PAGE.read_text(encoding="utf-8")
    new = re.sub(r"(?s)(<!-- failures -->\n).*(<!-- /failures -->)", lambda m: f"{m[1]}{table}{m[2]}", page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(new, encoding="utf-8")
    assert page == new, "the table is not today's: UPDATE_DOCS=1 python -m pytest tests/ingest/stages/test_download.py"


def test_the_docs_give_the_current_limits_and_hosts() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"| bytes | {MAX_BYTES['cover'] >> 20} MB | {MAX_BYTES['video'] >> 20} MB |" in page
    assert f"| seconds in all | {DEADLINE_S['cover']:.0f} | {DEADLINE_S['video']:.0f} |" in page
    assert f"At most {PER_HOST} files at a time come from one host, and {download.PAGES} pages" in page
    assert all(host in page for host in HOSTS)


def test_a_failed_file_affects_no_other_and_is_retried_alone(catalog: Catalog, server: FaultyServer) -> None:
    links = {"cover_sources": [server.https("/cover")], "video_sources": [server.https("/fails-twice")]}
    server.answers["/fails-twice"] = lambda t: t.whole(b"", "403 No") if t.asked.number < 3 else t.whole(video())
    catalog.put_video(Video.model_validate({"id": "70001", **links}))
    assert run_stage(catalog, "download", HERE).failed == 1
    assert [line["state"] for line in catalog.ledger.files("70001")] == ["done", "failed"]
    assert run_stage(catalog, "download", HERE) == StageReport("download"), "a failed line is not due by itself"
    for outcome in ("failed", "done"):
        assert catalog.ledger.retry("download", error="forbidden") == 1
        assert getattr(run_stage(catalog, "download", HERE), outcome) == 1
    assert [(line["state"], line["tries"]) for line in catalog.ledger.files("70001")] == [("done", 1), ("done", 3)]
    assert server.counts["/cover"] == 1
    assert media(catalog) == ["01/70001/cover.jpg", "01/70001/video.mp4"]


def test_several_links_of_a_file_are_tried_in_order(catalog: Catalog, server: FaultyServer) -> None:
    links = [server.https(path) for path in ("/403", "/expired", "/cover.webp", "/cover")]
    catalog.put_video(Video(id="70001", cover_sources=links))
    assert run_stage(catalog, "download", HERE).done == 1
    assert media(catalog) == ["01/70001/cover.webp"]
    assert server.counts["/cover"] == 0


def test_nothing_is_requested_that_the_settings_do_not_allow(catalog: Catalog, server: FaultyServer) -> None:
    catalog.put_video(Video(id="70001", cover_sources=[server.https("/cover")]))
    catalog.put_video(Video(id="70002", cover_sources=[server.http("/cover")]))
    run_stage(catalog, "download", Settings(download_local=True))
    assert [line["code"] for line in catalog.ledger.files()] == ["host", "scheme"]
    catalog.ledger.retry()
    run_stage(catalog, "download", Settings(download_hosts="localhost", download_http=True))
    assert [line["code"] for line in catalog.ledger.files()] == ["address", "address"]
    assert not server.asked
    catalog.ledger.retry()
    allowed = Settings(download_hosts="localhost", download_http=True, download_local=True)
    assert run_stage(catalog, "download", allowed).done == 2


def test_fuzzed_ids_and_links_put_no_file_outside_the_media_folder(
    catalog: Catalog, server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    quick(monkeypatch)
    server.answers["/gone"] = lambda t: t.whole(b"", "410 Gone")
    chance = random.Random(20261123)
    nasty = [
        "../" * 8,
        "..\\",
        "%2e%2e%2f",
        "/etc/passwd",
        "\x00",
        "\n",
        "\u202e",
        "٣",
        "a" * 300,
        "~",
        "$(id)",
        ".",
        "",
    ]

    def fuzzed(text: str) -> str:
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(nasty) + text[at + chance.randrange(2) :]
        return text

    records = [
        {
            "id": fuzzed(str(7_000_000 + number)),
            "permalink": fuzzed("https://www.example.org/@x/video/7000000"),
            "cover_sources": [fuzzed(server.https("/cover")), fuzzed(server.https("/gone"))],
            "slide_sources": [fuzzed(server.https("/slide"))],
        }
        for number in range(1000)
    ]
    source = tmp_path / "fuzzed.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    report = import_source(catalog, source)
    assert report.new + report.updated + report.unchanged + len(report.problems) == 1000
    assert len(report.problems) > 100 and report.new > 300
    run_stage(catalog, "download", HERE)
    inside = re.compile(r"media/[0-9]{2}/[0-9]{5,25}/(cover|slide_01)\.(jpg|webp)")
    written = [name for name in files(tmp_path) if name != source.name]
    own = {"data/catalog.sqlite", "data/catalog.sqlite-shm", "data/catalog.sqlite-wal", "data/.download.lock"}
    assert [name for name in written if name not in own and not inside.fullmatch(name.removeprefix("data/"))] == []
    assert len(written) > 300


def test_a_damaged_file_is_downloaded_again(catalog: Catalog, server: FaultyServer) -> None:
    catalog.put_video(Video(id="70001", video_sources=[server.https("/video")]))
    run_stage(catalog, "download", HERE)
    entry = catalog.get("70001")
    film = entry.file("video") if entry else None
    assert film
    whole = film.path.read_bytes()
    for damaged in (b"", b"another file"):
        film.path.write_bytes(damaged)
        catalog.fail("70001", "ocr", "the file is broken")
        assert run_stage(catalog, "download", HERE).done == 1
        assert film.path.read_bytes() == whole
        entry = catalog.get("70001")
        assert entry and entry.states["ocr"] == "due"
    assert run_stage(catalog, "download", HERE).done == 0


# -- many, and disturbed ------------------------------------------------------------------------------------------


def many(catalog: Catalog, server: FaultyServer, count: int, broken: float = 0.0) -> int:
    """Fill the catalog with `count` videos with a cover each, with different links. Return how many are bad."""
    server.answers["/absent"] = lambda t: t.whole(b"", "404 Not ParsedRecord")
    bad = 0
    with catalog.transaction():
        for number in range(count):
            fails = (number * broken) % 1 + broken > 1 - 1e-9
            bad += fails
            path = f"/{'absent' if fails else 'cover'}?{number}"
            catalog.put_video(Video(id=str(7_000_000 + number), cover_sources=[server.https(path)]))
    return bad


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_of_many_records_each_is_done_or_failed(catalog: Catalog, server: FaultyServer, count: int) -> None:
    bad = many(catalog, server, count, broken=0.05)
    assert bad == count // 20
    assert run_stage(catalog, "download", HERE) == StageReport("download", done=count - bad, failed=bad)
    assert len(media(catalog)) == count - bad
    assert catalog.ledger.file_counts() == {"cover": {"done": count - bad, "notfound": bad}}
    assert server.most_at_once <= PER_HOST
    assert catalog.ledger.retry("download") == bad
    server.asked.clear()
    assert run_stage(catalog, "download", HERE).failed == bad
    assert len(server.asked) == bad, "what came is not asked for again"


def _download(catalog: Catalog, server: FaultyServer) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ingest", "download", "--data", str(catalog.data), "--host", "localhost"]
    environment = os.environ | {"REQUESTS_CA_BUNDLE": str(server.authority)}
    return subprocess.Popen(
        [*command, "--allow-local", "--quiet"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize(("count", "kills"), [(150, 2), pytest.param(1000, 10, marks=pytest.mark.heavy)])
def test_a_killed_download_leaves_no_half_file_and_the_next_one_finishes(
    catalog: Catalog, server: FaultyServer, count: int, kills: int
) -> None:
    many(catalog, server, count)
    server.answers["/cover"] = lambda t: slow(t)
    chance, done = random.Random(7), 0
    for _ in range(kills):
        running = _download(catalog, server)
        before = time.monotonic()
        while len(catalog.ledger.due("download")) == count - done and time.monotonic() - before < 60:
            time.sleep(0.02)  # it has begun to write
        time.sleep(chance.random() * 0.7)
        running.send_signal(signal.SIGKILL)
        running.wait(20)
        final = [path for path in (catalog.data / "media").rglob("*") if path.is_file() and path.suffix != ".part"]
        assert final and all(path.read_bytes() == picture() for path in final)
        done = count - len(catalog.ledger.due("download"))
        assert 0 < done <= len(final)
    assert done < count, "all was done before the last kill: there was nothing to disturb"
    assert _download(catalog, server).wait(300) == 0
    assert catalog.ledger.due("download") == [] and len(catalog.ledger.failures()) == 0
    assert media(catalog) == sorted(f"{str(n)[-2:]}/{n}/cover.jpg" for n in range(7_000_000, 7_000_000 + count))
    assert len(server.asked) <= count + kills * 2 * download.FETCHES, "what was finished is not fetched again"
    assert catalog.database.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def slow(talk: Talk) -> None:
    """A cover that takes a while, so that a kill finds one in the middle."""
    body = picture()
    talk.head(Content_Length=len(body)).send(body[:1500]).wait(0.02).send(body[1500:])


def test_without_yt_dlp_one_error_says_so_before_the_work_starts(
    catalog: Catalog, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "available", lambda: False)
    for number in (70001, 70002):
        catalog.put_video(Video(id=str(number), permalink=f"https://www.tiktok.com/@a/video/{number}"))
    with pytest.raises(StageError, match="yt-dlp is not installed: install it with `pip install yt-dlp`"):
        run_stage(catalog, "download", HERE)
    assert catalog.ledger.due("download") == ["70001", "70002"]


def test_a_record_that_changes_during_its_download_stays_due(catalog: Catalog, server: FaultyServer) -> None:
    def answer(talk: Talk) -> None:
        with Catalog(catalog.data) as other:  # an import in another process
            other.put_video(Video(id="70001", video_sources=[server.https("/video")], scraped_at=2e9))
        talk.whole(picture())

    server.answers["/slowly"] = answer
    catalog.put_video(Video(id="70001", cover_sources=[server.https("/slowly")]))
    assert run_stage(catalog, "download", HERE) == StageReport("download", waiting=1)
    assert run_stage(catalog, "download", HERE).done == 1
    assert media(catalog) == ["01/70001/cover.jpg", "01/70001/video.mp4"]


def test_a_folder_instead_of_a_file_fails_only_its_video(catalog: Catalog, server: FaultyServer) -> None:
    for number in (70001, 70002):
        catalog.put_video(Video(id=str(number), cover_sources=[server.https("/cover")]))
    (catalog.data / "media" / "01").mkdir(parents=True)
    (catalog.data / "media" / "01" / "70001").write_bytes(b"")
    assert run_stage(catalog, "download", HERE) == StageReport("download", done=1, failed=1)
    assert catalog.ledger.error("70001", "download").startswith("target: ")


def test_a_local_file_needs_no_link(catalog: Catalog, tmp_path: Path) -> None:
    media_samples.add(catalog, "70001", cover=media_samples.cover(tmp_path / "c.png", "hello"))
    assert run_stage(catalog, "download", HERE) == StageReport("download")
