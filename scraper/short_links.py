"""Short links in a text (vm.tiktok.com/..., vt.tiktok.com/..., tiktok.com/t/...) -> the addresses that they lead to.

A short link has no id, so it can only be asked where it leads (see `resolve.py`). This module finds short links in
texts of any format, and replaces those whose targets are known before the text is read.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

MAX_SHORT_LINKS = 20_000  # in one run; beyond it a file is broken or hostile
# JSON may escape slashes. The code is case-sensitive.
_SLASH = r"\\?/"
_SHORT = re.compile(
    rf"(?<![A-Za-z0-9_.@-])(?:https?:{_SLASH}{_SLASH})?"
    rf"(?P<host>v[mt]\.tiktok\.com|(?:www\.|m\.)?tiktok\.com{_SLASH}t){_SLASH}(?P<code>[A-Za-z0-9]{{5,32}})(?![A-Za-z0-9]){_SLASH}?",
    re.IGNORECASE,
)


class Expander:
    """Replaces short links by their targets, and collects those that are not known."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = dict(known)
        self.unknown: dict[str, None] = {}  # in the order in which they were met

    def expand(self, text: str) -> str:
        """`text` with each short link replaced whose target is known."""

        def target(found: re.Match[str]) -> str:
            short = _canonical(found)
            if short not in self.known and len(self.unknown) < MAX_SHORT_LINKS:
                self.unknown[short] = None
            return self.known.get(short) or found[0]

        return _SHORT.sub(target, text)


_current: ContextVar[Callable[[str], str] | None] = ContextVar("expand", default=None)


@contextmanager
def expanding(expander: Expander) -> Iterator[None]:
    """Let all texts that are read pass through `expander`."""
    token = _current.set(expander.expand)
    try:
        yield
    finally:
        _current.reset(token)


def expanded(text: str) -> str:
    """`text` after the expander in use, if there is one."""
    expand = _current.get()
    return expand(text) if expand else text


def _canonical(found: re.Match[str]) -> str:
    host = found["host"].replace("\\", "").lower()
    return f"https://{host if host.startswith('v') else 'www.tiktok.com/t'}/{found['code']}/"
