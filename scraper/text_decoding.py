"""Bytes that somebody else wrote -> text. Records, exports, captions, query files and lists of links all pass here."""

import codecs
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import chardet

LOST = "\ufffd"  # stands for what cannot be decoded
SAMPLE_BYTES = 64 * 1024  # of lines that are not ASCII, from which the encoding is guessed
SURE = 0.08  # chardet's confidence; below it, a text in Latin letters is taken as Windows-1252, the commonest
FEW = 8  # valid letters in UTF-8: so many may be chance
SHORT_BYTES = 1_000  # of a sample; in a shorter one, chardet's first guess is often wrong and looks it
LATIN_SHARE = 0.3  # of the letters: at most so many of a text in Latin letters have an accent

_MARKS = {  # byte order marks, the longer ones first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# First bytes in UTF-8 of accented letters, quotation marks and emoji. In Latin-1, no word of a usual language ends so.
_BEGUN = (b"\xc2", b"\xc3", b"\xe2", b"\xf0")
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# What programs write besides UTF-8 and UTF-16. Those of DOS and rare ones are left out: short texts fit them by chance.
_GUESSED = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "iso-8859-2"),
    *("iso-8859-15", "koi8-r", "koi8-u", "cp866", "cp932", "shift_jis", "euc-jp", "gb18030", "big5"),
    *("cp949", "euc-kr", "mac-roman", "iso-8859-5"),
)
_WESTERN = frozenset(
    "àâäáãåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝŸ"
    "¿¡«»‘’“”„‚–—…€£§°´·•©®™ºª\xa0¼½¾²³×"  # signs that people write in Western Europe
)
_JAPANESE = ("HIRAGANA", "KATAKANA")  # scripts that words share with Chinese characters
_BOXES = range(0x2500, 0x25A0)  # lines and blocks, which old encodings have where others have letters
_ICELANDIC = "þðÞÐ"  # far more often, a Turkish letter is meant
# a sign between two letters that is neither an apostrophe nor a hyphen, nor a vowel sign of Hebrew, Arabic or Thai
_WITHIN = re.compile(
    r"(?<=[^\W\d_])[^\w\s'\u2019.\-\xb7\u0300-\u036f\u05b0-\u05c7\u064b-\u0652\u0e30-\u0e4e](?=[^\W\d_])"
)
# behind a letter, two signs that stand for one letter in UTF-8
_TWO_SIGNS = re.compile(r"(?<=[^\W\d_])[^\x00-\x7f\w\s\u2018-\u201f\xab\xbb\u2013\u2014\u2026]{2,}")
_LINE_END = re.compile(r"\r+\n|\r")


@dataclass(frozen=True)
class Decoded:
    """The text of a file, with "\\n" as line end. `lost` counts the places that could not be decoded."""

    text: str
    encoding: str
    lost: int = 0

    @property
    def damage(self) -> str:
        """What is lost, as a sentence without an end; "" if nothing is."""
        if not self.lost:
            return ""
        places = "1 place" if self.lost == 1 else f"{self.lost:,} places"
        return f"{places} in it cannot be decoded (read as {self.encoding}): save it as UTF-8"


def decode(data: bytes) -> Decoded:
    """The text of a file by its byte order mark, else as UTF-8 or UTF-16 if it is valid, else by a guess."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), None)
    if mark:
        return _read(data, _MARKS[mark])
    if b"\0" in data and (wide := _wide(data)):
        return _read(data, wide)
    try:
        return Decoded(_lines(data.decode("utf-8-sig")), "utf-8")
    except UnicodeDecodeError as error:
        last = data[error.start :]
        cut = error.reason == "unexpected end of data" and (len(last) > 1 or last in _BEGUN)
    found = _surrogates(data) or _read(data, "utf-8-sig", "utf-8")
    others = sum(sign > "\x7f" for sign in found.text) - found.text.count(LOST)
    # in a long text of another encoding, hardly any byte beyond ASCII is valid UTF-8 by chance
    if cut or not found.lost or others >= max(found.lost, FEW) or data.startswith(codecs.BOM_UTF8):
        return found
    guess = _guessed(data)
    return found if others >= found.lost and (len(data) > SAMPLE_BYTES or _oddities(guess.text)) else guess


def _read(data: bytes, encoding: str, name: str = "") -> Decoded:
    text = data.decode(encoding, errors="replace")
    written = data.decode(encoding, errors="ignore").count(LOST)  # by another program that lost something
    return Decoded(_lines(text), name or encoding, text.count(LOST) - written)


def _lines(text: str) -> str:
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _wide(data: bytes) -> str:
    """The encoding of a text of two or four bytes a character without a mark; "" if it has none."""
    found = str(
        chardet.detect(data[: SAMPLE_BYTES - SAMPLE_BYTES % 4], include_encodings=(*_WIDE, "cp1252"))["encoding"]
    ).lower()
    return found if found in _WIDE else ""


def _surrogates(data: bytes) -> Decoded | None:
    """A text in UTF-8 with emoji as two halves, as Java and old databases write them; None if that is not all."""
    try:
        halves = data.decode("utf-8", errors="surrogatepass").encode("utf-16-le", errors="surrogatepass")
    except UnicodeDecodeError:
        return None
    return _read(halves, "utf-16-le", "utf-8")


def _guessed(data: bytes) -> Decoded:
    """A text in an encoding that nothing names. Lines in ASCII say nothing about it, so only the others count."""
    sample, size = [], 0
    for line in data.splitlines():
        if not line.isascii():
            sample.append(line)
            size += len(line) + 1
            if size > SAMPLE_BYTES:
                break
    seen = b"\n".join(sample)[:SAMPLE_BYTES]
    found = chardet.detect_all(seen, include_encodings=_GUESSED, ignore_threshold=len(seen) <= SHORT_BYTES)
    guesses = [str(guess["encoding"]).lower() for guess in found if guess["encoding"]]
    if not guesses or (float(found[0]["confidence"] or 0.0) < SURE and _is_western(seen)):
        return _read(data, "cp1252")
    if len(seen) <= SHORT_BYTES:
        guesses.sort(key=lambda encoding: _oddities(seen.decode(encoding, errors="replace")))
    return _read(data, guesses[0])


def _is_western(sample: bytes) -> bool:
    text = sample.decode("cp1252", errors="replace")
    letters = [sign for sign in text if sign.isalpha()]
    beyond = sum(not sign.isascii() for sign in letters)
    usual = all(sign.isascii() or sign in _WESTERN for sign in text)
    return usual and beyond <= LATIN_SHARE * len(letters) and not _oddities(text)


def _oddities(text: str) -> int:
    """How much in a text speaks against its encoding: nobody writes a word in two scripts, or a capital after a small
    letter."""
    odd = sum(max(0, len({_script(sign) for sign in word if sign.isalpha()}) - 1) for word in text.split())
    odd += sum(one.islower() and other.isupper() for one, other in pairwise(text))
    odd += sum(3 if sign == LOST else 2 for sign in text if sign == LOST or _is_no_text(sign))
    odd += len(_WITHIN.findall(text)) + len(_TWO_SIGNS.findall(text)) + sum(sign in _ICELANDIC for sign in text)
    return odd + ("¿" in text and "?" not in text) + ("¡" in text and "!" not in text)


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").replace("-", " ").split(" ")[0]
    return "CJK" if name in _JAPANESE else name


def _is_no_text(sign: str) -> bool:
    return not sign.isascii() and (unicodedata.category(sign) in ("Cc", "Cn", "Co") or ord(sign) in _BOXES)
