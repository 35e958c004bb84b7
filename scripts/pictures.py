"""Make the pictures in docs/images: the page and the comparison report on the sample corpus, and the browser's console.

python scripts/pictures.py                       # the page on what `make demo` made, and the console
python scripts/pictures.py --only answer
python scripts/pictures.py --only comparison --report comparison/report.html

`benchmarks/confidence.py` draws confidence.svg. Playwright and Chromium come with what `make test` installs. The
page needs fonts with emoji (Debian: fonts-noto-core, fonts-noto-color-emoji).
"""

import io
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES = REPOSITORY / "docs" / "images"
START_S = 300.0
WIDTH, HEIGHT = 1280, 860
SPEECH = "the chili prize speech of the man whose wife said no raisins"
REMARKS = (
    ("Tinker_Tom", "the sound it makes when it clicks shut", 40),
    ("Lena.Paints", "mine melted, use a cooler bulb", 34),
    ("Night.Owl", "where did you find the jar??", 28),
    ("Maker_Mo", "part two please", 22),
    ("Rosa.Builds", "I watched this four times", 16),
    ("Tinker_Tom", "my cat knocked it over in a day", 10),
)
SKY = "the kid who explains why the sky is blue"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_answered(address: str) -> None:
    """Wait until an address answers with 200."""
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        try:
            urllib.request.urlopen(address, timeout=START_S).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit(f"{address} did not answer within {START_S:.0f} s")


@contextmanager
def served(data: Path, indexes: Path) -> Iterator[str]:
    """The address of a server on a corpus; it ends with the block."""
    port = free_port()
    command = [sys.executable, "app.py", "--data", str(data), "--indexes", str(indexes), "--port", str(port)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        try:
            until_answered(f"http://127.0.0.1:{port}/api/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()  # a gentle end would wait for the connections of open pages


def ask(page: Page, server: str, question: str) -> None:
    """Open the page with a question and wait for its results and covers."""
    address = urllib.parse.urlencode({"q": question})
    urllib.request.urlopen(f"{server}/api/search?{address}").close()  # the first search of a server is slow
    page.goto(f"{server}/?{address}")
    page.wait_for_selector("#results:not([aria-busy]) article")
    page.wait_for_timeout(1500)  # covers load lazily, those in view now


def shoot(page: Page, name: str) -> None:
    """Save a picture of what is in view, with 256 colours: it is a third as large, and looks the same."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(256).save(IMAGES / name, optimize=True)


def answer(browser: Browser, server: str) -> None:
    """The page after a question."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    ask(page, server, SPEECH)
    shoot(page, "answer.png")
    page.close()


def answer_dark(browser: Browser, server: str) -> None:
    """The same in the dark theme, with the reasons of the first result."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
    ask(page, server, SKY)
    page.locator("article details.why summary").first.click()
    shoot(page, "answer-dark.png")
    page.close()


def grid(browser: Browser, server: str) -> None:
    """The same results as a grid of covers, on a phone."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    ask(page, server, SKY)
    page.locator("#look").click()
    page.locator("#q").blur()
    page.wait_for_timeout(1000)
    shoot(page, "grid.png")
    page.close()


def details(browser: Browser, server: str) -> None:
    """A video open over the results, playing from the timestamp of the match."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    ask(page, server, SPEECH)
    page.locator("article button.cover").first.click()
    page.wait_for_selector("#view[open] video")
    frames = page.locator("#view .frames img")
    while not frames.evaluate("(image) => image.naturalWidth"):  # made at the first look
        page.wait_for_timeout(100)
    page.wait_for_timeout(3000)  # it plays
    page.locator("#view video").evaluate("(video) => video.pause()")
    page.wait_for_timeout(500)
    shoot(page, "details.png")
    page.close()


def comparison(browser: Browser, report: Path) -> None:
    """The top of a comparison's report."""
    page = browser.new_page(viewport={"width": 1100, "height": 1700})
    page.goto(report.resolve().as_uri())
    shoot(page, "comparison.png")
    page.close()


def console(playwright: Playwright, chromium: str) -> None:
    """The browser's console with the script of scraper.js: its warning, and a run on a made-up site."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.scraper.pages import Clip, Remark, Site
    from tests.scraper.pages import served as site_served

    remarks = tuple(Remark(text, name, likes) for name, text, likes in REMARKS)
    text = "Lamp number {} from an old jam jar, and it is the brightest so far #diy #lamp"
    clips = [Clip(n, "lamp.workshop", "The Lamp Workshop", text.format(n), remarks=remarks) for n in range(1, 21)]
    site, port = Site(clips), free_port()
    arguments = ["--no-sandbox", f"--remote-debugging-port={port}", "--remote-allow-origins=*"]
    with site_served(site) as address:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        context = browser.new_context(viewport={"width": 1230, "height": 690})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(site.start(address))
        script = (REPOSITORY / "scraper" / "scraper.js").read_text(encoding="utf-8")
        page.evaluate("(script) => navigator.clipboard.writeText(script)", script)
        targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        target = next(one["id"] for one in targets if one["url"].startswith(address))
        tools = context.new_page()
        tools.set_viewport_size({"width": 1400, "height": 540})
        tools.goto(f"devtools://devtools/bundled/inspector.html?ws=127.0.0.1:{port}/devtools/page/{target}")
        tools.get_by_role("tab", name="Console").first.click()
        tools.mouse.move(1100, 300)  # the border between page and tools
        tools.mouse.down()
        tools.mouse.move(900, 300, steps=10)
        tools.mouse.up()
        prompt = tools.locator(".cm-content").first
        prompt.click()
        tools.keyboard.press("Control+V")
        tools.wait_for_timeout(1000)
        tools.screenshot(path=IMAGES / "scraping-paste.png", clip={"x": 901, "y": 0, "width": 499, "height": 180})
        tools.keyboard.type("allow pasting\n")
        tools.keyboard.press("Control+V")
        tools.keyboard.press("Enter")
        tools.wait_for_timeout(1000)
        tools.keyboard.type("results = await scrape_tiktoks(20)\n")
        tools.get_by_text(re.compile("^6 of 20: ")).first.wait_for()
        tools.screenshot(path=IMAGES / "scraping-run.png")
        browser.close()


OF_THE_PAGE: dict[str, Callable[[Browser, str], None]] = {
    "answer": answer,
    "answer-dark": answer_dark,
    "grid": grid,
    "details": details,
}


def main(
    data: Annotated[Path, typer.Option(help="Data folder of the sample corpus.")] = Path("data/demo"),
    indexes: Annotated[Path, typer.Option(help="Its index folder.")] = Path("indexes/demo"),
    report: Annotated[Path | None, typer.Option(help="Also picture this report of `compare`.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this picture; repeatable.")] = None,
) -> None:
    """Make the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("no chromium on this machine (Debian: apt install chromium)")
    wanted = [name for name in OF_THE_PAGE if not only or name in only]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if wanted:
            with served(data, indexes) as server:
                for name in wanted:
                    OF_THE_PAGE[name](browser, server)
        if not only or "console" in only:
            console(playwright, chromium)
        if report and (not only or "comparison" in only):
            comparison(browser, report)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
