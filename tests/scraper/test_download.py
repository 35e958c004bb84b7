"""Links -> files, against a real web server on this computer with correct and faulty answers."""

import re
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scraper import download, failures
from scraper.download import FAILURES, DownloadError, Fetcher
from tests.scraper.faulty_answers import GOOD, PROMPT_S, RECOVERING, picture
from tests.scraper.faulty_server import FAULTS, QUICK_S, FaultyServer, quick
from tests.scraper.fetching import code, get

# -- what is as it should be ---------------------------------------------------------------------------------------

KINDS = [(kind, path) for kind, paths in GOOD.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), KINDS, ids=[path for _, path in KINDS])
def test_a_file_arrives_complete_with_the_suffix_of_its_content(
    server: FaultyServer, tmp_path: Path, kind: download.MediaKind, path: str
) -> None:
    fetched = Fetcher(server.rules).fetch([server.https(path)], tmp_path / kind, kind)
    usual = {"cover": ".jpg", "slide": ".webp", "video": ".mp4", "caption": ".vtt"}[kind]
    named = {"/misnamed.jpg": ".mp4", "/without-a-length": ".jpg"}.get(path) or Path(path).suffix or usual
    assert [entry.name for entry in tmp_path.iterdir()] == [kind + named]
    assert fetched.path == tmp_path / (kind + named)
    assert fetched.path.stat().st_size == fetched.bytes > 40
    assert fetched.link == server.https(path)
    if named == ".jpg":
        assert fetched.path.read_bytes() == picture()


@pytest.mark.parametrize("path", RECOVERING)
def test_temporary_trouble_is_retried(server: FaultyServer, tmp_path: Path, path: str) -> None:
    before = time.monotonic()
    assert get(server, tmp_path / "cover", path).read_bytes() == picture()
    assert server.counts[path] > 1
    took_s = time.monotonic() - before
    assert took_s >= 1 if path == "/busy-for-a-second" else took_s < PROMPT_S


def test_another_edge_server_may_have_the_right_certificate(server: FaultyServer, tmp_path: Path) -> None:
    assert get(server, tmp_path / "cover", "/edge").read_bytes() == picture()
    assert server.edges == 2


def test_the_next_link_is_tried_and_the_first_reason_reported(server: FaultyServer, tmp_path: Path) -> None:
    links = [server.https("/403"), server.https("/cover")]
    assert Fetcher(server.rules).fetch(links, tmp_path / "cover", "cover").link == links[1]
    assert code(server, tmp_path, links[0], "blob:x") == "forbidden"
    assert code(server, tmp_path) == "nolink"


def test_an_older_file_with_another_suffix_is_removed(server: FaultyServer, tmp_path: Path) -> None:
    for name in ("cover.jpg", "cover_02.jpg", "covers.jpg"):
        (tmp_path / name).write_bytes(b"older")
    get(server, tmp_path / "cover", "/cover.webp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cover.webp", "cover_02.jpg", "covers.jpg"]


def test_a_link_that_has_not_expired_is_requested(server: FaultyServer, tmp_path: Path) -> None:
    later = int(time.time()) + 3600
    assert get(server, tmp_path / "cover", f"/cover?x-expires={later}").is_file()
    assert get(server, tmp_path / "cover", f"/{'a' * 32}/{later:08x}/cover").is_file()
    assert get(server, tmp_path / "cover", "/cover?expires=soon").is_file()


@pytest.mark.parametrize("length", [b"\xb2", b"9" * 5000])
def test_an_invalid_content_length_is_ignored(server: FaultyServer, tmp_path: Path, length: bytes) -> None:
    server.answers["/odd"] = lambda t: t.send(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + picture())
    assert get(server, tmp_path / "cover", "/odd").read_bytes() == picture()


# -- what is not ---------------------------------------------------------------------------------------------------


Outcome = tuple[DownloadError | None, float, list[Path]]  # code, seconds, and files that are left


@pytest.fixture(scope="module")
def outcomes(serving: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What every fault came to; several at once, for most of them only wait."""

    def outcome(path: str) -> Outcome:
        folder, before = tmp_path_factory.mktemp("fault"), time.monotonic()
        try:
            Fetcher(serving.rules).fetch([serving.https(path)], folder / "cover", "cover")
            error = None
        except DownloadError as raised:
            error = raised
        return error, time.monotonic() - before, list(folder.iterdir())

    with pytest.MonkeyPatch.context() as monkeypatch, ThreadPoolExecutor(8) as pool:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(serving.authority))
        quick(monkeypatch)
        return dict(zip(FAULTS, pool.map(outcome, FAULTS), strict=True))


@pytest.mark.parametrize(("path", "expected"), FAULTS.items(), ids=[path[1:] for path in FAULTS])
def test_each_fault_gives_its_code_in_time_and_leaves_no_file(
    outcomes: dict[str, Outcome], path: str, expected: str
) -> None:
    error, took_s, left = outcomes[path]
    assert error
    assert error.code == expected
    assert error.sentence == FAILURES[expected]
    assert str(error) == f"{expected}: {FAILURES[expected]}"
    assert took_s < QUICK_S + PROMPT_S
    assert left == []


def test_failure_sentences_contain_no_details_of_a_case() -> None:
    assert set(FAULTS.values()) <= set(FAILURES)
    assert set(FAILURES) >= failures.DEAD
    for name, sentence in FAILURES.items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert not re.search(r"[0-9{}%]|://", sentence)


def test_an_expired_link_is_dead_and_a_busy_server_is_not(server: FaultyServer) -> None:
    assert DownloadError("expired").dead
    assert not DownloadError("busy").dead


@pytest.mark.parametrize("path", [path for path, expected in FAULTS.items() if expected in ("deadline", "timeout")])
def test_a_stopped_run_does_not_wait_for_servers(server: FaultyServer, tmp_path: Path, path: str) -> None:
    stopped = threading.Event()
    threading.Timer(0.3, stopped.set).start()
    before = time.monotonic()
    with pytest.raises(DownloadError, match="stopped"):
        Fetcher(server.rules, stopped).fetch([server.https(path)] * 2, tmp_path / "cover", "cover")
    assert time.monotonic() - before < PROMPT_S
    assert list(tmp_path.iterdir()) == []


def test_pauses_between_tries_end_at_the_deadline(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(download.DEADLINE_S, "cover", 0.5)
    server.answers["/later"] = lambda t: t.whole(b"", "503 Busy", Retry_After="20")
    before = time.monotonic()
    assert code(server, tmp_path, server.https("/later")) == "deadline"
    assert time.monotonic() - before < PROMPT_S


def test_a_full_disk_is_an_os_error_and_leaves_no_file(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            get(server, tmp_path / "cover", "/cover")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["cover.jpg"]
    assert (tmp_path / "cover.jpg").read_bytes() == b"older"


# -- several at once -----------------------------------------------------------------------------------------------


def test_transfers_per_host_are_limited_and_waiting_does_not_count_as_time(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/slow"] = lambda t: t.wait(0.8).whole(picture())
    monkeypatch.setitem(download.DEADLINE_S, "cover", 3)
    fetcher = Fetcher(server.rules)
    with ThreadPoolExecutor(20) as pool:
        targets = [tmp_path / f"cover_{number:02d}" for number in range(20)]
        fetched = list(pool.map(lambda target: fetcher.fetch([server.https("/slow")], target, "cover"), targets))
    assert [file.path.name for file in fetched] == [f"cover_{number:02d}.jpg" for number in range(20)]
    assert server.most_at_once == download.PER_HOST


def test_waiting_for_a_slot_ends_when_the_run_is_stopped(server: FaultyServer, tmp_path: Path) -> None:
    stopped = threading.Event()
    fetcher = Fetcher(server.rules, stopped)
    threading.Timer(0.3, stopped.set).start()

    def fetch(number: int) -> str:
        with pytest.raises(DownloadError) as raised:
            fetcher.fetch([server.https("/silent")], tmp_path / f"cover_{number}", "cover")
        return raised.value.code

    before = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fetch, range(8))) == ["stopped"] * 8
    assert time.monotonic() - before < PROMPT_S
