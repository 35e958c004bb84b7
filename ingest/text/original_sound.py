"""The title of a video's music -> what in it is music: "original sound - NAME", in any language, is not.

TikTok names a creator's own sound in the creator's language, followed by the creator's name, which is known already.
"""

import re
from functools import cache

from ingest.text.fold import fold
from scraper.records import Video

# As TikTok writes it, by language. Several spellings: TikTok changed them over the years, and some are the older ones.
_LABELS = {
    "af": ["oorspronklike klank"],
    "ar": ["الصوت الأصلي", "صوت أصلي"],
    "az": ["orijinal səs"],
    "be": ["арыгінальны гук"],
    "bg": ["оригинален звук"],
    "bn": ["আসল সাউন্ড", "মূল সাউন্ড", "অরিজিনাল সাউন্ড"],
    "ca": ["so original", "àudio original"],
    "ceb": ["orihinal nga tunog"],
    "cs": ["původní zvuk", "originální zvuk"],
    "cy": ["sain wreiddiol"],
    "da, no": ["original lyd", "originallyd"],
    "de": ["Originalton", "originaler Ton", "originaler Sound"],
    "el": ["πρωτότυπος ήχος", "αρχικός ήχος"],
    "en": ["original sound", "original audio"],
    "eo": ["origina sono"],
    "es": ["sonido original", "audio original"],
    "et": ["algne heli", "originaalheli"],
    "fa": ["صدای اصلی"],
    "fi": ["alkuperäinen ääni"],
    "fil": ["orihinal na tunog", "orihinal na sound"],
    "fr": ["son original"],
    "fy": ["oarspronklik lûd"],
    "ga": ["fuaim bhunaidh"],
    "gl": ["son orixinal"],
    "he": ["צליל מקורי", "סאונד מקורי"],
    "hi": ["मूल ध्वनि", "मूल साउंड", "ओरिजिनल साउंड"],
    "hr, bs": ["izvorni zvuk", "originalni zvuk"],
    "hu": ["eredeti hang"],
    "hy": ["օրիգինալ ձայն"],
    "id": ["suara asli"],
    "is": ["upprunalegt hljóð"],
    "it": ["suono originale", "audio originale"],
    "ja": ["オリジナル楽曲", "オリジナル音源", "オリジナルサウンド", "アップロード楽曲"],
    "jv": ["swara asli"],
    "ka": ["ორიგინალი ხმა", "ორიგინალური ხმა"],
    "kk": ["түпнұсқа дыбыс"],
    "km": ["សំឡេងដើម"],
    "ko": ["오리지널 사운드", "원본 사운드", "원본 소리"],
    "ku": ["dengê orîjînal"],
    "lt": ["originalus garsas"],
    "lv": ["oriģinālā skaņa"],
    "ms": ["bunyi asal"],
    "my": ["မူရင်းအသံ"],
    "nl": ["origineel geluid", "originele geluid"],
    "ny": ["phokoso loyambirira"],
    "pl": ["dźwięk oryginalny", "oryginalny dźwięk"],
    "pt": ["som original", "áudio original"],
    "ro": ["sunet original"],
    "ru": ["оригинальный звук"],
    "sk": ["pôvodný zvuk"],
    "sl": ["izvorni zvok", "originalni zvok"],
    "sn": ["ruzha rwepakutanga"],
    "sq": ["tingull origjinal", "zëri origjinal"],
    "sr": ["оригинални звук"],
    "su": ["sora asli"],
    "sv": ["originalljud"],
    "sw": ["sauti asilia", "sauti halisi"],
    "th": ["เสียงต้นฉบับ"],
    "tr": ["orijinal ses", "özgün ses"],
    "uk": ["оригінальний звук", "оригінальний аудіозапис", "звук оригіналу"],
    "ur": ["اصل آواز", "اصلی آواز"],
    "uz": ["original ovoz", "asl ovoz"],
    "vi": ["âm thanh gốc", "nhạc nền", "nhạc gốc"],
    "zh": ["原声", "原聲", "原创音乐", "原創音樂", "原创声音", "原創聲音"],
    "zu": ["umsindo wokuqala"],
}
_DASH = r"(?:\s+[-‐-―]\s*|\s*[-‐-―]\s+)"  # with a space, unlike a hyphen in a name
# "original sound - NAME", or "Originalton [SONG] - NAME". With single spaces: of a thousand it tries each pair.
_TITLE = re.compile(rf"(?P<label>[^(\[（]*?)\s*(?P<song>[(\[（].*?[)\]）])?(?:{_DASH}(?P<by>.*))?")
_NOT_A_WORD = re.compile(r"[\W_]+")
# What TikTok writes instead of a name: of an account that is gone, or that has chosen none.
_NOBODY = re.compile(r"tik ?toker|user\d{5,}")


def music_of(video: Video) -> str:
    """Return what the title of a video's music says of the music; for the rules see `named_music`."""
    return named_music(video.music_title, video.creator_username, video.creator_nickname)


def named_music(title: str, *creators: str) -> str:
    """Return what a title says of the music, without "original sound".

    It is empty for a sound that the video's creator made. Of somebody else's sound it is their name.

    Args:
        creators: the names of the video's creator.
    """
    parts = _TITLE.fullmatch(" ".join(title.split()))
    if parts is None or _key(parts["label"]) not in _labels():
        return title
    song, by = parts["song"] or "", (parts["by"] or "").strip()
    # A creator whose name has changed since: "original sound - OLD NAME - NAME".
    names = {_key(by), _key(re.split(_DASH, by)[-1])}
    if names & {_key(name) for name in creators} or _NOBODY.fullmatch(fold(by)):
        by = ""
    return " - ".join(part for part in (song, by) if part)


@cache
def _labels() -> frozenset[str]:
    return frozenset(_key(label) for labels in _LABELS.values() for label in labels)


def _key(text: str) -> str:
    """Return the letters and digits of a text, by which names and labels are compared; of emoji alone, the emoji."""
    folded = fold(text)
    return _NOT_A_WORD.sub("", folded) or folded.strip()
