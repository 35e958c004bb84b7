"""The parts of the page -> its HTML document: header with the search box, one section for each tab, dialogs."""

from collections.abc import Sequence

from page import evaluate_tab, library_tab
from page.add_dialog import add_button, add_dialog
from page.bundle import MARK, address
from page.help import help_dialog
from page.html import text
from page.pictures import panel
from page.search_tab import search_box, search_tab, view_dialog
from page.uploads import Limits

NAME = "TikTok-Retrieval"
# The page may not load from or send to another server, whatever a scraped text says, and runs no script but its own.
# The bars that show a share have their width in a style attribute.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
# by their names in the address: the label, and what is in the tab
TABS = {"": "Search", "Library": "Library", "Evaluate": "Evaluate"}


def head(title: str, below: str = "") -> str:
    """Return the head of a document. `below` is the path of the page, if the document is at another address."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="theme-color" content="#be123c">'
        f"<title>{text(title)}</title>"
        f'<link rel="icon" type="image/svg+xml" href="{below}{address("mark.svg")}">'
        f'<link rel="stylesheet" href="{below}{address("page.css")}">'
    )


def brand(home: str = "./") -> str:
    """Return the mark and the name of the program, which lead to the start of the page."""
    return f'<a class="brand" href="{home}" data-home aria-label="{NAME}: start">{MARK}<span>{NAME}</span></a>'


def page(examples: Sequence[str], welcome: tuple[str, str], switch: str = "", *, has_docs: bool = True) -> str:
    """Return the page.

    Args:
        examples: questions to try.
        welcome: title and message that are shown until there are results.
        switch: the switch between several corpora (HTML).
        has_docs: whether this server has the documentation.
    """
    links = "".join(
        f'<a href="?tab={name}" data-tab="{name}">{label}</a>'
        if name
        else f'<a href="./" data-tab="" aria-current="page">{label}</a>'
        for name, label in TABS.items()
    )
    return (
        f'{head(NAME)}<script type="module" src="{address("page.js")}"></script></head><body data-state="start">'
        '<a class="skip" href="#results">Skip to the results</a>'
        f'<header id="top">{brand()}<nav aria-label="Main">{links}</nav>{search_box()}'
        f'<div class="actions">{f"<div id=corpora>{switch}</div>" if switch else ""}'
        f'<button type="button" class="quiet" data-help aria-haspopup="dialog" aria-label="Help">?</button>'
        f"{add_button()}</div></header><main>{panel(has_docs)}"
        f'<section id="tab-search" class="tab">{search_tab(examples, *welcome)}</section>'
        f'<section id="tab-library" class="tab" hidden><h1>Library</h1>{library_tab.section()}</section>'
        f'<section id="tab-evaluate" class="tab" hidden><h1>Evaluate</h1>{evaluate_tab.section()}</section></main>'
        f"{view_dialog()}{add_dialog(Limits())}{help_dialog(has_docs)}</body></html>"
    )


def not_found(below: str) -> str:
    """Return the page for addresses that do not exist. `below` is the path of the page, with a slash at its end."""
    return (
        f'{head(f"Not found · {NAME}", below)}</head><body data-state="lost"><header id="top">{brand(below)}</header>'
        '<main class="lost"><h1>There is nothing at this address</h1><p>The video, report or page may have been '
        f'deleted, or the address has a typing error.</p><p><a class="button primary" href="{below}">Search for a video'
        "</a> "
        f'<a class="button" href="{below}?tab=Library">Look through the library</a></p></main></body></html>'
    )
