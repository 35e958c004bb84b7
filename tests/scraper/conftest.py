"""Fixtures of the tests of scraper.js: a browser profile that reaches only this computer, and pages with the script."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route

from tests.scraper.browser_script import SCRIPT, Open
from tests.scraper.pages import Site, served


@pytest.fixture(scope="module")
def trouble() -> list[str]:
    """Dialogs and crashes of all pages: there must be none."""
    return []


@pytest.fixture(scope="module")
def profile(browser: Browser, trouble: list[str]) -> Iterator[BrowserContext]:
    """A fresh profile whose pages reach loopback and nothing else."""

    def only_loopback(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            route.abort()

    def opened(dialog: Dialog) -> None:
        trouble.append(dialog.message)
        dialog.dismiss()

    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(20_000)
    context.route("**/*", only_loopback)
    context.on("dialog", opened)
    context.on("weberror", lambda error: trouble.append(str(error.error)))
    yield context
    context.close()


@pytest.fixture
def context(profile: BrowserContext, trouble: list[str]) -> Iterator[BrowserContext]:
    """The profile without the pages of other tests; sites and tabs are new for each, and with them what is kept."""
    yield profile
    for page in profile.pages:
        page.close()
    assert trouble == []


@pytest.fixture
def open_site(context: BrowserContext) -> Iterator[Open]:
    """Open a simulated site at one of its videos and paste the script."""
    with ExitStack() as servers:

        def open_page(site: Site, index: int = 0) -> Page:
            address = servers.enter_context(served(site))
            page = context.new_page()
            page.goto(site.start(address, index))
            page.evaluate(SCRIPT)
            return page

        yield open_page
