"""A picture -> its words by Tesseract in several passes; confident words are merged by position.

Captions are white letters over a busy picture, text on coloured cards, or print on a page, and no single pass finds
them all. docs/explanation/ocr.md says what was tried, and what each pass adds.
"""

import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache

import pytesseract
import regex
from PIL import Image, ImageChops, ImageOps, ImageStat

from ingest.ocr.layout import Line, merged
from ingest.ocr.result import Box, OcrError, Reading, ReadingError, Word, letters, weight
from ingest.ocr_packs import LATIN, command, listed, pack_of

AUTO = "auto"  # as languages: all installed packs, one script after the other
MIN_SIDE, MAX_SIDE = 1280, 2560  # px of the longer side; letters under about 20 px are misread, above 100 px are slow
MIN_HEIGHT = 8  # px; no letter fits into less, and Tesseract crashes
WHITE_FROM = 200  # of 255 in the darkest channel: keeps captions, removes skin and walls
FULL_PAGE, SPARSE = 3, 11  # Tesseract's page segmentation modes: lay out a page, or find text anywhere
LOCAL = "-c thresholding_method=2"  # Sauvola's local threshold, for coloured cards and shadows
DPI = 70  # passed to Tesseract, so that the value in the file does not matter
MIN_CONFIDENCE = 0.6  # per word; words below are mostly foliage and fabric read as letters
SHORT = 3  # letters; any texture has such words, so they need a higher confidence:
MIN_SHORT_CONFIDENCE = 0.9
CONFIDENT = 0.93  # confidence of a reading after which no other script is tried, and ...
ENOUGH = 12  # ... from this many letters on, no further pass
MAX_EDGES = 0.08  # share of neighbouring pixels that differ when only white is left: print has up to 0.04, noise 0.1
MIN_OTHER = 0.85  # confidence needed by a pack of another script: each of them reads something in any picture
MIN_OTHER_LETTERS = 3  # of that script: Thai digits and single kana are in every texture
SURER = 0.02  # more confidence than another script, from which ...
NEARLY = 0.7  # ... this share of its letters is enough
PASS_LIMIT_S = 20.0  # for one pass; a cover takes 0.2 s, a full page 2 s, and grain can take minutes
READ_LIMIT_S = 60.0  # for all passes over one image

CYRILLIC = "aze_cyrl bel bul kaz kir mkd mon rus srp tat tgk ukr uzb_cyrl"
GREEK = "ell grc"
# Tesseract's packs of other scripts than Latin, one script per line; packs of a script are used together.
OTHER_SCRIPTS = f"""
    ara fas kur_ara pus snd uig urd
    {CYRILLIC}
    hin mar nep san
    asm ben
    amh tir
    heb yid
    bod dzo
    {GREEK}
    chi_sim\n chi_tra\n jpn\n kor
    chr\n div\n guj\n hye\n iku\n kan\n kat\n khm\n lao\n mal\n mya\n ori\n pan\n sin\n syr\n tam\n tel\n tha
"""
OTHER_LETTER = regex.compile(r"[\p{L}--\p{Latin}]", regex.V1)
RAPIDOCR_KNOWS = frozenset({"chi_sim", "chi_tra", "jpn"})  # besides Latin letters
PACKS_OF = {"Cyrillic": CYRILLIC.split(), "Greek": GREEK.split()}  # scripts with letters that look like Latin ones
NO_LANGUAGES = {"osd", "equ", "snum"}  # packs that do not read text


def check(languages: str) -> str:
    """Check that Tesseract and its packs are installed, and return the version and packs.

    Raises:
        OcrError: Tesseract or a language pack is not installed.
    """
    try:
        version = str(pytesseract.get_tesseract_version())
        return f"{version} {','.join(packs(languages))}"
    except (pytesseract.TesseractNotFoundError, subprocess.SubprocessError, SystemExit, OSError) as error:
        raise OcrError("Tesseract is not installed: install it with `apt-get install tesseract-ocr`") from error


@cache
def packs(languages: str, language: str = "") -> tuple[str, ...]:
    """The packs for Tesseract, joined by "+" if they are used together, in the order in which they are tried.

    `languages` is packs joined by "+" ("eng+deu"), used unchanged, or AUTO: a pack for Latin letters, then the packs of
    each other script. Latin packs are not joined, because each takes the same time again: that of all Latin languages
    (tesseract-ocr-script-latn) is used, or that of `language` (ISO 639-1), or the English one.

    Raises:
        OcrError: a pack is not installed.
    """
    installed = listed(pytesseract.pytesseract.tesseract_cmd)
    if languages == AUTO:
        own = pack_of(language) if language else ""
        wanted = (*LATIN, *([] if own in OTHER_SCRIPTS.split() else [own]), "eng")
        latin = next((name for name in wanted if name in installed), None)
        scripts = [script.split() for script in OTHER_SCRIPTS.splitlines()]
        others = ["+".join(name for name in script if name in installed) for script in scripts]
        found = tuple(filter(None, (latin, *others))) or tuple(name for name in installed if name not in NO_LANGUAGES)
        if not found:
            raise OcrError("Tesseract has no language pack: install one with `apt-get install tesseract-ocr-eng`")
        return found
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        raise OcrError(
            f"Tesseract has no language {', '.join(map(repr, missing))}: try `{command(missing)}`; "
            f"installed are {', '.join(sorted(installed))}"
        )
    return (languages,)


def other_scripts(languages: str) -> bool:
    """Whether `languages` has packs of scripts that RapidOCR does not know."""
    return bool((_names(*packs(languages)) & set(OTHER_SCRIPTS.split())) - RAPIDOCR_KNOWS)


def has(languages: str, *scripts: str) -> bool:
    """Whether `languages` has a pack of one of these scripts; only Cyrillic and Greek are known here."""
    return not all(_names(*packs(languages)).isdisjoint(PACKS_OF.get(script, ())) for script in scripts)


def read(
    image: Image.Image, languages: str, skip: Collection[str] = (), script: str = "", language: str = ""
) -> Reading:
    """Read the text of an upright RGB picture; `languages` as for `packs`.

    With AUTO, packs in `skip` are not tried, those of `script`, the expected one, come first, and Latin letters are
    read by the pack of `language`.

    Raises:
        ReadingError: Tesseract takes too long in every pass, or crashes.
    """
    longer = max(image.size)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < MIN_HEIGHT:
        return Reading.of([], "tesseract")
    large = image.resize(size, Image.Resampling.LANCZOS)
    grey, white = ImageOps.grayscale(large), _only_white(large)
    passes = [(grey, FULL_PAGE, ""), (white, SPARSE, ""), (grey, SPARSE, LOCAL)]
    if _edges(white) > MAX_EDGES:
        del passes[1]
    until = time.monotonic() + READ_LIMIT_S
    best: Reading | None = None
    in_script = False  # whether the letters of `best` belong to the pack that read them
    expected = has(languages, script)
    for turn, pack in enumerate(_in_turn(languages, language, skip, script)):
        seen: list[list[Line]] = []
        for number, (picture, mode, options) in enumerate(passes):
            if options == LOCAL and _enough([word for lines in seen for line in lines for word in line.words]):
                break
            lines = _lines(picture, f"--psm {mode} --dpi {DPI} {options}", pack, number, until)
            seen += [lines] if lines is not None else []
        if seen:
            found = Reading.of(_shrunk(merged([line for lines in seen for line in lines]), scale), "tesseract")
            own = _is_latin(pack) or _of_another_script(found)
            if best is None or (own and (not in_script or _is_better(found, best))):
                best, in_script = found, own
            if in_script and (best.confidence or 0.0) >= CONFIDENT and not (turn == 0 and expected):
                break  # packs of another script would also read something in these letters
    if best is None:
        raise ReadingError(f"Tesseract took longer than {PASS_LIMIT_S:.0f} s")
    return best


def _in_turn(languages: str, language: str, skip: Collection[str], script: str) -> list[str]:
    """The packs to try, in their order."""
    tried = [pack for pack in packs(languages, language) if languages != AUTO or pack not in skip]
    return sorted(tried, key=lambda pack: _names(pack).isdisjoint(PACKS_OF.get(script, ())))


def _is_latin(pack: str) -> bool:
    return _names(pack).isdisjoint(OTHER_SCRIPTS.split())


def _names(*packs: str) -> set[str]:
    return {name for pack in packs for name in pack.split("+")}


def _lines(picture: Image.Image, config: str, pack: str, pass_: int, until: float) -> list[Line] | None:
    """The confident lines of one pass of Tesseract; None if it takes too long."""
    left_s = min(PASS_LIMIT_S, until - time.monotonic())
    if left_s <= 0:
        return None
    picture = picture.copy()
    picture.format = "PPM"  # the format that pytesseract passes on: to compress it as PNG takes as long as OCR
    try:
        found = pytesseract.image_to_data(
            picture, lang=pack, config=config, timeout=left_s, output_type=pytesseract.Output.DICT
        )
    except pytesseract.TesseractError as error:  # its message names temporary files, so no two would be equal
        raise ReadingError(f"Tesseract crashed (exit code {error.status})") from error
    except RuntimeError:  # pytesseract's time-out
        return None
    lines: dict[tuple[int, int, int], list[Word]] = {}
    for i, text in enumerate(found["text"]):
        left, top = int(found["left"][i]), int(found["top"][i])
        box = (left, top, left + int(found["width"][i]), top + int(found["height"][i]))
        word = Word(text.strip(), float(found["conf"][i]) / 100, box)
        count = letters(word.text)
        if count and word.confidence >= (MIN_CONFIDENCE if count > SHORT else MIN_SHORT_CONFIDENCE):
            key = found["block_num"][i], found["par_num"][i], found["line_num"][i]
            lines.setdefault(key, []).append(word)
    return [Line(pass_, order, words) for order, words in enumerate(lines.values())]


def _shrunk(lines: list[list[Word]], scale: float) -> list[list[Word]]:
    """The words with their boxes in pixels of the unscaled picture."""

    def box(word: Word) -> Box:
        left, top, right, bottom = (round(side / scale) for side in word.box)
        return left, top, right, bottom

    return [[replace(word, box=box(word)) for word in line] for line in lines]


def _only_white(image: Image.Image) -> Image.Image:
    """Black where the image is white, and white elsewhere."""
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return darkest.point([255] * WHITE_FROM + [0] * (256 - WHITE_FROM))


def _enough(words: Sequence[Word]) -> bool:
    count = sum(letters(word.text) for word in words)
    return count >= ENOUGH and weight(words) >= CONFIDENT * count


def _of_another_script(reading: Reading) -> bool:
    """Whether a pack of another script read letters of its script; it also reads Latin letters, but worse."""
    count = len(OTHER_LETTER.findall(reading.text))
    confident = (reading.confidence or 0.0) >= MIN_OTHER and count >= MIN_OTHER_LETTERS
    return confident and 2 * count >= sum(map(str.isalpha, reading.text))


def _is_better(found: Reading, best: Reading) -> bool:
    """Whether a reading by another pack is surer, or has more weight if both are as sure or one has many more letters.

    A wrong script often takes more letters for the same text: "BEPIO" for "ВЕРЮ".
    """
    few, many = sorted(sum(letters(word.text) for word in one.words) for one in (found, best))
    surer = (found.confidence or 0.0) - (best.confidence or 0.0)
    if abs(surer) > SURER and few >= NEARLY * many:
        return surer > 0
    return weight(found.words) > weight(best.words)


def _edges(mask: Image.Image) -> float:
    """The share of pixels of a black and white picture that differ from their right neighbour."""
    moved = ImageChops.offset(mask, 1, 0)
    return ImageStat.Stat(ImageChops.difference(mask, moved)).mean[0] / 255
