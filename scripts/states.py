"""Picture every state of the page at four sizes, light and dark, to look at them as a set.

python scripts/states.py states                  # on what `make demo` made
python scripts/states.py states --only library

Each state becomes one sheet, states/NAME.jpg: the four sizes in a row, light above dark.
"""

import io
import shutil
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts.pictures import SKY, SPEECH, ask, served

# The last is the first at 200 % zoom.
SIZES = ((1440, 900), (768, 1024), (390, 844), (720, 450))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
GAP = 12
SHRUNK = 0.5  # of the sheets
UNANSWERABLE = "the president of the chess club signs a contract for uranium"


def start(page: Page, server: str) -> None:
    page.goto(server)
    page.wait_for_selector("#results:not([aria-busy]) .latest")


def answer(page: Page, server: str) -> None:
    ask(page, server, SPEECH)


def reasons(page: Page, server: str) -> None:
    ask(page, server, SKY)
    page.locator("article details.why summary").first.click()


def grid(page: Page, server: str) -> None:
    ask(page, server, SKY)
    page.locator("#look").click()


def no_good_match(page: Page, server: str) -> None:
    ask(page, server, UNANSWERABLE)


def nothing(page: Page, server: str) -> None:
    page.goto(f"{server}/?{urllib.parse.urlencode({'q': 'chili', 'after': '2030'})}")
    page.wait_for_selector("#results:not([aria-busy])")


def filters(page: Page, server: str) -> None:
    ask(page, server, SKY)
    page.locator("#remember > summary").click()


def video(page: Page, server: str) -> None:
    ask(page, server, SPEECH)
    page.locator("article button.cover").first.click()
    page.wait_for_selector("#view[open] video")


def library(page: Page, server: str) -> None:
    page.goto(f"{server}/?tab=Library")
    page.wait_for_selector("#library-videos li")


def selection(page: Page, server: str) -> None:
    library(page, server)
    page.get_by_role("button", name="Select", exact=True).click()
    for number in range(3):
        page.locator("#library-videos .pick input").nth(number).check(force=True)


def evaluate(page: Page, server: str) -> None:
    page.goto(f"{server}/?tab=Evaluate")


def add(page: Page, server: str) -> None:
    start(page, server)
    page.locator("#add-open").click()
    page.wait_for_selector("#add[open]")


def wrong_address(page: Page, server: str) -> None:
    page.goto(f"{server}/no-such-page")


STATES: dict[str, Callable[[Page, str], None]] = {
    "start": start,
    "answer": answer,
    "reasons": reasons,
    "grid": grid,
    "no-good-match": no_good_match,
    "nothing": nothing,
    "filters": filters,
    "video": video,
    "library": library,
    "selection": selection,
    "evaluate": evaluate,
    "add": add,
    "wrong-address": wrong_address,
}


def sheet(browser: Browser, server: str, state: Callable[[Page, str], None]) -> Image.Image:
    """Return the pictures of a state: a row for each scheme, a column for each size."""
    width = sum(wide + GAP for wide, _ in SIZES)
    tall = max(high for _, high in SIZES) + GAP
    whole = Image.new("RGB", (width, tall * len(SCHEMES)), "gray")
    for row, scheme in enumerate(SCHEMES):
        left = 0
        for wide, high in SIZES:
            touch = wide in (390, 768)
            context = browser.new_context(
                viewport={"width": wide, "height": high}, color_scheme=scheme, has_touch=touch
            )
            page = context.new_page()
            state(page, server)
            page.wait_for_timeout(1200)  # pictures load lazily
            with Image.open(io.BytesIO(page.screenshot())) as picture:
                whole.paste(picture, (left, row * tall))
            context.close()
            left += wide + GAP
    return whole.resize((round(whole.width * SHRUNK), round(whole.height * SHRUNK)))


def main(
    folder: Annotated[Path, typer.Argument(help="Where to put the sheets.")],
    data: Annotated[Path, typer.Option(help="Data folder of the sample corpus.")] = Path("data/demo"),
    indexes: Annotated[Path, typer.Option(help="Its index folder.")] = Path("indexes/demo"),
    only: Annotated[list[str] | None, typer.Option(help="Only this state; repeatable.")] = None,
) -> None:
    """Picture the states."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("no chromium on this machine (Debian: apt install chromium)")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, served(data.resolve(), indexes.resolve()) as server:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in only or STATES:
            sheet(browser, server, STATES[name]).save(folder / f"{name}.jpg", quality=80)
            print(name, flush=True)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
