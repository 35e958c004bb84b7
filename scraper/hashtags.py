"""Hashtags: what belongs to one, wherever it stands (records, texts, questions)."""

import unicodedata

import regex

MAX_TAG_CHARS = 150
# Marks and joiners belong to the letters of many scripts: without them #हिन्दी is cut. Marks alone are none: #️⃣.
TAG = rf"[#＃](?=_*[\p{{L}}\p{{N}}])[\p{{L}}\p{{M}}\p{{N}}_\u200C\u200D]{{1,{MAX_TAG_CHARS}}}"
_TAG = regex.compile(TAG)


def one_tag(name: str) -> str:
    """Return a hashtag as it is stored: without #, in lower case and in one normal form."""
    return unicodedata.normalize("NFC", name.strip().lstrip("#＃").lower())


def tag_spans(text: str) -> list[tuple[int, int]]:
    """Return where the hashtags of a text are, in order, with their #."""
    return [found.span() for found in _TAG.finditer(text)]


def hashtags_of(text: str) -> list[str]:
    """Return the hashtags of a text in order, without #."""
    return [tag[1:] for tag in _TAG.findall(text)]
