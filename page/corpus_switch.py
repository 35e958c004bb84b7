"""Several corpora on one server -> the switch between their pages, above the tabs."""

from collections.abc import Sequence
from dataclasses import dataclass

from page.html import text


@dataclass(frozen=True)
class Link:
    """A corpus that is served: its name, and the address of its page, which ends with a slash."""

    name: str
    address: str


def switch(corpora: Sequence[Link], chosen: str) -> str:
    """Return a labelled list of the corpora. `chosen` is the name of the one on this page."""
    options = "".join(
        f'<option value="{text(one.address)}"{" selected" if one.name == chosen else ""}>{text(one.name)}</option>'
        for one in corpora
    )
    return f'<label for="corpus">Corpus</label><select id="corpus" autocomplete="off">{options}</select>'
