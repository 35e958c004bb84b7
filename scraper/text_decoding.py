"""Bytes that somebody else wrote -> text. Records, exports, captions, query files and lists of links all pass here."""

import codecs
import re
from dataclasses import dataclass

import chardet

LOST = "\ufffd"  # stands for what cannot be decoded
SAMPLE_BYTES = 64 * 1024  # of lines that are not ASCII, from which the encoding is guessed
SURE = 0.08  # chardet's confidence; below it, a text in Latin letters is taken as Windows-1252, the commonest
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
    *("cp949", "euc-kr", "mac-roman"),
)
_WESTERN = frozenset(
    "àâäáãåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝŸ"
    "¿¡«»‘’“”„‚–—…€£§°´·•©®™ºª\xa0¼½¾²³×"  # signs that people write in Western Europe
)
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
    # in a text of another encoding, hardly any byte beyond ASCII is valid UTF-8 by chance
    return found if cut or others >= found.lost or data.startswith(codecs.BOM_UTF8) else _guessed(data)


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
    found = chardet.detect(seen, include_encodings=_GUESSED)
    encoding = str(found["encoding"] or "cp1252")
    if float(found["confidence"] or 0.0) < SURE and _is_western(seen):
        encoding = "cp1252"
    return _read(data, encoding.lower())


def _is_western(sample: bytes) -> bool:
    beyond = sum(byte > 0x7F for byte in sample)
    letters = sum(byte < 0x80 and chr(byte).isalpha() for byte in sample)
    signs = set(sample.decode("cp1252", errors="replace"))
    return beyond < LATIN_SHARE * (beyond + letters) and all(sign.isascii() or sign in _WESTERN for sign in signs)
