"""The words of a question -> those that say something about a video: not "in", "the", "de" or "の".

The lists of stopwords-iso are long, and have words such as "fire" and "face" as well. So a word is a stop word if it
is in the list and, where wordfreq knows the language, one of its most frequent words.
"""

from collections.abc import Collection, Sequence
from functools import cache

from ingest.language import language_of
from ingest.text.fold import letters
from ingest.text.known_words import COUNTED_LANGUAGES, frequencies, without_apostrophes
from ingest.text.words import Word, words

LEAST_ZIPF = 5.8  # of a stop word: "into" and 120 others in English, but not "fire" and "face"
SIGN_ZIPF = 6.8  # of a sign: "の" and "的"; others, such as "人", are parts of words that say something
ENGLISH_ZIPF = 4.0  # of the words of a question that may be English even if it seems German: "cat in a hat"


def content_words(text: str) -> list[Word]:
    """Return the words of a question that are no stop words; all of them, if all are stop words.

    Some short questions may be in English as well as in the language that they seem to be in. A stop word is one in
    both.
    """
    found = list(words(text))
    languages = _languages(text, [word.letters for word in found if word.kind == "word"])
    return [word for word in found if not _is_stop_word(word, languages)] or found


def _languages(text: str, typed: Sequence[str]) -> set[str]:
    """Return the language of a question, and English if it has all of its words."""
    maybe_english = all(frequencies(word).get("en", 0.0) >= ENGLISH_ZIPF for word in typed)
    return {language_of(text), "en" if typed and maybe_english else ""} - {""}


def _is_stop_word(word: Word, languages: Collection[str]) -> bool:
    if word.kind not in ("word", "sign") or not languages:
        return False
    typed = without_apostrophes(word.letters)
    if word.kind == "sign":
        return all(typed in _listed(language) and _zipf_of_sign(typed, language) >= SIGN_ZIPF for language in languages)
    known = frequencies(typed)
    return all(
        typed in _listed(language) and (language not in COUNTED_LANGUAGES or known.get(language, 0.0) >= LEAST_ZIPF)
        for language in languages
    )


def _zipf_of_sign(sign: str, language: str) -> float:
    """Return how frequent a sign is as a word in Chinese or Japanese."""
    from wordfreq import freq_to_zipf, get_frequency_dict  # takes 0.3 s to import

    known = get_frequency_dict(language, "small").get(sign, 0.0) if language in ("ja", "zh") else 0.0
    return float(freq_to_zipf(known)) if known else 0.0


@cache
def _listed(language: str) -> frozenset[str]:
    """Return the words of the list of a language; none if there is no list."""
    from stopwordsiso import stopwords  # reads a file

    return frozenset(without_apostrophes(letters(word)) for word in stopwords(language))
