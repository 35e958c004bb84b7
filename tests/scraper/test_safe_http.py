"""Names -> checked addresses -> connections that can be cut, in a simulated internet on loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scraper import addresses, download, safe_http, watch
from scraper.addresses import is_allowed
from scraper.download import DownloadError, Fetcher, Rules
from scraper.watch import Watch
from tests.scraper.faulty_answers import PROMPT_S, picture
from tests.scraper.faulty_server import FaultyServer

PUBLIC, OTHER, INTERNAL = "93.184.216.34", "93.184.216.35", "10.0.0.1"
COVER = "https://v16.tiktokcdn.com/cover"
Names = dict[str, Callable[[], list[str]]]


def code(folder: Path, link: str = COVER, rules: Rules | None = None) -> str:
    with pytest.raises(DownloadError) as raised:
        Fetcher(rules or Rules()).fetch([link], folder / "cover", "cover")
    return raised.value.code


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("::10.0.0.1", False),
        ("::93.184.216.34", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::93.184.216.34", True),
        ("2002:a00:1::", False),  # 6to4 of 10.0.0.1
        ("2002:5db8:d822::", True),
    ],
)
def test_an_ipv6_address_is_checked_by_the_ipv4_address_in_it(address: str, public: bool) -> None:
    assert is_allowed(address, local=False) is public


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
    ],
)
def test_link_local_addresses_are_refused_even_if_local_ones_are_allowed(address: str, asked: bool) -> None:
    assert is_allowed(address, local=True) is asked


def test_the_checked_address_is_the_connected_one(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[PUBLIC], [INTERNAL], [INTERNAL]])  # a name server that tries to lead into the local network
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: next(answers)})
    assert Fetcher().fetch([COVER], tmp_path / "cover", "cover").path.read_bytes() == picture()
    assert server.dialled == [PUBLIC]
    assert server.asked[0].headers["host"] == "v16.tiktokcdn.com"
    assert code(tmp_path) == "address"
    assert server.dialled == [PUBLIC]


@pytest.mark.parametrize("answer", [[INTERNAL], [PUBLIC, INTERNAL], ["127.0.0.1"], ["169.254.169.254"], ["0.0.0.0"]])
def test_one_local_address_among_several_is_refused(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: answer})
    assert code(tmp_path) == "address"
    assert server.dialled == []


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://inside.tiktok.com/", "address"),
        ("http://v16.tiktokcdn.com/cover", "scheme"),
        ("https://127.0.0.1/", "host"),
        ("//localhost/", "host"),
        ("https://169.254.169.254/", "host"),
        ("https://nowhere.tiktok.com/", "dns"),
        ("https://cdn.example/", "host"),
    ],
)
def test_every_redirect_is_checked_like_a_link(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, expected: str
) -> None:
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: [PUBLIC], "inside.tiktok.com": lambda: ["127.0.0.1"]})
    server.answers["/away"] = lambda t: t.moved(location)
    assert code(tmp_path, "https://v16.tiktokcdn.com/away") == expected
    assert server.dialled == [PUBLIC]
    assert len(server.asked) == 1


def test_the_next_address_is_tried_if_one_does_not_answer(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: [OTHER, PUBLIC]})
    reached = safe_http.dial

    def dial(connecting: socket.socket, address: tuple[Any, ...]) -> None:
        if address[0] == OTHER:
            raise ConnectionRefusedError
        reached(connecting, address)

    monkeypatch.setattr(safe_http, "dial", dial)
    assert Fetcher().fetch([COVER], tmp_path / "cover", "cover").path.is_file()
    assert server.dialled == [PUBLIC]


def test_a_retry_asks_another_edge_server(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.internet(monkeypatch, {"v16.tiktokcdn.com": lambda: [PUBLIC, OTHER]})
    assert Fetcher().fetch(["https://v16.tiktokcdn.com/reset-at-first"], tmp_path / "cover", "cover").path.is_file()
    assert server.dialled == [PUBLIC, OTHER]


def slow_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, port: int) -> list[addresses.Address]:
        time.sleep(20)
        return []

    monkeypatch.setattr(addresses, "lookup", lookup)


def test_a_silent_name_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_names(monkeypatch)
    monkeypatch.setattr(watch, "RESOLVE_S", 0.3)
    before = time.monotonic()
    assert code(tmp_path) == "dns"
    assert time.monotonic() - before < PROMPT_S


def test_a_slow_name_server_ends_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_names(monkeypatch)
    monkeypatch.setitem(download.DEADLINE_S, "cover", 0.3)
    before = time.monotonic()
    assert code(tmp_path) == "deadline"
    assert time.monotonic() - before < PROMPT_S


def test_an_invalid_host_name_is_malformed(tmp_path: Path) -> None:
    for host in ("a" * 70 + ".tiktok.com", "a..tiktok.com"):
        assert code(tmp_path, f"https://{host}/cover") == "malformed"


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose queue is full: connecting to it neither comes about nor fails."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        waiting = []
        for _ in range(8):
            connecting = socket.socket()
            connecting.setblocking(False)
            connecting.connect_ex(("127.0.0.1", port))
            waiting.append(connecting)
        time.sleep(0.1)
        yield port
        for connecting in waiting:
            connecting.close()


LOCAL = Rules(hosts=("127.0.0.1",), local=True)


def test_a_connection_that_is_not_made_times_out(deaf: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_http, "CONNECT_S", 0.2)
    monkeypatch.setattr(safe_http, "BACKOFF_S", 0.01)
    assert code(tmp_path, f"https://127.0.0.1:{deaf}/cover", LOCAL) == "timeout"


def test_connecting_ends_at_the_deadline_and_when_the_run_is_stopped(
    deaf: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(download.DEADLINE_S, "cover", 0.5)
    before = time.monotonic()
    assert code(tmp_path, f"https://127.0.0.1:{deaf}/cover", LOCAL) == "deadline"
    monkeypatch.setitem(download.DEADLINE_S, "cover", 60)
    stopped = threading.Event()
    threading.Timer(0.5, stopped.set).start()
    with pytest.raises(DownloadError, match="stopped"):
        Fetcher(LOCAL, stopped).fetch([f"https://127.0.0.1:{deaf}/cover"], tmp_path / "cover", "cover")
    assert time.monotonic() - before < PROMPT_S


def test_a_watch_leaves_no_thread_and_no_socket_behind(server: FaultyServer, tmp_path: Path) -> None:
    fetcher = Fetcher(server.rules)
    fetcher.fetch([server.https("/cover")], tmp_path / "cover", "cover")
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system does not list the handles of a process")
    before = len(list(handles.iterdir()))
    for _ in range(20):
        fetcher.fetch([server.https("/cover")], tmp_path / "cover", "cover")
    time.sleep(0.2)  # their server side
    assert len(list(handles.iterdir())) <= before + 2
    assert not [thread for thread in threading.enumerate() if "_look" in thread.name]


def test_waiting_for_a_slot_does_not_count_as_time() -> None:
    place = threading.Semaphore(1)
    place.acquire()
    threading.Timer(1.2, place.release).start()
    with Watch(1.0, threading.Event()) as watch:
        with watch.holding(place):
            watch.check()
        time.sleep(1.1)
        with pytest.raises(DownloadError, match="deadline"):
            watch.check()


def test_an_unreadable_certificate_bundle_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match=r"none\.pem.*REQUESTS_CA_BUNDLE"):
        Fetcher().fetch([COVER], tmp_path / "cover", "cover")
