"""A picture -> its words through Tesseract, which looks at it in several ways; the sure words are merged by place.

Captions stand in white letters over a busy picture, on coloured cards, or printed on a page, and no single way to look
at a picture finds them all. What was tried, and how much each step brings, stands in docs/explanation/ocr.md.
"""

import subprocess
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytesseract
import regex
from PIL import Image, ImageChops, ImageOps, ImageStat

from ingest.ocr.result import Box, OcrError, Reading, ReadingError, Word, letters, weight

AUTO = "auto"  # as languages: every installed pack, one script after the other
MIN_SIDE, MAX_SIDE = 1280, 2560  # px of the longer side; letters under about 20 px are misread, above 100 px are slow
MIN_HEIGHT = 8  # px; no letter fits into less, and Tesseract breaks down over it
WHITE_FROM = 200  # of 255 in the darkest channel: captions stay, skin and walls go
FULL_PAGE, SPARSE = 3, 11  # Tesseract's page segmentation modes: lay out a page, or find text anywhere
LOCAL = "-c thresholding_method=2"  # Sauvola's threshold follows the neighbourhood: coloured cards, shadows
DPI = 70  # what Tesseract takes a picture for that does not say; else the file's own claim would sway it
MIN_CONFIDENCE = 0.6  # per word; below lies mostly foliage and fabric read as letters
SHORT = 3  # letters; so few are found in any texture, and must be surer:
MIN_SHORT_CONFIDENCE = 0.9
COVERED = 0.3  # share of the smaller of two boxes: from here on they are the same place on the picture
GAP = 1.0  # line heights between two pieces of one line
SURE = 0.93  # confidence of a reading after which no other script is tried, and ...
ENOUGH = 12  # ... from so many letters on, no further look
MAX_EDGES = 0.08  # share of neighbours that differ once only white is left: print has up to 0.04, noise from 0.1
MIN_OTHER = 0.85  # confidence from which a pack of another script is believed: all of them make something of pictures
LOOK_LIMIT_S = 20.0  # for one run; a cover takes 0.2 s, a full page 2 s, and grain can keep Tesseract for minutes
READ_LIMIT_S = 60.0  # for all runs over one image

# Tesseract's packs of other scripts than Latin, a script a line: those of one script read together.
OTHER_SCRIPTS = """
    ara fas kur_ara pus snd uig urd
    aze_cyrl bel bul kaz kir mkd mon rus srp tat tgk ukr uzb_cyrl
    hin mar nep san
    asm ben
    amh tir
    heb yid
    bod dzo
    ell grc
    chi_sim\n chi_tra\n jpn\n kor
    chr\n div\n guj\n hye\n iku\n kan\n kat\n khm\n lao\n mal\n mya\n ori\n pan\n sin\n syr\n tam\n tel\n tha
"""
OTHER_LETTER = regex.compile(r"[\p{L}--\p{Latin}]", regex.V1)
NO_LANGUAGES = {"osd", "equ", "snum"}  # packs that read no text


def check(languages: str) -> str:
    """The version of Tesseract and the packs it reads with, once it is sure that they are there.

    Raises:
        OcrError: Tesseract or a language pack is not installed.
    """
    try:
        version = str(pytesseract.get_tesseract_version())
        return f"{version} {','.join(packs(languages))}"
    except (pytesseract.TesseractNotFoundError, subprocess.SubprocessError, SystemExit, OSError) as error:
        raise OcrError("Tesseract is not installed: `apt-get install tesseract-ocr` brings it") from error


@cache
def packs(languages: str) -> tuple[str, ...]:
    """The packs for Tesseract, joined by "+" where they read together, in the order in which they are tried.

    `languages` is packs joined by "+" ("eng+deu"), used as they are, or AUTO: a pack for Latin letters, then the packs
    of each other script. Latin packs are not joined, for each takes as long again; tesseract-ocr-script-latn has all.

    Raises:
        OcrError: a pack is not installed.
    """
    installed = _installed()
    if languages == AUTO:
        latin = next((name for name in ("Latin", "script/Latin", "eng") if name in installed), None)
        scripts = [script.split() for script in OTHER_SCRIPTS.splitlines()]
        others = ["+".join(name for name in script if name in installed) for script in scripts]
        found = tuple(filter(None, (latin, *others))) or tuple(name for name in installed if name not in NO_LANGUAGES)
        if not found:
            raise OcrError("Tesseract has no language at all: `apt-get install tesseract-ocr-eng` brings one")
        return found
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        wanted = " ".join(f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in missing)
        raise OcrError(
            f"Tesseract has no language {', '.join(map(repr, missing))}: `apt-get install {wanted}` may bring it; "
            f"installed are {', '.join(sorted(installed))}"
        )
    return (languages,)


def _installed() -> list[str]:
    """The names of all packs; pytesseract's own list leaves out those of whole scripts."""
    command = [pytesseract.pytesseract.tesseract_cmd, "--list-langs"]
    return subprocess.run(command, capture_output=True, text=True, timeout=LOOK_LIMIT_S).stdout.split("\n")[1:-1]


def read(image: Image.Image, languages: str) -> Reading:
    """The text of an upright RGB picture; `languages` as for `packs`.

    Raises:
        ReadingError: Tesseract takes too long in whichever way it looks, or breaks down.
    """
    longer = max(image.size)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < MIN_HEIGHT:
        return Reading.of([], "tesseract")
    large = image.resize(size, Image.Resampling.LANCZOS)
    grey, white = ImageOps.grayscale(large), _only_white(large)
    looks = [(grey, FULL_PAGE, ""), (white, SPARSE, ""), (grey, SPARSE, LOCAL)]
    if _edges(white) > MAX_EDGES:
        del looks[1]
    until = time.monotonic() + READ_LIMIT_S
    best: Reading | None = None
    for pack in packs(languages):
        seen: list[list[_Line]] = []
        for look, (picture, mode, options) in enumerate(looks):
            if options == LOCAL and _enough([word for lines in seen for line in lines for word in line.words]):
                break
            lines = _lines(picture, f"--psm {mode} --dpi {DPI} {options}", pack, look, until)
            seen += [lines] if lines is not None else []
        if seen:
            found = Reading.of(_shrunk(_merged([line for lines in seen for line in lines]), scale), "tesseract")
            if best is None or (weight(found.words) > weight(best.words) and _of_another_script(found)):
                best = found
            if (best.confidence or 0.0) >= SURE:
                break  # packs of another script would make something of these letters too
    if best is None:
        raise ReadingError(f"Tesseract took longer than {LOOK_LIMIT_S:.0f} s")
    return best


@dataclass
class _Line:
    look: int  # which way of looking at the picture found it
    place: int  # its number in reading order there
    words: list[Word]

    @property
    def box(self) -> Box:
        lefts, tops, rights, bottoms = zip(*(word.box for word in self.words), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @property
    def weight(self) -> float:
        return weight(self.words)


def _lines(picture: Image.Image, config: str, pack: str, look: int, until: float) -> list[_Line] | None:
    """What one run of Tesseract is sure of; None if it takes too long."""
    left_s = min(LOOK_LIMIT_S, until - time.monotonic())
    if left_s <= 0:
        return None
    picture = picture.copy()
    picture.format = "PPM"  # how pytesseract hands it over: to pack it as PNG takes as long as to read it
    try:
        found = pytesseract.image_to_data(
            picture, lang=pack, config=config, timeout=left_s, output_type=pytesseract.Output.DICT
        )
    except pytesseract.TesseractError as error:  # its message names temporary files: no two would be equal
        raise ReadingError(f"Tesseract broke down over it (exit code {error.status})") from error
    except RuntimeError:  # so pytesseract says that the time is up
        return None
    lines: dict[tuple[int, int, int], list[Word]] = {}
    for i, text in enumerate(found["text"]):
        left, top = int(found["left"][i]), int(found["top"][i])
        box = (left, top, left + int(found["width"][i]), top + int(found["height"][i]))
        word = Word(text.strip(), float(found["conf"][i]) / 100, box)
        count = letters(word.text)
        if count and word.confidence >= (MIN_CONFIDENCE if count > SHORT else MIN_SHORT_CONFIDENCE):
            place = found["block_num"][i], found["par_num"][i], found["line_num"][i]
            lines.setdefault(place, []).append(word)
    return [_Line(look, place, words) for place, words in enumerate(lines.values())]


def _merged(found: list[_Line]) -> list[list[Word]]:
    """The lines of several looks as one text: each place on the picture once, in the words of the surest line there."""
    taken: list[Word] = []
    lines: list[_Line] = []
    for line in sorted(found, key=lambda line: -line.weight):
        words = [word for word in line.words if not any(_covers(word.box, other.box) for other in taken)]
        if not words:
            continue
        taken += words
        piece = replace(line, words=words)
        beside = next((other for other in lines if _beside(piece.box, other.box)), None)
        if beside:
            beside.words += words
        else:
            lines.append(piece)
    for line in lines:
        line.words.sort(key=lambda word: word.box[0], reverse=_right_to_left(line.words))
    return [line.words for line in _in_order(lines)]


def _in_order(lines: list[_Line]) -> list[_Line]:
    """Reading order: that of the look which found most, for it knows columns; others stand by their nearest line."""
    weights = {look: sum(line.weight for line in lines if line.look == look) for look in {line.look for line in lines}}
    main = [line for line in lines if line.look == max(weights, key=lambda look: weights[look])]

    def place(line: _Line) -> tuple[int, int, int]:
        x, y = _middle(line.box)
        near = min(main, key=lambda other: (_middle(other.box)[1] - y) ** 2 + (_middle(other.box)[0] - x) ** 2 / 10)
        side = 0 if near is line else 1 if _middle(near.box)[1] < y else -1
        return near.place, side, line.box[1]

    return sorted(lines, key=place)


def _shrunk(lines: list[list[Word]], scale: float) -> list[list[Word]]:
    """The words with their boxes in pixels of the picture before it was scaled."""

    def box(word: Word) -> Box:
        left, top, right, bottom = (round(side / scale) for side in word.box)
        return left, top, right, bottom

    return [[replace(word, box=box(word)) for word in line] for line in lines]


def _only_white(image: Image.Image) -> Image.Image:
    """Black where the image is white, white elsewhere."""
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return darkest.point([255] * WHITE_FROM + [0] * (256 - WHITE_FROM))


def _enough(words: Sequence[Word]) -> bool:
    count = sum(letters(word.text) for word in words)
    return count >= ENOUGH and weight(words) >= SURE * count


def _of_another_script(reading: Reading) -> bool:
    """Whether a pack of another script read its own letters: it also reads Latin ones, worse, into and out of them."""
    sure = (reading.confidence or 0.0) >= MIN_OTHER
    return sure and 2 * len(OTHER_LETTER.findall(reading.text)) >= sum(map(str.isalpha, reading.text))


def _right_to_left(words: list[Word]) -> bool:
    kinds = [unicodedata.bidirectional(sign) for word in words for sign in word.text]
    return kinds.count("R") + kinds.count("AL") > kinds.count("L")


def _edges(mask: Image.Image) -> float:
    """The share of pixels that differ from their neighbour on the right, of a picture in black and white."""
    moved = ImageChops.offset(mask, 1, 0)
    return ImageStat.Stat(ImageChops.difference(mask, moved)).mean[0] / 255


def _covers(one: Box, other: Box) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:  # nearly always: a page has half a million pairs
        return False
    smaller = min((one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1]))
    return width * height >= COVERED * smaller


def _beside(one: Box, other: Box) -> bool:
    """Whether two boxes stand on one line, next to each other."""
    low, high = sorted((one[3] - one[1], other[3] - other[1]))
    shared = min(one[3], other[3]) - max(one[1], other[1])
    gap = max(one[0], other[0]) - min(one[2], other[2])
    return shared > low / 2 and gap < GAP * high


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
