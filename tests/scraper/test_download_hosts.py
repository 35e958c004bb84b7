"""Who may be asked for a file, and what is sent."""

import socket
import threading
from pathlib import Path

import pytest

from scraper import download
from scraper.download import Fetcher, Link, Rules
from tests.scraper.faulty_answers import picture
from tests.scraper.faulty_server import FaultyServer
from tests.scraper.fetching import code, get


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
