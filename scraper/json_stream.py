"""Bytes -> text; a text of JSON -> its elements one by one, so that what stands before a break is kept.

An error is an element.
"""

import codecs
import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_MARKS = {  # with which Windows begins texts; the longer ones first, for UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 unless its first bytes say otherwise, its lines ended by "\\n"."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8-sig")
    return data.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def whole(text: str) -> object:
    """The one document that `text` is.

    Raises:
        ValueError: it is none, or nests too deeply.
    """
    try:
        return _decoder().decode(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


def elements(text: str) -> Iterator[tuple[int, object]]:
    """(index, element) for each element of a JSON list, or of several written one behind the other."""
    decoder = _decoder()
    at, index = text.index("[") + 1, 0
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            at = _skip(text, at + 1)
            if at == len(text):
                return
            if text[at] != "[":
                yield index, ValueError("there is more behind the end of the list, which is not read")
                return
            at = _skip(text, at + 1)  # batches written one behind the other
            continue
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield index, ValueError(f"the JSON breaks off here, nothing behind it can be read: {error}")
            return
        yield index, item
        index, at = index + 1, _skip(text, at)
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            yield index, ValueError("the JSON breaks off here: a comma or the end of the list is missing")
            return


def lines(text: str) -> Iterator[tuple[int, object]]:
    """(line, its document) for each line that is not blank."""
    for index, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                yield index, whole(line.strip())
            except ValueError as error:
                yield index, ValueError(f"no JSON: {error}")


def _decoder() -> json.JSONDecoder:
    """A whole number that Python would refuse to read (over 4,300 digits) costs its record, not the file."""
    return json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 1000 else digits)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
