"""The languages of a video's texts as the catalog keeps them: ISO 639-1 codes with commas, the main one first."""

import json
from collections.abc import Iterable, Mapping

from ingest.catalog.entries import Text, TextKind
from ingest.language import language_of, languages_of, sentences, stated_languages

MAX_COMMENTS = 40  # of a video; together they are one text

Languages = tuple[str, ...]


def of_description(record: str) -> str:
    """The languages of the description in a stored record; "" if it is uncertain or the record is damaged."""
    try:
        fields = json.loads(record)
        description = fields.get("description") or ""
    except (ValueError, AttributeError):
        return ""
    return joined(languages_of(sentences(description))) if isinstance(description, str) else ""


def of_comments(records: Iterable[str]) -> str:
    """The language of most of the first comments, from their stored records; "" if it is uncertain."""
    texts: list[str] = []
    for record in list(records)[:MAX_COMMENTS]:
        try:
            texts.append(str(json.loads(record).get("text") or ""))
        except (ValueError, AttributeError):
            continue
    return language_of(" ".join(texts))


def of_text(text: Text, kind: TextKind) -> str:
    """The languages of a text made from media. What Whisper or the site says of speech is more reliable.

    What the catalog has as the language of on-screen text are Tesseract's packs, so it says nothing.
    """
    if not text.text:
        return ""
    if kind == "transcript" and text.segments and all(segment.language for segment in text.segments):
        spoken = [(segment.text, segment.language) for segment in text.segments]
        if stated := stated_languages(spoken, text.language):
            return joined(stated)
    pieces = [segment.text for segment in text.segments] or sentences(text.text)
    return joined(languages_of(pieces, stated=text.language if kind == "transcript" else ""))


def of_video(of: Mapping[str, Languages]) -> Languages:
    """The languages of a video by those of its texts: of speech and description, or if there are none, of others."""
    main = (*of.get("transcript", ()), *of.get("description", ()))
    return tuple(dict.fromkeys(main or of.get("cover") or of.get("comments") or ()))


def joined(languages: Languages) -> str:
    """Several codes as one value of the catalog."""
    return ",".join(languages)


def split(value: str) -> Languages:
    """The codes in a value of the catalog."""
    return tuple(code for code in value.split(",") if code)
