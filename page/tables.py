"""Rows -> tables whose columns a click sorts."""

from collections.abc import Iterable, Sequence

from page.html import text


def table(label: str, heads: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """Return a table.

    Args:
        label: what is read aloud.
        heads: of the columns; an empty one is not sorted by.
        rows: of cells (HTML).
        kind: the class of the table.
    """
    head = "".join(
        f'<th scope="col"><button type="button" data-sort>{text(name)}</button></th>' if name else "<td></td>"
        for name in heads
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(label)}"><table class="sortable {kind}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table></div>"
    )


def name(of: str) -> str:
    """Return the cell that names its row. The text may be scraped."""
    return f'<th scope="row" dir="auto">{text(of)}</th>'


def number(value: float | None, digits: int = 3, *, sign: bool = False, more: str = "", best: bool = False) -> str:
    """Return a cell with a number, and `more` (HTML) below it. It is sorted by the whole number."""
    if value is None:
        return "<td></td>"
    shown = f"{value:{'+' if sign else ''}z,.{digits}f}"
    return f"<td{' class=best' if best else ''} data-value={value!r}>{shown}{more}</td>"


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """Return an interval to show below a number; nothing if it is not known."""
    if low is None or high is None:
        return ""
    form = f"{'+' if sign else ''}z.2f"
    return f"<small>{low:{form}} to {high:{form}}</small>"
