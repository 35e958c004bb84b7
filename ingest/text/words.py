"""A text -> its words in order, with their positions. What is one word to a person is one word here.

Scripts without spaces are cut into signs. Numbers lose their separators, units are words of their own ("5kg"),
apostrophes are bridged ("don't"), hashtags in CamelCase are also their words, and an emoji is a word.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

import regex

from ingest.text.emoji_names import EMOJI, VARIANTS, base
from ingest.text.fold import fold, letters
from scraper.hashtags import TAG

MAX_WORD_CHARS = 100  # a longer word is a link or noise; its beginning is enough
MAX_CACHED_CHARS = 24
Kind = Literal["word", "sign", "emoji", "tag"]

SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー\uFF70\uFF9E\uFF9F"
_APOSTROPHES = "'’ʼ＇`´‘׳"
_LETTERS = r"\p{L}\p{M}\p{N}\u24B6-\u24E9\U0001F130-\U0001F149\U0001F150-\U0001F169\U0001F170-\U0001F189"
_LETTER = rf"[{_LETTERS}]"
# Words do not depend on what is beyond a space, but for "5 g". A space that does not break is in a number.
_SEPARATED = r",.’'٬\u00A0\u202F"
CHUNK = re.compile(
    rf"(?<!\S)\d{{1,3}}(?:\d{{0,4}}|(?:[{_SEPARATED}]\d{{3}}){{1,3}})[ \u00A0][gGlLmMkKhH](?![\w{_APOSTROPHES}])"
    r"|(?:\S|[\u00A0\u202F])+"
)
_SIMPLE = re.compile(rf"[\"(*@]?([A-Za-z]{{1,{MAX_WORD_CHARS}}})[,.!?:;)\"*]*")
_GERSHAYIM = r"(?<=\p{Hebrew})[\"“”״](?=\p{Hebrew})"  # in acronyms
_TOKEN = regex.compile(
    rf"""(?V1)
    (?P<tag>{TAG})
  | (?P<emoji>(?:{EMOJI})[{VARIANTS}]*)
  | (?P<measure>(?<![\p{{N}}.,]|{_LETTER})\p{{Nd}}{{1,3}}(?:
        \p{{Nd}}{{0,4}}|(?P<of>[{_SEPARATED}])\p{{Nd}}{{3}}(?:(?P=of)\p{{Nd}}{{3}}){{0,2}}
      )[ \u00A0]?[gGlLmMkKhH](?![\p{{L}}\p{{N}}{_APOSTROPHES}]))
  | (?P<number>(?<![\p{{N}}.,])\p{{Nd}}{{1,3}}(?:
        (?:,\p{{Nd}}{{2}})*(?P<by>[{_SEPARATED}])\p{{Nd}}{{3}}(?:(?P=by)\p{{Nd}}{{3}})*(?:(?!(?P=by))[.,٫]\p{{Nd}}{{1,2}})?
      | \p{{Nd}}*[.,٫]\p{{Nd}}{{1,2}}
      )(?![.,]?\p{{N}}))
  | (?P<acronym>(?<![\p{{L}}\p{{N}}])(?:\p{{L}}\.){{2,}}(?:\p{{L}}(?!{_LETTER}))?)
  | (?P<word>{_LETTER}+(?:(?:\p{{Cf}}|[{_APOSTROPHES}](?=\p{{L}})|{_GERSHAYIM})+{_LETTER}+)*)
    """,
    regex.VERBOSE,
)
_SEPARATORS = regex.compile(r"[^\p{Nd}]")
_DECIMALS = regex.compile(r"[.,٫](\p{Nd}{1,2})$")
# A Thai or Lao vowel is one sign whether it was typed as one or as two.
_VOWEL = r"(?:(?<=\u0E4D[\u0E48-\u0E4B]?)\u0E32|(?<=\u0ECD[\u0EC8-\u0ECB]?)\u0EB2)"
_PARTS = regex.compile(rf"(?V1)(?P<sign>(?:(?=[{SPACELESS}])(?:\u0E40\u0E40|\X){_VOWEL}?))|(?P<word>[^{SPACELESS}]+)")
# Articles that are written in front of a vowel: l'eau, dell'arte.
_ELISION = regex.compile(
    rf"(?:[ldjmtsnc]|qu|jusqu|lorsqu|puisqu|quoiqu|quelqu|presqu|d?all|dell|nell|sull|un|quest|quell)[{_APOSTROPHES}]"
    r"(?=[aeiouyhàâäéèêëîïôöùûüœæ])",
    regex.IGNORECASE,
)
_CAMEL = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|_")
_UNITS = (
    "kg|mg|lb|lbs|oz|km|cm|mm|ft|ml|cl|dl|hr|hrs|min|mins|sec|secs|ms|kb|mb|gb|tb|kw|kwh|hz|ghz|mhz|mph|"
    "kmh|fps|px|usd|eur|euro|euros|dollar|dollars|pounds|year|years|yr|yrs|day|days|week|weeks|month|"
    "months|minute|minutes|hour|hours|second|seconds|inch|inches|foot|feet|mile|miles|percent|calories|"
    "cal|kcal|stunden|tage|jahre|minuten"
)
_MEASURE = regex.compile(rf"(\p{{N}}+)({_UNITS})")
_MODEL = regex.compile(r"(\p{L}{3,})(\p{Nd}{1,4})")
_COUNTED = regex.compile(r"(?V1)(\p{Nd}+)([\p{L}--\p{Latin}][\p{L}\p{M}]*|[\p{L}\p{M}]{4,})")  # 5кг, 3시간, 5kilos
_FRACTION = regex.compile(r"(?<=\p{Nd})(?=[¼-¾⅐-⅟])")
# Persian and its relatives part words with this sign, with a space or not at all.
_HALF_SPACE = regex.compile(r"(?<=\p{Arabic}\p{M}*)\u200c+(?=\p{Arabic})")


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        letters: in lower case and normal form, with accents, as a stemmer reads it.
        folded: in the form in which words are compared.
        kind: a sign is a character of a script without spaces; a tag is a hashtag as one word, in front of its words.
    """

    letters: str
    folded: str
    kind: Kind
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of a text in order. Positions are characters of `text`."""
    for chunk, at in chunks(text):
        for letters_, folded, kind, start, end in words_of_chunk(chunk):
            yield Word(letters_, folded, kind, at + start, at + end)


def chunks(text: str) -> Iterator[tuple[str, int]]:
    """Yield what is between the spaces of a text, with its position. Each has its words whatever is around it."""
    for match in CHUNK.finditer(text):
        yield match[0], match.start()


def words_of_chunk(chunk: str) -> tuple[Word, ...]:
    """Return the words of a chunk, with positions in it."""
    return _known_words(chunk) if len(chunk) <= MAX_CACHED_CHARS else tuple(_words_of_chunk(chunk))


@lru_cache(maxsize=100_000)
def _known_words(chunk: str) -> tuple[Word, ...]:
    return tuple(_words_of_chunk(chunk))


def _words_of_chunk(chunk: str) -> Iterator[Word]:
    if simple := _SIMPLE.fullmatch(chunk):  # as the rest would cut it, and several times as fast; most chunks are so
        form = simple[1].lower()
        yield Word(form, form, "word", simple.start(1), simple.end(1))
        return
    # Without `concurrent=False`, `regex` releases the GIL at every match, which costs a busy server time.
    for match in _TOKEN.finditer(chunk, concurrent=False):
        yield from _parts(match[0], match.lastgroup or "", match.start())


def _parts(token: str, kind: str, at: int) -> Iterator[Word]:
    """Yield the words of one token that begins at `at`."""
    end = at + len(token)
    if kind == "emoji":
        yield Word(base(token), base(token), "emoji", at, end)
    elif kind == "number":
        number = _number(token)
        yield Word(number, number, "word", at, end)
    elif kind == "acronym":
        yield from _plain(token.replace(".", ""), at, end)
    elif kind == "measure":
        yield from _plain(_number(token[:-1]) + token[-1], at, end)
    elif kind == "tag":
        yield from _tag(token, at)
    elif cuts := [match.span() for match in _HALF_SPACE.finditer(token)]:
        yield from _whole(token, at, end)
        firsts, lasts = [0, *(last for _, last in cuts)], [*(first for first, _ in cuts), len(token)]
        for first, last in zip(firsts, lasts, strict=True):
            yield from _runs(token[first:last], at + first)
    else:
        yield from _runs(token, at)


def _whole(token: str, start: int, end: int) -> Iterator[Word]:
    """Yield a token as one word, which its words follow."""
    for word in _plain(token, start, end):
        yield word._replace(kind="tag")


def _number(token: str) -> str:
    """Return a number without separators; a decimal one has a point."""
    decimals = _DECIMALS.search(token)
    whole = fold(_SEPARATORS.sub("", token[: decimals.start()] if decimals else token))
    return f"{whole}.{fold(decimals[1])}" if decimals else whole


def _tag(token: str, at: int) -> Iterator[Word]:
    """Yield a hashtag as one word, then its words if it has several."""
    whole = token[1:]
    cuts = [0, *(match.start() for match in _CAMEL.finditer(whole)), len(whole)]
    parts = [(first, last) for first, last in pairwise(cuts) if whole[first:last].strip("_")]
    if len(parts) > 1 and all(len(whole[first:last].strip("_")) > 1 for first, last in parts):
        yield from _whole(whole.replace("_", ""), at + 1, at + len(token))
        for first, last in parts:
            skipped = int(whole[first] == "_")
            yield from _runs(whole[first + skipped : last], at + 1 + first + skipped)
    else:
        for match in regex.finditer(r"[^_]+", whole):
            yield from _runs(match[0], at + 1 + match.start())


def _runs(token: str, at: int) -> Iterator[Word]:
    """Yield the signs and words of letters that follow each other without a space."""
    for match in _PARTS.finditer(token):
        start, end = at + match.start(), at + match.end()
        if match.lastgroup == "sign":
            form = letters(match[0])
            if folded := fold(form):
                yield Word(form, folded, "sign", start, end)
            continue
        run = match[0]
        if elided := _ELISION.match(run):
            run, start = run[elided.end() :], start + elided.end()
        for pattern in (_MEASURE, _MODEL, _COUNTED):
            if cut := pattern.fullmatch(run.casefold() if run.isascii() else run):
                yield from _plain(run[: cut.end(1)], start, start + cut.end(1))
                yield from _plain(run[cut.end(1) :], start + cut.end(1), end)
                break
        else:
            yield from _plain(run, start, end)


_BRIDGED = regex.compile(rf"[^{_LETTERS}]+")
_BETWEEN = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def _plain(run: str, start: int, end: int) -> Iterator[Word]:
    # The normal form of a sign can have several words: ½ is 1⁄2.
    for form in _BETWEEN.split(letters(_FRACTION.sub(" ", _BRIDGED.sub("", run[:MAX_WORD_CHARS])))):
        if folded := fold(form):
            yield Word(form, folded, "word", start, end)
