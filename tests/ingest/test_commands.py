"""The commands that fill the catalog, as a person and as a program call them."""

import json
import shutil
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import Text
from scraper.records import Video
from tests.command_line import run
from tests.ingest import media_samples
from tests.scraper.stand_in import StandIn, html


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Catalog(tmp_path / "data", create=True) as catalog:
        media_samples.add(catalog, "10001", cover=media_samples.cover(tmp_path / "cover.png", "Hello there"))
        media_samples.add(catalog, "10002", cover=b"no picture")
        catalog.put_video(Video(id="10003"))
        catalog.fail("10003", "transcribe", "the file breaks off", Text(None, "whisper"))
    return tmp_path / "data"


@pytest.mark.parametrize("command", ["ocr", "run"])
def test_failed_items_end_in_exit_code_1_and_the_others_are_done(data: Path, command: str) -> None:
    done = run(command, "--data", data)
    assert done.returncode == 1
    assert "1 done, 1 failed" in done.stdout and "status --failures" in done.stdout
    assert "error" not in done.stderr
    again = run(command, "--data", data)
    assert again.returncode == 0 and "0 done, 0 failed" in again.stdout


def test_files_that_are_there_are_read_although_the_site_refuses_downloads(data: Path) -> None:
    ids = [f"740000000000000000{n}" for n in range(3)]
    with Catalog(data) as catalog:
        for video_id in ids:
            link = f"https://www.tiktok.com/@_/video/{video_id}"
            catalog.put_video(Video(id=video_id, permalink=link))
    with StandIn(0, 0, 0) as site:
        for video_id in ids:
            site.page(video_id, lambda talk: talk.whole(html(10204, {})))
        done = run("run", "--data", data, env=site.environment)
    assert done.returncode == 1
    assert "the site blocks this computer or network (3 times in a row)" in done.stderr
    assert "ocr: 1 done" in done.stdout
    with Catalog(data) as catalog:
        assert set(ids) <= set(catalog.ledger.due("download"))


def test_progress_as_json_stands_on_stderr(data: Path) -> None:
    done = run("ocr", "--data", data, "--progress", "json", "--json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[0] == {"stage": "ocr", "done": 0, "total": 2, "failed": 0}
    assert lines[-1] == {"stage": "ocr", "done": 2, "total": 2, "failed": 1}
    assert json.loads(done.stdout)["ocr"]["done"] == 1


def test_only_json_is_on_stdout(data: Path) -> None:
    report = json.loads(run("ocr", "--data", data, "--json", "--report", data / "report.json").stdout)
    assert json.loads((data / "report.json").read_text()) == report
    counts = {name: report["ocr"][name] for name in ("done", "failed", "absent", "waiting")}
    assert counts == {"done": 1, "failed": 1, "absent": 0, "waiting": 0}
    assert [failure["video_id"] for failure in report["ocr"]["failures"]] == ["10002"]
    assert report["ocr"]["seconds"] > 0
    status = json.loads(run("status", "--data", data, "--json", "--failures").stdout)
    assert status["videos"] == 3
    assert [line["video_id"] for line in status["failures"]] == ["10002", "10003"]
    assert json.loads(run("retry", "--data", data, "--json", "--stage", "transcribe").stdout) == {"due": 1}


def test_a_run_that_is_stopped_reports_what_it_did(data: Path) -> None:
    done = run("run", "--data", data, "--ocr-languages", "xxx", "--report", data / "report.json")
    assert done.returncode == 1 and "tesseract-ocr-xxx" in done.stderr
    report = json.loads((data / "report.json").read_text())
    assert list(report) == ["download", "ocr"]
    assert report["ocr"]["done"] == 0
    done = run("ocr", "--data", data, "--report", data / "no" / "report.json")
    assert done.returncode == 2 and "there is no folder" in done.stderr
    rows = [line.split() for line in run("status", "--data", data).stdout.splitlines()]
    assert ["ocr", "2", "0", "0", "1"] in rows


def test_status_shows_folders_stages_and_errors(data: Path) -> None:
    shown = run("status", "--data", data, "--indexes", "elsewhere", "--failures").stdout
    assert f"data:    {data}" in shown and "elsewhere" in shown
    assert "3 videos" in shown
    assert "the file breaks off" in shown


def test_retry_takes_ids_and_errors(data: Path) -> None:
    assert "0 due again" in run("retry", "--data", data, "10001").stdout
    assert "0 due again" in run("retry", "--data", data, "--error", "no such").stdout
    assert "1 due again" in run("retry", "--data", data, "--error", "breaks off", "10003").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["status"], "no catalog in"),
        (["import", "no-such-file.json"], "no-such-file.json"),
        (["run"], "no catalog in"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = run(*arguments, "--data", tmp_path / "empty")
    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_damaged_catalog_is_one_line_and_exit_code_1(data: Path) -> None:
    catalog = data / "catalog.sqlite"
    content = catalog.read_bytes()
    catalog.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))  # the page with the tables' names stays
    done = run("status", "--data", data)
    assert done.returncode == 1
    assert "malformed" in done.stderr and len(done.stderr.splitlines()) == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_batch_is_imported_once(tmp_path: Path) -> None:
    batch = tmp_path / "batch.json"
    batch.write_text(json.dumps([{"id": "7123456789012345678", "description": "a cat", "comments": []}]))
    first = json.loads(run("import", batch, "--data", tmp_path / "data", "--json").stdout)
    again = json.loads(run("import", batch, "--data", tmp_path / "data", "--json").stdout)
    assert (first["new"], again["new"], again["unchanged"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("content", "new", "code"),
    [
        ('[{"id": "7123456789012345678"}]', 1, 0),
        ('[{"id": "7123456789012345678"}, {"id": "none"}]', 1, 1),
        ('[{"id": "none"}]', 0, 1),
        ("[]", 0, 1),
    ],
)
def test_an_import_with_problems_or_without_records_is_exit_code_1(
    tmp_path: Path, content: str, new: int, code: int
) -> None:
    batch = tmp_path / "batch.json"
    batch.write_text(content)
    done = run("import", batch, "--data", tmp_path / "data")
    assert done.returncode == code
    assert done.stdout.startswith(f"{new} new, ")
    assert done.returncode == 0 or done.stderr, "a failure has a reason"


def test_a_rejected_import_creates_no_catalog(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("no records here")
    for source in ("notes.md", "nowhere.json"):
        done = run("import", tmp_path / source, "--data", tmp_path / "data")
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "data").exists()


def check_all_the_way(source: Path, tmp_path: Path, exit_code: int = 0) -> None:
    whisper = media_samples.tiny_whisper(tmp_path / "whisper")
    data = tmp_path / "data"
    assert run("import", source, "--data", data).returncode == 0
    done = run("run", "--data", data, "--whisper", whisper, "--frames", "2", "--quiet")
    assert done.returncode == exit_code, done.stderr
    assert done.stderr == ""
    with Catalog(data) as catalog:
        [video_id] = catalog.ids()
        entry = catalog.get(video_id)
    assert entry
    assert {kind: text.text is not None for kind, text in entry.texts.items()} == {"cover": True, "transcript": True}


def test_a_sample_video_goes_all_the_way_to_texts(sample_corpus: Path, tmp_path: Path) -> None:
    study, id_ = tmp_path / "study", "9000000000000000027"
    for file in (f"coverphotos/{id_}.jpg", f"videos/{id_}.mp4"):
        (study / file).parent.mkdir(parents=True)
        shutil.copy(sample_corpus / file, study / file)
    batches = sorted((sample_corpus / "info").glob("*.json"))
    records = [record for batch in batches for record in json.loads(batch.read_text(encoding="utf-8"))]
    (study / "info").mkdir()
    (study / "info" / "batch_1.json").write_text(json.dumps([one for one in records if one["id"] == id_]))
    check_all_the_way(study, tmp_path)


@pytest.mark.research_data("a page as the site served it, with its video")
def test_a_real_page_goes_all_the_way_to_texts(shared_data: Path, tmp_path: Path) -> None:
    check_all_the_way(shared_data / "one_video" / "page.html", tmp_path, exit_code=1)  # the cover's link is dead
