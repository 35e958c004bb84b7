"""Read pages with the real yt-dlp, from a simulated site behind a proxy on loopback."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scraper import refresh
from scraper.download import FAILURES, DownloadError
from scraper.refresh import Page, RefreshError, page
from tests.scraper.faulty_answers import PROMPT_S, Talk
from tests.scraper.faulty_server import FaultyServer
from tests.scraper.stand_in import COVER, ID, ITEM, PATH, PLAY, TRACK, Proxy, html


def serve(talk: Talk, body: bytes, status: str = "200 OK", **headers: object) -> None:
    talk.whole(body, status, Content_Type="text/html", **headers)


@pytest.fixture(scope="module")
def site() -> Iterator[FaultyServer]:
    with FaultyServer() as faulty:
        yield faulty


@pytest.fixture
def proxy(site: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    made = Proxy(site.port)
    monkeypatch.setenv("https_proxy", made.link)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.authority))
    monkeypatch.delenv("no_proxy", raising=False)
    site.answers[PATH] = lambda t: serve(t, html())
    site.asked.clear()
    yield made
    made.close()


def code(username: str = "ada.l_1", **more: Any) -> str:
    with pytest.raises(DownloadError) as raised:
        page(ID, username, **more)
    assert raised.value.sentence.startswith(FAILURES[raised.value.code])
    assert ID not in str(raised.value)
    assert not raised.value.dead
    return raised.value.code


def test_a_page_gives_fresh_links_captions_and_counts(proxy: Proxy) -> None:
    info = page(ID, "ada.l_1").info
    assert info["description"] == ITEM["desc"]
    assert info["like_count"] == 20200
    assert [form["url"] for form in info["formats"]] == [PLAY]
    assert [track["url"] for track in info["subtitles"]["eng-US"]] == [TRACK]
    assert [cover["url"] for cover in info["thumbnails"]] == [COVER]
    assert set(proxy.asked) == {"www.tiktok.com:443"}  # only the page is requested


def test_the_page_is_requested_by_id_whatever_the_username(proxy: Proxy, site: FaultyServer) -> None:
    site.answers[f"/@_/video/{ID}"] = site.answers[PATH]
    for username in ("../../evil", "\u0430da"):
        assert page(ID, username).info["id"] == ID
    assert {asked.path for asked in site.asked} == {f"/@_/video/{ID}"}


@pytest.mark.parametrize("video_id", ["", "1234", "--exec=x", "1" * 26, "12345\n", "\u0661\u0662\u0663\u0664\u0665"])
def test_an_invalid_id_is_not_requested(proxy: Proxy, video_id: str) -> None:
    with pytest.raises(RefreshError, match="malformed"):
        page(video_id, "ada")
    assert proxy.asked == []


def test_headers_and_cookies_of_the_page_go_with_its_links_to_their_own_hosts_only(
    proxy: Proxy, site: FaultyServer
) -> None:
    cookie = "tt_chain_token=a/b==; Domain=.tiktok.com; Path=/; Secure"
    site.answers[PATH] = lambda t: serve(t, html(), Set_Cookie=cookie)
    asked = page(ID, "ada.l_1")
    played = asked.headers(PLAY)
    assert played["Referer"] == f"https://www.tiktok.com{PATH}"
    assert played["Cookie"].replace('"', "") == "tt_chain_token=a/b=="
    assert "User-Agent" in played
    assert "Cookie" in asked.headers(TRACK)
    for elsewhere in (
        COVER,
        PLAY.replace("https:", "http:"),
        "https://eviltiktok.com/",
        "https://tiktok.com.evil.example/",
    ):
        assert "Cookie" not in asked.headers(elsewhere)
        assert asked.headers(elsewhere)["Referer"] == f"https://www.tiktok.com{PATH}"


def test_cookies_are_limited_to_their_paths_and_invalid_ones_left_out() -> None:
    cookies = 'a=1; Domain=cdn.example; Path=/video; b=2; Domain=cdn.example; Path=/; c="x y"; Domain=; Path=/'
    forms = [
        {"url": "https://cdn.example/video/1", "cookies": cookies, "http_headers": {"Cookie": "d=4"}},
        {"cookies": 5},
    ]
    made = Page({"formats": [*forms, "odd"], "thumbnails": None, "http_headers": []})
    assert made.headers("https://cdn.example/video/1") == {"Cookie": "a=1; b=2"}
    assert made.headers("https://cdn.example/videos") == {"Cookie": "b=2"}
    assert made.headers("https://sub.cdn.example/video/1") == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (html(10216, {}), "private"),
        (html(10222, {}), "private"),
        (html(10204, {}), "blocked"),
        (html(10215, {}), "removed"),
        (html(0, {"isContentClassified": True}), "login"),
        (html(0, None), "page"),
        (html(0, []), "page"),
        (b"<html>Please wait...</html>", "page"),
        (b"\xff\x00 garbage <script" * 999, "page"),
        (b"", "page"),
    ],
)
def test_a_page_without_video_data_has_the_code_of_its_reason(
    proxy: Proxy, site: FaultyServer, body: bytes, expected: str
) -> None:
    site.answers[PATH] = lambda t: serve(t, body)
    assert code() == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("404 Not ParsedRecord", "removed"),
        ("403 Forbidden", "blocked"),
        ("429 Too Many", "busy"),
        ("503 Busy", "server"),
    ],
)
def test_an_answer_that_is_not_a_page_has_the_code_of_its_reason(
    proxy: Proxy, site: FaultyServer, status: str, expected: str
) -> None:
    site.answers[PATH] = lambda t: serve(t, b"no", status)
    assert code() == expected


def test_a_login_wall_has_its_code(proxy: Proxy, site: FaultyServer) -> None:
    site.answers[PATH] = lambda t: t.moved("/login")
    site.answers["/login"] = lambda t: serve(t, b"log in")
    assert code() == "login"


def test_a_certificate_of_an_unknown_authority_is_refused(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert code() == "certificate"


def test_an_unreachable_site_has_its_code(proxy: Proxy) -> None:
    proxy.close()
    assert code() in ("proxy", "unreachable")


def test_an_endless_page_ends_at_the_memory_limit(
    proxy: Proxy, site: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "MEMORY_BYTES", 600 << 20)
    monkeypatch.setattr(refresh, "LIMIT_S", 20.0)
    site.answers[PATH] = lambda t: t.head(Content_Type="text/html").pour(b"<p>more</p>" * 9999)
    assert code() in ("page", "deadline")


def test_a_page_with_too_much_output_is_refused(
    proxy: Proxy, site: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "OUTPUT_BYTES", 100_000)
    site.answers[PATH] = lambda t: serve(t, html(0, ITEM | {"desc": "x" * 1_000_000}))
    assert code() in ("large", "page")


def hanging(site: FaultyServer) -> None:
    site.answers[PATH] = lambda t: t.hang()


def test_a_hanging_page_times_out(proxy: Proxy, site: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "LIMIT_S", 2.0)
    hanging(site)
    before = time.monotonic()
    assert code() == "deadline"
    assert time.monotonic() - before < PROMPT_S


def test_a_hanging_page_does_not_delay_the_end_of_a_run(proxy: Proxy, site: FaultyServer) -> None:
    hanging(site)
    stopped = threading.Event()
    threading.Timer(1.0, stopped.set).start()
    before = time.monotonic()
    assert code(cancelled=stopped) == "stopped"
    assert time.monotonic() - before < PROMPT_S


def test_no_files_are_left_and_no_configuration_is_read(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for folder in (home / ".config" / "yt-dlp", scratch):
        folder.mkdir(parents=True)
    config = f"--print-to-file video:%(id)s {tmp_path / 'config_was_read'}\n"
    (home / ".config" / "yt-dlp" / "config").write_text(config)
    before = sorted(home.rglob("*"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.chdir(home)
    assert page(ID, "ada.l_1").info["id"] == ID
    assert sorted(home.rglob("*")) == before
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "config_was_read").exists()


def test_without_yt_dlp_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refresh.available()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not refresh.available()
    assert "pip install" in FAILURES[code()]
