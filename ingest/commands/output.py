"""Print what a command answers: as text for a person, or as JSON for a program."""

import json
import sys
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

JOINERS = "\u200c\u200d"  # within words of Persian and Hindi and within emoji; Python does not count them as printable


def answer(as_json: bool, value: Any, show: Callable[[], None]) -> None:
    """Print `value` as one line of JSON, or call `show`, which prints it as text."""
    if not as_json:
        show()
    elif isinstance(value, BaseModel):
        print(_encodable(value.model_dump_json()))
    else:
        print(_encodable(json.dumps(value, ensure_ascii=False)))


def _encodable(line: str) -> str:
    """Escape what stdout's encoding may lack: in JSON, other characters than ASCII occur in strings only."""
    if (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8":
        return line
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in line)


def printable(text: str) -> str:
    """Replace control characters, which a terminal would obey, and line breaks by spaces."""
    return "".join(char if char.isprintable() or char in JOINERS else " " for char in text)


def print_any_text() -> None:
    """Let stdout replace characters that its encoding lacks, instead of raising UnicodeEncodeError."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
