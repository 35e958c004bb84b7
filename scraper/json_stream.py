"""JSON text -> its elements one by one, so that elements before a broken one are kept.

An error is returned as an element.
"""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")


def whole(text: str) -> object:
    """The one JSON document in `text`.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return _decoder().decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def elements(text: str) -> Iterator[tuple[int, object]]:
    """(index, element) for each element of a JSON list, or of several lists in a row."""
    decoder = _decoder()
    at, index = text.index("[") + 1, 0
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            at = _skip(text, at + 1)
            if at == len(text):
                return
            if text[at] != "[":
                yield index, ValueError("there is more text after the end of the list, which is not read")
                return
            at = _skip(text, at + 1)  # several lists in a row
            continue
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield index, ValueError(f"the JSON is broken here, nothing after it can be read: {error}")
            return
        yield index, item
        index, at = index + 1, _skip(text, at)
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            yield index, ValueError("the JSON is broken here: a comma or the end of the list is missing")
            return


def lines(text: str) -> Iterator[tuple[int, object]]:
    """(line number, JSON document) for each line that is not blank."""
    for index, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                yield index, whole(line.strip())
            except ValueError as error:
                yield index, ValueError(f"not JSON: {error}")


def _decoder() -> json.JSONDecoder:
    """A decoder that keeps integers with too many digits for Python as text, so that only their record is refused."""
    return json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 1000 else digits)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
