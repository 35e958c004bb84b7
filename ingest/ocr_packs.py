"""The languages of the videos -> which of Tesseract's language packs they need, and which of those are not installed.

RapidOCR reads Latin letters, Chinese and Japanese. Tesseract reads every other script, and the accents of Latin ones.
"""

import subprocess
import time
from collections.abc import Collection, Mapping
from functools import lru_cache

from ingest.language import LANGUAGE_OF_SCRIPT, LANGUAGES_OF_SCRIPT
from ingest.language_names import name_of

AUTO = "auto"  # as `languages` of the OCR settings: the packs that are installed
MIN_VIDEOS = 2  # in a language with Latin letters: of a single short text it is often mistaken
LIMIT_S = 20.0  # for Tesseract to list its packs
KEPT_S = 60.0  # how long that list counts: a server need not be started again after a pack was installed
LATIN = ("Latin", "script/Latin")  # packs with all languages that use Latin letters
WITHOUT_TESSERACT = frozenset({"en", "ja", "zh"})  # `eng` is always there; RapidOCR knows the others
_OTHER_NAMES = {"az": "aze", "ku": "kmr", "sr": "srp", "zh": "chi_sim"}  # where ISO 639-2 has another code
_OTHER_SCRIPT = frozenset(LANGUAGE_OF_SCRIPT.values()) | {
    one for codes in LANGUAGES_OF_SCRIPT.values() for one in codes
}


def pack_of(code: str) -> str:
    """Return Tesseract's pack for an ISO 639-1 code: "deu" for de."""
    import langcodes

    return _OTHER_NAMES.get(code) or langcodes.get(code).to_alpha3()


def missing(videos: Mapping[str, int], installed: Collection[str]) -> dict[str, str]:
    """Return the packs that are not installed although videos are in their language: the language's code by pack.

    Args:
        videos: the number of videos by language.
        installed: the names of the packs that are.
    """
    found: dict[str, str] = {}
    for code, count in videos.items():
        other = code in _OTHER_SCRIPT
        if code in WITHOUT_TESSERACT or (not other and (count < MIN_VIDEOS or set(LATIN) & set(installed))):
            continue
        if (pack := pack_of(code)) not in installed and not (other and _has_script(code, installed)):
            found[pack] = code
    return found


def _has_script(code: str, installed: Collection[str]) -> bool:
    """Whether a pack for the whole script of a language is installed, such as "Cyrillic"."""
    script = next((name for name, codes in LANGUAGES_OF_SCRIPT.items() if code in codes), None)
    script = script or next((name for name, only in LANGUAGE_OF_SCRIPT.items() if only == code), "")
    return bool({script.capitalize(), f"script/{script.capitalize()}"} & set(installed))


def advice(videos: Mapping[str, int], languages: str = AUTO) -> str:
    """Return a sentence that says which packs the videos need, and the command that installs them; "" if none.

    It is also "" if Tesseract itself is not installed, which other messages say, and if a person chose the packs.
    """
    if languages != AUTO or not (packs := missing(videos, installed())):
        return ""
    listed = ", ".join(f"{name_of(code)} ({videos[code]:,})" for code in packs.values())
    return f"The text on the screen of videos in {listed} is read better with: {command(packs)}"


def command(packs: Collection[str]) -> str:
    """Return the command that installs packs on Debian."""
    return "apt-get install " + " ".join(f"tesseract-ocr-{pack.lower().replace('_', '-')}" for pack in packs)


def installed() -> frozenset[str]:
    """Return the names of the installed packs; none if Tesseract is not there."""
    return _installed(int(time.monotonic() / KEPT_S))


@lru_cache(maxsize=1)
def _installed(_: int) -> frozenset[str]:
    try:
        return frozenset(listed("tesseract"))
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return frozenset()


def listed(tesseract: str) -> list[str]:
    """Return the names of all packs that a Tesseract finds; pytesseract's list leaves out those of whole scripts.

    Raises:
        OSError, subprocess.SubprocessError: it is not there, or takes too long.
    """
    answer = subprocess.run([tesseract, "--list-langs"], capture_output=True, text=True, timeout=LIMIT_S)
    return answer.stdout.split("\n")[1:-1]
