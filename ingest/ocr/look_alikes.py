"""Words in letters that look alike in several scripts ("CKOPO", "СКОРО") -> the script of the text around them.

RapidOCR knows no Cyrillic letters and reads those that look like Latin ones as such, with confidence. Tesseract's packs
do the same the other way round. The letters are listed here because Unicode's table of confusable letters (as in
confusable-homoglyphs 3.3.1) also pairs letters that OCR tells apart, such as v and ν or r and г, and leaves out I.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import regex

from ingest.ocr.result import Reading, Word

# A column is one shape; a space means that the script has no such letter. The Cyrillic letters are those of Russian and
# Ukrainian: with the Macedonian S, most English words could be Cyrillic. Small Greek letters differ, except one.
ALIKE = {
    "Latin": "ABCEHIKMNOPTXYZaceiopxy  ",
    "Cyrillic": "АВСЕНІКМ ОРТХУ асеіорхуФП",
    "Greek": "ΑΒ ΕΗΙΚΜΝΟΡΤΧΥΖ    ο   ΦΠ",
}
LINE = 4  # letters; formulas have words of fewer, and shorter lines say little
CLEAR = 3  # letters that only one script has, from which that is the script of a picture: formulas have one or two
SCRIPTS = {script: regex.compile(rf"\p{{{script}}}") for script in ALIKE}
CLEARLY = {
    script: regex.compile(rf"[\p{{{script}}}--[{letters.replace(' ', '')}]]", regex.V1)
    for script, letters in ALIKE.items()
}
OTHER_THAN = {script: regex.compile(rf"[\p{{L}}--\p{{{script}}}]", regex.V1) for script in ALIKE}
OTHER = regex.compile(r"[\p{L}--\p{Latin}--\p{Han}--\p{Hiragana}--\p{Katakana}]", regex.V1)
TABLES = {
    script: {
        ord(other): letter
        for letters in ALIKE.values()
        for other, letter in zip(letters, own, strict=True)
        if " " not in (other, letter) and other != letter
    }
    for script, own in ALIKE.items()
}


def script_of(text: str) -> str:
    """Return the script of most letters of a text: "Latin", "Cyrillic" or "Greek"; "" for all others."""
    counts = {script: len(pattern.findall(text)) for script, pattern in SCRIPTS.items()}
    best = max(counts, key=lambda script: counts[script])
    return best if 2 * counts[best] > sum(map(str.isalpha, text)) else ""


def doubtful(words: Iterable[Word]) -> bool:
    """Whether a line of RapidOCR could be of another script: it has no clearly Latin letters, or more Greek ones."""
    text = "".join(word.text for word in words)
    latin, greek = len(CLEARLY["Latin"].findall(text)), len(CLEARLY["Greek"].findall(text))
    return sum(map(str.isalpha, text)) >= LINE and (not latin or greek > latin) and bool(script_of(text))


def of_another_script(words: Iterable[Word], row: Iterable[Word]) -> bool:
    """Whether `words`, Tesseract's reading of the line `row`, are of a script that RapidOCR takes for Latin letters."""
    text, other = ("".join(word.text for word in line) for line in (words, row))
    count = len(OTHER.findall(text))
    return 2 * count > sum(map(str.isalpha, text)) and count > 3 * len(CLEARLY["Latin"].findall(other))


def in_one_script(reading: Reading, script: str = "", *, decided: bool = False) -> Reading:
    """Write each word whose letters could be of several scripts in that of its line, the picture, or the description.

    `script` is that of the video's description, or "". It matters only if the picture was not `decided` by an engine
    that knows it.
    """
    whole = _clearly(reading.text)
    main = _most(whole) or ("" if decided or max(whole.values(), default=0) >= CLEAR else script)
    sure = {"Latin", script, *(one for one in SCRIPTS if whole[one] >= CLEAR)}

    def rewritten(word: Word, line: str) -> Word:
        own = _clearly(word.text)
        to = next(iter(own)) if len(own) == 1 else "" if own else line or main
        # one Greek letter in a line is mostly a formula's
        if not to or (to not in sure and (len(word.text) < LINE or (to == "Greek" and not own))):
            return word
        text = word.text.translate(TABLES[to])
        return replace(word, text=text) if own or not OTHER_THAN[to].search(text) else word

    rows = []
    for row in reading.rows:
        line = _clearly("".join(word.text for word in row))
        rows.append(tuple(rewritten(word, next(iter(line)) if len(line) == 1 else "") for word in row))
    return replace(reading, rows=tuple(rows))


def _clearly(text: str) -> Counter[str]:
    """The number of letters that only one script has, by script."""
    return Counter({script: n for script, pattern in CLEARLY.items() if (n := len(pattern.findall(text)))})


def _most(counts: Counter[str]) -> str:
    """The script of most letters, if these are enough."""
    ranked = counts.most_common(2)
    return ranked[0][0] if ranked and ranked[0][1] >= CLEAR and ranked[0][1] > sum(n for _, n in ranked[1:]) else ""
