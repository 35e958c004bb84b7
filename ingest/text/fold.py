"""A text -> the form in which texts are compared: one spelling for letters that people type differently.

Names, hashtags, records, questions and the Library's box all use it. It drops what people leave out (case, accents,
Arabic and Hebrew vowel signs) and keeps marks that make another letter (Thai and Devanagari vowels).
"""

import unicodedata
from functools import cache

import regex

SMALL_CAPITALS = "abcdefghijklmnopqrstuvwyz"  # there is no x
_FORMAT = regex.compile(r"[\p{Cf}\uFE00-\uFE0F]+")  # soft hyphens, joiners, direction marks, variation selectors
# Letters without a decomposition, and variants of one letter.
_LETTERS = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ð": "d", "ı": "i", "ŋ": "n", "ə": "e", "ĸ": "k", "æ": "ae",
    "œ": "oe", "þ": "th", "ё": "е", "ѐ": "е", "ѝ": "и", "ʼ": "'",
    "ヵ": "か", "ヶ": "け", "ゕ": "か", "ゖ": "け",  # 1ヶ月, 1か月, 1ケ月
    "ى": "ي", "ی": "ي", "ې": "ي", "ے": "ي", "ک": "ك", "ہ": "ه", "ة": "ه", "ۃ": "ه", "ە": "ه", "ٱ": "ا",
}  # fmt: skip
# Marks that people leave out: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowel signs and hamza over a
# letter, the dot of Devanagari letters.
_DROPPED = regex.compile(
    r"[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\u0591-\u05BD\u05BF\u05C1-\u05C2\u05C4-\u05C5\u05C7"
    r"\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED\u093C]+"
)
# й and ї are letters of their own, not letters with an accent.
_KEPT = regex.compile(r"и\u0306|і\u0308|у\u0306")
_KEPT_LETTERS = {"и\u0306": "й", "і\u0308": "ї", "у\u0306": "ў"}
# The nasal of a Devanagari cluster is written as a letter or as a dot: हिन्दी, हिंदी.
_NASAL = regex.compile(r"[ङञणनम]\u094D(?=[\u0915-\u0939])|\u0901")
_OTHER_DIGITS = regex.compile(r"[^\P{Nd}0-9]")
# Thai and Lao vowels that look the same however they are typed.
_TWO_E = "\u0e40\u0e40"
_TONE_AFTER_VOWEL = regex.compile(r"([\u0E4D\u0ECD])([\u0E48-\u0E4B\u0EC8-\u0ECB])")
_HAN = regex.compile(r"\p{Han}")


def letters(text: str) -> str:
    """Return a text in lower case and normal form (NFKC), without format characters. Accents stay."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", _FORMAT.sub("", text)).casefold().translate(_fonts())
    return unicodedata.normalize("NFKC", text)  # case folding can leave a sequence that is not in normal form


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared: two that people take for equal are equal."""
    text = letters(text)
    if text.isascii():
        return text
    parted = _KEPT.sub(lambda match: _KEPT_LETTERS[match[0]], unicodedata.normalize("NFD", text))
    plain = unicodedata.normalize("NFC", _DROPPED.sub("", parted)).translate(_variants())
    if _HAN.search(plain):
        plain = plain.translate(_simplified())
    plain = _TONE_AFTER_VOWEL.sub(r"\2\1", plain.replace(_TWO_E, "\u0e41"))
    return _NASAL.sub("\u0902", _OTHER_DIGITS.sub(lambda match: str(unicodedata.decimal(match[0], match[0])), plain))


@cache
def _fonts() -> dict[int, str]:
    """Return the letter for each of those that generators of "fonts" use and NFKC keeps: ᴄᴀᴛ, 🅲🅰🆃, 🅒🅐🅣."""
    enclosed = {first + n: chr(ord("a") + n) for first in (0x1F150, 0x1F170) for n in range(26)}
    small = {letter: unicodedata.lookup(f"LATIN LETTER SMALL CAPITAL {letter.upper()}") for letter in SMALL_CAPITALS}
    return enclosed | {ord(sign): letter for letter, sign in small.items()}


@cache
def _variants() -> dict[int, str]:
    """Return the letter to compare for each variant. Katakana become hiragana."""
    katakana = {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
    return str.maketrans(katakana | _LETTERS)


@cache
def _simplified() -> dict[int, str]:
    """Return the simplified sign for each traditional one."""
    from opencc import OpenCC  # reads its tables when it is imported

    signs = "".join(map(chr, [*range(0x3400, 0xA000), *range(0xF900, 0xFB00)]))
    one_by_one = OpenCC("t2s").convert("\n".join(signs)).split("\n")
    return {ord(sign): other for sign, other in zip(signs, one_by_one, strict=True) if other != sign}
