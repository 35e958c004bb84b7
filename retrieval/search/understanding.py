"""A question and the generation that ranks it -> why nothing of the question was understood, if so.

A vector exists for every text, so the nearest video to "xqzt wvbn" is as good a hit as any by its cosine. What counts
as understood: a word that a video has, or one of some language that an encoder with a part in the scores reads.
"""

from ingest.language import language_of
from ingest.language_names import name_of
from ingest.text.known_words import frequencies, has_list, is_known
from ingest.text.words import words
from retrieval.index.generation import Generation
from retrieval.index.manifest import UsedEncoder
from retrieval.search.answer import Ranking

NO_WORDS = "The question was not understood: it has no words."
NO_EMOJI = "The question was not understood: no video has {emoji}, or one of its names."
NO_SUCH_WORDS = "The question was not understood: no video has its words, and no language is known to have them."
NOT_READ = (
    "The question was not understood: no video has its words, and {model} does not read {language}."
    " A build with a multilingual model does."
)
NO_MODEL = "The question was not understood: no video has its words, and there is no model that reads it."


def reads(encoder: UsedEncoder, language: str) -> bool:
    """Return whether an encoder reads a language ("" if it is uncertain): all of them, or this one."""
    return not encoder.language or not language or encoder.language == language


def not_understood(generation: Generation, ranking: Ranking) -> str:
    """Return a sentence that says why nothing of a question was understood, or "" if something was."""
    if ranking.known_idfs["stems"]:
        return ""
    found = list(words(ranking.query))
    typed = [word.letters for word in found if word.kind != "emoji"]
    if not typed:  # the vectors of emoji that no video has say nothing
        emoji = " ".join(dict.fromkeys(word.folded for word in found))
        return NO_EMOJI.format(emoji=emoji) if emoji else NO_WORDS
    used = [encoder for encoder, scores in zip(generation.manifest.encoders, ranking.best, strict=True) if scores]
    if not used:
        return NO_MODEL
    language = language_of(ranking.query)
    if not any(reads(encoder, language) for encoder in used):
        return NOT_READ.format(model=" and ".join(encoder.name for encoder in used), language=name_of(language))
    languages = generation.keyword["stems"].common_languages | {"en", language}
    if any(frequencies(word) for word in typed) or any(is_known(word, languages) for word in typed):
        return ""
    # In a script without word lists, such as Thai, every word counts as one of its language.
    return "" if language and not any(map(has_list, typed)) else NO_SUCH_WORDS
