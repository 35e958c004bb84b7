"""Make the pictures in docs/images: the page and the comparison report, on the sample corpus.

python scripts/pictures.py                       # the page, on what `make demo` made
python scripts/pictures.py --only answer
python scripts/pictures.py --only comparison --report comparison/report.html

`benchmarks/confidence.py` draws confidence.svg. Playwright and Chromium come with what `make test` installs. The
page needs fonts with emoji (Debian: fonts-noto-core, fonts-noto-color-emoji).
"""

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
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES = REPOSITORY / "docs" / "images"
START_S = 300.0
WIDTH, HEIGHT = 1280, 860
SPEECH = "the chili prize speech of the man whose wife said no raisins"
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


def answer(browser: Browser, server: str) -> None:
    """The page after a question."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    ask(page, server, SPEECH)
    page.screenshot(path=IMAGES / "answer.png")
    page.close()


def answer_dark(browser: Browser, server: str) -> None:
    """The same in the dark theme, with the reasons of the first result."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
    ask(page, server, SKY)
    page.locator("article details.why summary").first.click()
    page.screenshot(path=IMAGES / "answer-dark.png")
    page.close()


def details(browser: Browser, server: str) -> None:
    """A video open over the results, playing from the timestamp of the match."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    ask(page, server, SPEECH)
    page.locator("article button.cover").first.click()
    page.wait_for_selector("#view[open] video")
    page.wait_for_function("document.querySelector('#view video').currentTime > 0")
    page.wait_for_timeout(1500)
    page.locator("#view video").evaluate("(video) => video.pause()")
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / "details.png")
    page.close()


def comparison(browser: Browser, report: Path) -> None:
    """The top of a comparison's report."""
    page = browser.new_page(viewport={"width": 1100, "height": 1700})
    page.goto(report.resolve().as_uri())
    page.screenshot(path=IMAGES / "comparison.png")
    page.close()


OF_THE_PAGE: dict[str, Callable[[Browser, str], None]] = {
    "answer": answer,
    "answer-dark": answer_dark,
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
        if report and (not only or "comparison" in only):
            comparison(browser, report)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
