"""Names and tags of languages <-> ISO 639-1 codes, in any language that CLDR has: "German", "deutsch", "eng-US"."""

import unicodedata
from functools import cache, lru_cache

import regex

# langcodes is imported where it is used: that takes a tenth of a second, and its names 30 MB

_TAG = regex.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_CLOSEST = {"fil": "tl", "gsw": "de", "nb": "no", "nds": "de", "nn": "no", "sco": "en", "yue": "zh"}
_ALIASES = {"castellano": "es"}  # names that CLDR does not have
MAX_NAME_CHARS = 60
_NAME = regex.compile(
    r"[\p{L}\p{M}\p{P} ]+"
)  # marisa-trie, in which langcodes looks names up, fails at some of the rest


def code_of_tag(tag: str) -> str:
    """Return the ISO 639-1 code of a language tag: "en" for eng-US, "zh" for cmn; "" for anything else."""
    import langcodes
    from langcodes.tag_parser import LanguageTagError

    if not _TAG.fullmatch(tag.strip()):
        return ""
    try:
        language = langcodes.get(tag.strip()).prefer_macrolanguage()
    except LanguageTagError:
        return ""
    if not language.is_valid():
        return ""
    return _short(language.language or "")


@lru_cache(maxsize=1024)
def code_of(typed: str) -> str:
    """Return the ISO 639-1 code that a person means by a code, a tag or a name in any language; "" if there is none."""
    import langcodes

    typed = " ".join(typed.split())[:MAX_NAME_CHARS]
    if code := code_of_tag(typed):
        return code
    if not _NAME.fullmatch(typed):
        return ""
    try:
        return _short(langcodes.find(typed).prefer_macrolanguage().language or "")
    except LookupError:
        return _without_accents().get(_plain(typed), "")


def name_of(code: str) -> str:
    """Return the English name of a language: "German" for de. A code without a name is returned as it is."""
    import langcodes

    name = langcodes.get(code).display_name() if code_of_tag(code) else ""
    return name if name and not name.startswith("Unknown") else code


def _short(language: str) -> str:
    language = _CLOSEST.get(language, language)
    return language if len(language) == 2 else ""


@cache
def _without_accents() -> dict[str, str]:
    """The codes by English and own name without accents, in small letters: "portugues" for português."""
    import langcodes

    names = dict(_ALIASES)
    for first in "abcdefghijklmnopqrstuvwxyz":
        for second in "abcdefghijklmnopqrstuvwxyz":
            if code := code_of_tag(first + second):
                known = langcodes.get(code)
                names.setdefault(_plain(known.display_name()), code)
                names.setdefault(_plain(known.autonym()), code)
    return names


def _plain(name: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", name.casefold()) if letter.isalnum())
