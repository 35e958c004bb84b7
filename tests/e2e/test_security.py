"""Hostile text, other sites, and where scripts come from."""

import urllib.error
import urllib.parse
import urllib.request
from email.message import Message

from playwright.sync_api import Page, Response, expect

from tests.e2e.actions import ask, card, visit
from tests.tiny_corpus import BREAD, HOSTILE, HOSTILE_TEXTS, NAUGHTY


def test_hostile_text_shows_as_text_and_runs_nothing(page: Page, server: str) -> None:
    visit(page, server)
    for question in ("haunted toaster", "toaster whispers", "naughty strings", "script alert", "undefined null"):
        ask(page, question)
        expect(card(page, HOSTILE)).to_contain_text(HOSTILE_TEXTS["creator_nickname"])
        expect(card(page, HOSTILE)).to_contain_text("<script>alert('description')</script>")
        page.wait_for_timeout(200)
    for video in (HOSTILE, NAUGHTY):
        visit(page, f"{server}/?q=haunted+toaster&id={video}")
        expect(page.locator("#view .comments li").first).to_be_visible()
        page.wait_for_timeout(300)
        for place in ("#results", "#view-body"):
            assert (
                page.locator(
                    f"{place} :is(script, iframe, svg, style, object, embed, form, input:not([type=search]), base)"
                ).count()
                == 0
            )
            handlers = (
                f"[...document.querySelectorAll('{place} *')]"
                ".some(e => e.getAttributeNames().some(n => n.startsWith('on')))"
            )
            assert page.evaluate(handlers) is False
    page.keyboard.press("Escape")
    link = card(page, HOSTILE).get_by_role("link", name="Open the post")
    assert link.get_attribute("rel") == "noopener noreferrer" and link.get_attribute("onclick") is None
    ask(page, "<img src=x onerror=alert(1)> {{constructor}} ${alert(1)}")
    expect(page.locator("article").first).to_be_visible()


def test_a_page_of_another_site_can_neither_read_nor_change_anything(server: str) -> None:
    def asked(path: str, body: bytes | None = None, **headers: str) -> tuple[int, Message]:
        named = {"Content-Type": "application/json", "Origin": "http://localhost:3000", **headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(server + path, body, named), timeout=30) as response:
                return response.status, response.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers

    for path in ("/page/library", "/api/health", "/", f"/media/{BREAD}/cover"):
        status, headers = asked(path)
        assert status == 200 and "Access-Control-Allow-Origin" not in headers, path
    wanted = b'{"name": "Nothing"}'
    assert asked("/page/library/jobs", wanted)[0] == 403
    assert asked("/page/library/jobs", wanted, **{"Sec-Fetch-Site": "same-origin"})[0] == 422
    assert asked("/page/library/jobs", b"x" * 100_000, Origin=server)[0] == 413


def test_the_page_asks_for_little_and_nothing_that_is_not_there(page: Page, server: str) -> None:
    answers: dict[str, int] = {}
    page.on("response", lambda response: answers.update({urllib.parse.urlsplit(response.url).path: response.status}))
    visit(page, server)
    page.wait_for_load_state("networkidle")
    assert len(answers) < 20
    for tab in ("Evaluate", "Library", "Search"):
        page.get_by_role("link", name=tab, exact=True).click()
        page.wait_for_timeout(500)
    assert {path: status for path, status in answers.items() if status >= 400} == {}


def test_script_and_style_come_from_this_server_and_the_browser_keeps_them(page: Page, server: str) -> None:
    files: dict[str, Response] = {}
    page.on("response", lambda response: files.update({response.url: response}) if "/assets/" in response.url else None)
    visit(page, server)
    assert {url.rsplit("/", 1)[1] for url in files} >= {"page.js", "page.css"}
    for response in files.values():
        headers = response.headers
        assert "immutable" in headers["cache-control"] and headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in headers["content-security-policy"]
