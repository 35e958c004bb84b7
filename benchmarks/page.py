"""The page in Chromium after a fresh start: time to the first answer, to the first paint, and of a search.

python benchmarks/page.py --data data/demo --indexes indexes/demo --queries data/sample/queries.json

It starts a server and stops it afterwards. Playwright and Chromium are needed, as for the tests.
"""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from playwright.sync_api import Browser, sync_playwright

LOADS = 5  # of the first page, each with an empty browser cache
START_S = 300.0
READY = "#ask:not([aria-busy])"  # the form once its scripts have started


def until_answered(address: str, began: float) -> float:
    """Return the seconds from `began` until an address answers with 200."""
    while time.perf_counter() - began < START_S:
        try:
            urllib.request.urlopen(address, timeout=START_S).close()
            return time.perf_counter() - began
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise SystemExit(f"{address} was not answered within {START_S:.0f} s")


def first_page(browser: Browser, server: str) -> tuple[float, float]:
    """Return the milliseconds until a browser without cache paints the page, and until its search box has focus."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(server, wait_until="commit")
    page.wait_for_selector(f"{READY} #q:focus")
    typed = (time.perf_counter() - began) * 1000
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return float(paint), typed


def round_trips(browser: Browser, server: str, texts: list[str]) -> list[float]:
    """Return the milliseconds from Enter until the results are on the page, for each question."""
    page = browser.new_page()
    page.goto(server)
    page.wait_for_selector(READY)
    taken = []
    for text in texts:
        page.fill("#q", text)
        began = time.perf_counter()
        with page.expect_response(lambda response: "/gradio/" in response.url):
            page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('#results:not([aria-busy]) article')")
        taken.append((time.perf_counter() - began) * 1000)
    page.close()
    return taken


def measure(data: Path, indexes: Path, texts: list[str], chromium: str) -> dict[str, Any]:
    """Return the figures of one fresh start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--data", str(data), "--indexes", str(indexes), "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            listens_s = until_answered(f"{server}/openapi.json", began)
            answers_s = until_answered(f"{server}/api/search?{urllib.parse.urlencode({'q': texts[0]})}", began)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                paints, typed = zip(*(first_page(browser, server) for _ in range(LOADS)), strict=True)
                trips = round_trips(browser, server, texts)
                browser.close()
        finally:
            process.terminate()
    return {
        "page_after_start_s": round(listens_s, 1),
        "first_answer_after_start_s": round(answers_s, 1),
        "first_contentful_paint_ms": round(statistics.median(paints)),
        "box_ready_ms": round(statistics.median(typed)),
        "searches": len(trips),
        "round_trip_median_ms": round(statistics.median(trips)),
        "round_trip_p95_ms": round(statistics.quantiles(trips, n=20)[-1]),
    }


def main(
    data: Annotated[Path, typer.Option(help="Data folder.")],
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")],
    queries: Annotated[Path, typer.Option(help="Questions to ask in turn: a JSON list of {text}.")],
) -> None:
    """Start the page and search on it in Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("no chromium on this machine (Debian: apt install chromium)")
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))]
    typer.echo(json.dumps(measure(data, indexes, texts, chromium), indent=1))


if __name__ == "__main__":
    typer.run(main)
