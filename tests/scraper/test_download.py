"""Links -> files, against a real web server on this computer with correct and faulty answers."""

import os
import random
import re
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scraper import download, failures
from scraper.download import FAILURES, DownloadError, Fetcher, Link, Rules, sweep
from tests.scraper.faulty_answers import GOOD, PROMPT_S, RECOVERING, picture, video
from tests.scraper.faulty_server import FAULTS, QUICK_S, FaultyServer, quick


def get(server: FaultyServer, target: Path, *paths: str, kind: download.MediaKind = "cover") -> Path:
    return Fetcher(server.rules).fetch([server.https(path) for path in paths], target, kind).path


def code(server: FaultyServer, folder: Path, *links: str | Link, rules: Rules | None = None) -> str:
    """Why links failed."""
    with pytest.raises(DownloadError) as raised:
        Fetcher(rules or server.rules).fetch(links, folder / "cover", "cover")
    return raised.value.code


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


# -- who may be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "tiktok.com.evil.example",
        "eviltiktok.com",
        "tiktok.com:443@evil.example",
        "evil.example#.tiktok.com",
        "evil.example?.tiktok.com",
        "akamaized.net",
        "evil.akamaized.net",
        "com",
        "tiktok.com.",
        "ti\u212atok.example",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "93.184.216.34",
    ],
)
def test_hosts_that_are_not_on_the_list_are_refused(server: FaultyServer, tmp_path: Path, host: str) -> None:
    assert code(server, tmp_path, f"https://{host}/cover", rules=Rules()) == "host"


@pytest.mark.parametrize(
    "link",
    ["https:\\\\evil.example\\@www.tiktok.com", "https://evil.example\t.tiktok.com/", "https:///cover", "https://"],
)
def test_ambiguous_links_are_malformed(server: FaultyServer, tmp_path: Path, link: str) -> None:
    assert code(server, tmp_path, link, rules=Rules()) == "malformed"


def test_subdomains_of_allowed_hosts_are_allowed_in_any_spelling(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: ["93.184.216.34"]})
    for link in ("https://v16.tiktokcdn.com/cover", "HTTPS://V16.TikTokCDN.com/cover", "https://v16.tiktokcdn.com/ü"):
        assert Fetcher().fetch([link], tmp_path / "cover", "cover").path.read_bytes() == picture()


def test_hosts_can_be_added_and_plain_http_allowed(server: FaultyServer, tmp_path: Path) -> None:
    assert code(server, tmp_path, server.http("/cover")) == "scheme"
    wide = Rules(hosts=("*",), http=True, local=True)
    for link in (server.http("/cover"), server.https("/to-http"), server.https("/to-elsewhere")):
        assert Fetcher(wide).fetch([link], tmp_path / "cover", "cover").path.read_bytes() == picture()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_local_addresses_are_refused(server: FaultyServer, tmp_path: Path, host: str) -> None:
    rules = Rules(hosts=("*",))
    assert code(server, tmp_path, f"https://{host}:{server.port}/cover", rules=rules) == "address"
    assert server.asked == []


# -- what is sent --------------------------------------------------------------------------------------------------


def test_headers_of_the_link_are_sent_except_those_that_change_the_request(
    server: FaultyServer, tmp_path: Path
) -> None:
    sent = {"Referer": "https://www.tiktok.com/@a/video/1", "Cookie": "a=b", "user-agent": "yt-dlp"}
    changing = {"Host": "evil.example", "Range": "bytes=0-1", "Accept-Encoding": "br", "Content-Length": "5"}
    link = Link(server.https("/cover"), sent | changing)
    Fetcher(server.rules).fetch([link], tmp_path / "cover", "cover")
    headers = server.asked[-1].headers
    assert headers["host"] == f"localhost:{server.port}"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"] == "yt-dlp"
    assert (headers["referer"], headers["cookie"]) == (sent["Referer"], "a=b")
    assert "range" not in headers
    assert "content-length" not in headers


def test_cookies_stay_with_their_host_and_none_are_kept(server: FaultyServer, tmp_path: Path) -> None:
    other = server.https("/cover").replace("localhost", "127.0.0.1")
    server.answers["/away"] = lambda t: t.head("302 Found", Location=other, Set_Cookie="c=d", Content_Length=0)
    server.answers["/here"] = lambda t: t.head("302 Found", Location="/cover", Set_Cookie="c=d", Content_Length=0)
    fetcher = Fetcher(Rules(hosts=("localhost", "127.0.0.1"), local=True))
    for path in ("/away", "/here"):
        fetcher.fetch([Link(server.https(path), {"cookie": "secret=1"})], tmp_path / "cover", "cover")
    fetcher.fetch([server.https("/here")], tmp_path / "cover", "cover")
    sent = [asked.headers.get("cookie") for asked in server.asked]
    assert sent == ["secret=1", None, "secret=1", "secret=1", None, None]


def test_cookies_do_not_go_from_https_to_http(server: FaultyServer, tmp_path: Path) -> None:
    rules = Rules(hosts=("localhost",), http=True, local=True)
    Fetcher(rules).fetch([Link(server.https("/to-http"), {"Cookie": "secret=1"})], tmp_path / "cover", "cover")
    assert [asked.headers.get("cookie") for asked in server.asked] == ["secret=1", None]


@pytest.mark.parametrize("value", ["a\r\nX: y", "\u4e2d"])
def test_an_invalid_header_is_malformed(server: FaultyServer, tmp_path: Path, value: str) -> None:
    assert code(server, tmp_path, Link(server.https("/cover"), {"Referer": value})) == "malformed"


def test_passwords_in_netrc_and_links_are_sent_to_nobody(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    get(server, tmp_path / "cover", "/moved")
    link = server.https("/cover").replace("localhost", "me:secret@localhost")
    Fetcher(server.rules).fetch([link], tmp_path / "cover", "cover")
    assert len(server.asked) == 3
    assert not any("authorization" in asked.headers for asked in server.asked)


def test_the_users_proxy_is_used_and_watched(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        said: list[bytes] = []

        def silent() -> None:
            connected, _ = proxy.accept()
            with connected:
                said.append(connected.recv(65536))
                connected.recv(1)

        threading.Thread(target=silent, daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setitem(download.DEADLINE_S, "cover", 0.5)
        assert code(server, tmp_path, "https://www.tiktok.com/cover", rules=Rules()) == "deadline"
    assert said[0].startswith(b"CONNECT www.tiktok.com:443 ")


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


# -- where it is written -------------------------------------------------------------------------------------------


def test_a_symbolic_link_at_the_target_is_replaced_not_followed(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "cover.jpg").symlink_to(tmp_path / "precious")
    path = get(server, tmp_path / "cover", "/cover")
    assert not path.is_symlink()
    assert path.read_bytes() == picture()
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_folder_behind_a_symbolic_link_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "data"
    (outside / "1").mkdir(parents=True)
    (root / "media" / "1").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    (tmp_path / "data2").symlink_to(root)
    link = server.https("/cover")
    for fetcher, target in (
        (Fetcher(server.rules), root / "linked" / "cover"),
        (Fetcher(server.rules, root=root), root / "linked" / "1" / "cover"),
        (Fetcher(server.rules, root=root), root / "media" / ".." / "linked" / "cover"),
        (Fetcher(server.rules, root=root), outside / "cover"),
    ):
        with pytest.raises(DownloadError, match="target"):
            fetcher.fetch([link], target, "cover")
    assert server.asked == []
    assert list(outside.rglob("cover*")) == []
    at_home = Fetcher(server.rules, root=tmp_path / "data2")  # the data folder may be one
    assert at_home.fetch([link], tmp_path / "data2" / "media" / "1" / "cover", "cover").path.is_file()


def test_part_files_of_killed_runs_are_removed(tmp_path: Path) -> None:
    for name in (".cover.0123456789abcdef.part", "cover.jpg", ".hidden", ".frame.part"):  # the last is another stage's
        (tmp_path / name).write_bytes(b"x")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".frame.part", ".hidden", "cover.jpg"]
    sweep(tmp_path / "not there")


PIECES = [
    "..",
    "/",
    "\\",
    "%2e%2e",
    "%2f",
    "\0",
    "%00",
    "a",
    "cover",
    "~",
    "C:",
    "\u202e",
    "\U0001f4a9",
    "\ud800",
    "$(id)",
]
PIECES += [
    "x" * 300,
    " ",
    "\n",
    ".",
    "-",
    "é",
    "localhost",
    "@",
    "#",
    "?x-expires=1",
    "[::1]",
    ":80",
    "tiktok.com",
    "&",
]


def test_fuzzed_links_and_targets_write_no_file_outside_the_folder(server: FaultyServer, tmp_path: Path) -> None:
    rolled = random.Random(3)
    folder = tmp_path / "media" / "12345"
    folder.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    fetcher = Fetcher(Rules(hosts=("localhost",), local=True), root=folder)
    came = 0
    for _ in range(1000):
        made = "".join(rolled.choices(PIECES, k=rolled.randint(1, 5)))
        name = rolled.choice(["cover", "".join(rolled.choices(PIECES, k=rolled.randint(1, 4)))])
        link = rolled.choice([server.https("/" + made), f"https://{made}/cover", made, server.https("/cover")])
        try:
            path = fetcher.fetch([link], folder / name, "cover").path
            came += 1
            assert path.parent == folder
        except (DownloadError, FileNotFoundError):
            pass
    assert came > 100
    assert (tmp_path / "precious").read_text() == "precious"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == [tmp_path / "precious"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.jpg", path.name) for path in folder.iterdir())


def test_a_damaged_video_is_not_kept(server: FaultyServer, tmp_path: Path) -> None:
    server.answers["/cut-video"] = lambda t: t.head().send(video()[:-500])
    with pytest.raises(DownloadError, match="broken"):
        get(server, tmp_path / "video", "/cut-video", kind="video")
    assert list(tmp_path.iterdir()) == []
    assert server.counts["/cut-video"] == download.BROKEN_TRIES


def test_files_are_readable_by_others_and_flushed_with_their_folder(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    path = get(server, tmp_path / "cover", "/cover")
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]
    assert path.stat().st_mode & 0o444 == 0o444
