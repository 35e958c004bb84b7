"""Emoji: one form for all skin tones and genders, and their names in the languages of Unicode's list."""

from functools import cache

import regex

from ingest.text.fold import fold

# An emoji, or a flag, which is two letters of its own. "©" and the like are signs, not pictures, and 🅰 is a letter.
EMOJI = r"\p{RI}{2}|[\p{Extended_Pictographic}--[©®™‼⁉〰〽㊗㊙\u2190-\u21FF\U0001f170-\U0001f189]]"
# Skin tones, genders, the sign that asks for a picture, joiners and the frame of a key: they change no word.
VARIANTS = "\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u200d\u20e3\u2640\u2642\U000e0020-\U000e007f"
MAX_NAME_WORDS = 3  # longer names describe a picture as nobody does: "face with tears of joy"
_VARIANTS = regex.compile(f"[{VARIANTS}]+")


def base(emoji: str) -> str:
    """Return an emoji without skin tone and gender."""
    return _VARIANTS.sub("", emoji) or emoji


@cache
def emoji_by_name() -> dict[str, tuple[str, ...]]:
    """Return, for each name of up to MAX_NAME_WORDS words, the emoji that have it: pulpo -> 🐙, hot dog -> 🌭."""
    found: dict[str, dict[str, None]] = {}
    for name, emoji in _names():
        parts = fold(name).replace("-", "_").split("_")
        if len(parts) <= MAX_NAME_WORDS:
            found.setdefault(" ".join(parts), {})[emoji] = None
    return {name: tuple(emoji) for name, emoji in found.items()}


@cache
def names_of_emoji() -> dict[str, tuple[str, ...]]:
    """Return the names in one word of each emoji: 🐙 -> octopus, oktopus, pulpo, ..."""
    found: dict[str, list[str]] = {}
    for name, emoji_with_name in emoji_by_name().items():
        for emoji in emoji_with_name if " " not in name else ():
            found.setdefault(emoji, []).append(name)
    return {emoji: tuple(names) for emoji, names in found.items()}


def _names() -> list[tuple[str, str]]:
    import emoji  # reads its table when it is imported

    emoji.config.load_language()
    return [
        (name.strip(":"), one)
        for written, names in emoji.EMOJI_DATA.items()
        if len(one := base(written)) == 1
        for language in emoji.LANGUAGES
        if (name := names.get(language))
    ]
