"""Ask the site where short links lead, one after another, and keep the answers."""

import time

from ingest.catalog.import_notes import ImportNotes
from ingest.progress import Progress
from scraper.failures import DownloadError
from scraper.resolve import target
from scraper.short_links import Expander

PAUSE_S = 0.75  # between two requests, as between two pages
MAX_FAILURES = 3  # one after another: then the site or the connection is down


def resolve_all(expander: Expander, notes: ImportNotes, shown: Progress) -> str:
    """Find the targets of all short links that are not known. Return why it stopped early, or ""."""
    shown.begin("short links", len(expander.unknown))
    failures = 0
    for number, link in enumerate(list(expander.unknown)):
        if number:
            time.sleep(PAUSE_S)
        try:
            found = target(link)
        except DownloadError as error:
            failures += 1
            shown.advance(outcome="failed")
            if failures >= MAX_FAILURES:
                return f"short links cannot be followed: {error.sentence}. Run the same command again later."
            continue
        failures = 0
        expander.known[link] = found
        del expander.unknown[link]
        notes.put_short_links({link: found})
        shown.advance()
    return ""
