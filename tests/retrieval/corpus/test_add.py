"""`add` takes files and links to videos that can be found, and says what became of each."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from ingest.catalog import Catalog
from ingest.progress import Progress
from ingest.settings import Settings
from ingest.stages.stage_run import StageReport
from retrieval.corpus import add, short_links
from retrieval.corpus.add import UNFINISHED, Adding, Encoding, Given, Options, only_add
from retrieval.corpus.add_report import AddReport, indexed_ids
from scraper import refresh
from scraper.errors import Locked
from tests.command_line import ENTRY_POINT, REPOSITORY, environment, run
from tests.ingest import media_samples
from tests.retrieval.fake_encoder import FakeEncoder
from tests.scraper.stand_in import StandIn, html

Add = Callable[..., AddReport]


@pytest.fixture(scope="module")
def sites() -> Iterator[StandIn]:
    with StandIn(good=3, gone=1, private=1) as made:
        yield made


@pytest.fixture
def site(sites: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    for name, value in sites.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(short_links, "PAUSE_S", 0.0)
    sites.forget()
    return sites


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights: the videos of the stand-in are silent."""
    return media_samples.tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture
def adding(tmp_path: Path, whisper: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Add paths and links with a tiny encoder and a tiny Whisper."""
    monkeypatch.setattr(add, "GROWS_S", 0.05)

    def once(*given: Path | str, weights: Path = whisper, **options: Any) -> AddReport:
        limit = options.pop("fetch_limit", 3_000)
        data, indexes = tmp_path / "data", tmp_path / "indexes"
        settings = Settings(data=data, indexes=indexes, whisper=str(weights), fetch_limit=limit)
        sources = Given([one for one in given if isinstance(one, Path)], [one for one in given if isinstance(one, str)])
        with only_add(settings.data), Catalog(settings.data, create=True) as catalog, Progress("import", None) as shown:
            return Adding(
                catalog, settings, Encoding(["fake"], lambda: [FakeEncoder()]), Options(**options), shown
            ).run(sources)

    return once


def written(path: Path, *links: str) -> Path:
    path.write_text("\n".join(links) + "\n")
    return path


# -- without the site ---------------------------------------------------------------------------------------------


def test_what_has_a_description_is_searchable_at_once(tmp_path: Path) -> None:
    records = tmp_path / "mine.jsonl"
    records.write_text('{"id": "7000000000000000001", "description": "goldfish plays football"}\n')
    folders = ("--data", tmp_path / "data", "--indexes", tmp_path / "indexes")
    added = run("add", records, *folders, "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["searchable"] == 1
    again = run("add", records, *folders)
    assert (again.returncode, again.stdout) == (0, "1 video: 1 searchable\n")


def test_a_missing_tool_is_one_error_and_metadata_is_searchable_all_the_same(
    adding: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "available", lambda: False)
    records = [
        {
            "id": f"700000000000000000{n}",
            "description": "a kettle",
            "permalink": f"https://www.tiktok.com/@a/video/7{n:018}",
        }
        for n in range(3)
    ]
    source = tmp_path / "records.json"
    source.write_text(json.dumps(records))
    report = adding(source, weights=tmp_path / "no weights")
    assert report.stopped.startswith("yt-dlp is not installed") and "no weights" in report.stopped
    assert (report.searchable, report.new_failures, report.failures, report.complete) == (3, set(), [], False)


def test_a_file_that_cannot_be_read_is_new_once(adding: Add, tmp_path: Path) -> None:
    source = tmp_path / "folder"
    source.mkdir()
    (source / "good.jsonl").write_text('{"id": "70001", "description": "a"}\n')
    (source / "bad.json").write_text('{"id": ')
    first, second = adding(source), adding(source)
    assert (first.new_problems, first.complete) == (1, False)
    assert (second.new_problems, second.complete, len(second.problems)) == (0, True, 1)
    assert second.summary() == "1 video: 1 searchable, 1 file unreadable; see `tiktok-retrieval status --failures`"
    assert "bad.json" in run("status", "--failures", "--data", tmp_path / "data").stdout
    (source / "bad.json").unlink()
    assert adding(source).problems == []
    assert "bad.json" not in run("status", "--failures", "--data", tmp_path / "data").stdout


def test_a_file_that_is_still_being_written_is_left_for_later(adding: Add, tmp_path: Path) -> None:
    source = tmp_path / "folder"
    source.mkdir()
    (source / "video.mp4").write_bytes(b"half")
    (source / "mine.jsonl").write_text('{"id": "70001", "video_file": "video.mp4"}\n{"id": "70002"}\n')
    writing = threading.Event()

    def write() -> None:
        with (source / "video.mp4").open("ab") as file:
            while not writing.wait(0.01):
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    report = adding(source)
    writing.set()
    writer.join()
    assert report.videos == 1
    assert [problem.reason for problem in report.problems] == [
        "is still being written: add it again when it is complete"
    ]


def test_watching_adds_what_appears_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folders = ["--data", str(tmp_path / "data"), "--indexes", str(tmp_path / "indexes")]
    command = [*ENTRY_POINT, "add", str(folder), "--watch", *folders]
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell makes background processes ignore it
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment(), stdout=PIPE, stderr=PIPE, text=True, preexec_fn=listen
    ) as watching:
        assert watching.stdout and watching.stderr
        assert watching.stderr.readline() == "Watching for new files; Ctrl-C ends it.\n"
        (folder / "a.jsonl").write_text('{"id": "70001"}\n')
        assert watching.stdout.readline().startswith("1 video: 0 searchable")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with only_add(tmp_path / "data"):
        with pytest.raises(Locked), only_add(tmp_path / "data"):
            pass
        locked = run("add", written(tmp_path / "a.jsonl", '{"id": "70001"}'), "--data", tmp_path / "data")
    assert locked.returncode == 3
    assert "another `add` is running" in locked.stderr


def test_beyond_the_limit_nothing_is_fetched_without_asking(
    adding: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def run_stage(catalog: Catalog, stage: str, *_: object, ids: list[str], **__: object) -> StageReport:
        fetched.extend(ids if stage == "download" else ())
        return StageReport("download")

    monkeypatch.setattr(add, "run_stage", run_stage)
    monkeypatch.setattr(add, "check_tools", lambda stages, settings: None)
    ids = [f"730000000000000000{n}" for n in range(5)]
    source = written(tmp_path / "l.txt", *(f"https://www.tiktok.com/@a/video/{one}" for one in ids))
    assert adding(source, fetch_limit=2).due == 5 and len(fetched) == 2
    adding(source, fetch=False)
    assert len(fetched) == 2
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    adding(source, fetch_limit=2, ask=refuse)
    assert len(fetched) == 4 and asked[0].startswith("5 videos to fetch (15 MB): about ")
    adding(source, fetch_limit=2, ask=lambda question: True)
    adding(source, fetch_limit=2, fetch_all=True)
    assert len(fetched) == 14


# -- with a stand-in of the site ----------------------------------------------------------------------------------


def test_an_export_is_fetched_once_and_what_is_gone_is_named(site: StandIn, adding: Add, tmp_path: Path) -> None:
    source = tmp_path / "export.json"
    source.write_text(json.dumps(site.export()))
    first = adding(source)
    assert (first.videos, first.searchable, first.gone, first.failed, first.due) == (5, 3, 2, 0, 0)
    assert not first.complete
    assert {line["video_id"] for line in first.failures} == {*site.gone, *site.private} == first.new_failures
    assert all(line["link"] and line["stage"] == "download" for line in first.failures)
    assert indexed_ids(tmp_path / "indexes") == set(site.good)
    assert site.ids[0] in site.pages[:2], "the favorite comes first; two pages are read at once"
    assert sorted(site.pages) == site.ids
    site.forget()
    second = adding(source)
    assert second.complete and site.asked == []
    assert (
        first.summary()
        == second.summary()
        == ("5 videos: 3 searchable, 2 gone from the site; see `tiktok-retrieval status --failures`")
    )
    (tmp_path / "data" / UNFINISHED).touch()  # as if the first had been killed before it could say what failed
    third, fourth = adding(source), adding(source)
    assert third.new_failures == first.new_failures and not third.complete and fourth.complete


def test_short_links_are_followed_once_and_only_to_the_site(site: StandIn, adding: Add, tmp_path: Path) -> None:
    known, elsewhere = site.short_link(site.good[0]), "https://vm.tiktok.com/Zelsewhere/"
    site.answer("/Zelsewhere/", lambda talk: talk.moved("https://evil.example/@a/video/7300000000000000000"))
    site.answer("/Zgone/", lambda talk: talk.whole(b"", "404 Not Found"))
    report = adding(written(tmp_path / "chat.txt", f"look: {known}", elsewhere), "vt.tiktok.com/Zgone", known)
    assert (report.videos, report.searchable) == (1, 1)
    assert len(report.problems) == 2 and not report.complete
    assert sorted(path for path in site.asked if path.startswith("/Z")) == sorted(
        [f"/Z{site.good[0][-8:]}/", "/Zelsewhere/", "/Zgone/"]
    )
    site.forget()
    adding(known, elsewhere)
    assert site.asked == [], "the target of a short link is kept"


def test_a_site_that_refuses_stops_the_run_and_nothing_has_failed(
    site: StandIn, adding: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"740000000000000000{n}" for n in range(5)]
    for one in ids:
        site.page(one, lambda talk: talk.whole(html(10204, {})))
    report = adding(written(tmp_path / "l.txt", *(f"https://www.tiktok.com/@_/video/{one}" for one in ids)))
    assert report.stopped.startswith("the site blocks this computer or network (3 times in a row)")
    assert (report.due, report.failures, report.new_failures, report.complete) == (5, [], set(), False)


@pytest.mark.heavy
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("form", ["json", "txt"])
def test_an_export_is_finished_after_a_kill_and_nothing_is_fetched_twice(
    tmp_path: Path, whisper: Path, form: str
) -> None:
    size = int(os.environ.get("ADD_LINKS", "60"))  # 400 for the whole of it: 20 minutes
    gone, private = size * 30 // 400, size * 10 // 400
    with StandIn(size - gone - private, gone, private) as site:
        source = tmp_path / f"export.{form}"
        source.write_text(json.dumps(site.export()) if form == "json" else site.export_text())
        folders = ["--data", str(tmp_path / "data"), "--indexes", str(tmp_path / "indexes"), "--whisper", str(whisper)]
        command = [*ENTRY_POINT, "add", str(source), *folders, "--json", "--progress", "json"]
        with subprocess.Popen(
            command, cwd=REPOSITORY, env=environment(site.environment), stderr=subprocess.PIPE
        ) as one:
            while len(site.pages) < size * 2 // 3:
                time.sleep(0.2)
            one.send_signal(signal.SIGKILL)
        with Catalog(tmp_path / "data") as catalog:
            finished = set(site.ids).difference(catalog.ledger.due("download"))
        assert size // 3 < len(finished) < size
        site.forget()
        ended = run("add", source, *folders, "--json", env=site.environment, timeout_s=1_800)
        assert ended.returncode == 1, ended.stderr
        assert finished.isdisjoint(site.pages)
        assert len(site.pages) - len(set(site.pages)) <= 2, (
            "two pages may still have been read when the first was killed"
        )
        report = json.loads(ended.stdout)
        assert (report["videos"], report["searchable"], report["gone"]) == (size, len(site.good), gone + private)
        assert {line["video_id"] for line in report["failures"]} == {*site.gone, *site.private}
        site.forget()
        again = run("add", source, *folders, env=site.environment)
        assert again.returncode == 0 and site.asked == []
        assert again.stdout.startswith(
            f"{size} videos: {len(site.good)} searchable, {gone + private} gone from the site"
        )
        listed = run("status", "--failures", *folders[:4]).stdout
        assert all(f"{one}" in listed for one in (*site.gone, *site.private))
