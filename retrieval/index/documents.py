"""A video's fields, and how each is cut into passages.

A transcript becomes windows of segments with their times, and so does the on-screen text. Each comment is a passage;
each of the other fields is one passage. The whole video as one text is a field as well: on known-item queries it
contributes most.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingest.catalog.entries import Entry, Segment
from ingest.language import language_of
from ingest.text.original_sound import music_of
from retrieval.index.video_metadata import UNKNOWN, VideoMetadata, metadata_of

# Identifiers of the fields on disk and in the API. FIELD_ALIASES has the plainer names that people may type.
OVERVIEW = "overview"
# The whole video joins the others in this order. An encoder reads only the beginning (all-MiniLM-L6-v2: 256 tokens), so
# what identifies the video comes first and the comments, which are many, come last.
TEXT_FIELDS = ("description", "creator", "music", "cover", "transcript", "comments")
FIELDS = (*TEXT_FIELDS, OVERVIEW)
# What people read: on the page, in the terminal and in reports.
FIELD_NAMES = {
    "description": "Description",
    "creator": "Creator",
    "music": "Music",
    "cover": "On-screen text",
    "transcript": "Speech",
    "comments": "Comments",
    OVERVIEW: "Whole video",
}
SEEN = "seen"  # what the pictures of a video show; it has no text, and only a vision model reads it
ALL_FIELDS = (*FIELDS, SEEN)
SEEN_NAME = "What it shows"
ALL_FIELD_NAMES = FIELD_NAMES | {SEEN: SEEN_NAME}
FIELD_ALIASES = {"cover": "onscreen", "transcript": "speech", OVERVIEW: "whole"}

OVERVIEW_CHARS = 8_000  # more than common encoders read, and more than most videos have
WINDOW_CHARS = 300  # about 55 English words: one thought, and well inside every encoder's limit
_SENTENCE_END = re.compile(r"(?<=[.!?。！？…])\s+")


def field_id(name: str) -> str | None:
    """Return the stored identifier of a field from its identifier or its alias, in any case; None if there is none."""
    wanted = name.strip().casefold()
    return next((field for field in ALL_FIELDS if wanted in (field, FIELD_ALIASES.get(field))), None)


@dataclass(frozen=True)
class Mark:
    """The text of a passage from character `at` on is spoken or shown from `start_s` to `end_s` seconds."""

    at: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Passage:
    """A piece of a field that is encoded, matched and shown as one text; `marks` are its times, if known."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Document:
    """What is indexed of one video: by field, the full text (for keywords) and its passages (for vectors).

    A field without text is in neither. `languages` has the language of each text (ISO 639-1), "" if it is uncertain.
    """

    id: str
    texts: dict[str, str]
    passages: dict[str, list[Passage]]
    metadata: VideoMetadata = UNKNOWN
    languages: Mapping[str, str] = field(default_factory=dict)

    @property
    def findable(self) -> bool:
        """Whether a question can find it: by a text, or by the list in which a person met it."""
        return bool(self.passages or self.metadata.encounters)


def document(entry: Entry) -> Document:
    """Return the document of a catalog entry."""
    video = entry.video
    cover, transcript = entry.texts.get("cover"), entry.texts.get("transcript")
    timed = {name: list(text.segments) for name, text in (("cover", cover), ("transcript", transcript)) if text}
    made = _document(
        video.id,
        {
            "description": video.description or video.words_of_name,
            "creator": f"{video.creator_username} {video.creator_nickname}",
            "music": music_of(video),
            "cover": (cover.text if cover else None) or "",
            "transcript": (transcript.text if transcript else None) or "",
        },
        [comment.text for comment in video.comments],
        timed,
    )
    metadata = metadata_of(entry)
    # A text too short to tell is seldom in another language than its video.
    main = metadata.languages[0] if metadata.languages else ""
    known = {name: next(iter(entry.languages.get(name, ())), main) for name in made.texts}
    return replace(made, metadata=metadata, languages=known)


def plain_document(document_id: str, title: str, text: str) -> Document:
    """Return a document of a text corpus (BEIR), with its title as description and its text as transcript."""
    made = _document(document_id, {"description": title, "transcript": text}, [], {})
    return replace(made, languages=dict.fromkeys(made.texts, language_of(f"{title} {text}")))


def _document(
    document_id: str, texts: dict[str, str], comments: Sequence[str], timed: dict[str, list[Segment]]
) -> Document:
    texts = {name: text.strip() for name, text in texts.items() if text.strip()}
    passages = {name: [Passage(text)] for name, text in texts.items() if name != "transcript"}
    if "transcript" in texts:
        said = timed.get("transcript")
        passages["transcript"] = windows_of(said) if said else _untimed_windows(texts["transcript"])
    if "cover" in texts:
        passages["cover"] = _on_screen(texts["cover"], timed.get("cover", []))
    comments = [comment for comment in comments if comment.strip()]
    if comments:
        passages["comments"] = [Passage(comment) for comment in comments]
        texts["comments"] = "\n".join(comments)
    whole = " ".join(texts[name] for name in TEXT_FIELDS if name in texts)
    if whole:
        passages[OVERVIEW] = [Passage(whole[:OVERVIEW_CHARS])]
    return Document(document_id, texts, passages)


def _on_screen(text: str, shown: list[Segment]) -> list[Passage]:
    """Return the text of still images as one passage, and the text of video frames as windows with times."""
    moving = {segment.text for segment in shown}
    still = "\n".join(line for line in text.splitlines() if line not in moving)
    return [*([Passage(still)] if still else []), *windows_of(shown)]


def windows_of(segments: Iterable[Segment]) -> list[Passage]:
    """Join neighbouring segments into windows of up to WINDOW_CHARS.

    Each window starts with the last segment of the previous one, so that a sentence across a border is complete in one.
    """
    windows: list[Passage] = []
    current: list[Segment] = []
    fresh = False
    for segment in segments:
        if current and sum(len(s.text) + 1 for s in current) + len(segment.text) > WINDOW_CHARS:
            windows.append(_joined(current))
            overlap = current[-1:] if len(current) > 1 else []
            short = sum(len(s.text) for s in overlap) + len(segment.text) <= WINDOW_CHARS
            current, fresh = (overlap if short else []), False
        current.append(segment)
        fresh = True
    if current and fresh:
        windows.append(_joined(current))
    return windows


def _joined(segments: Sequence[Segment]) -> Passage:
    text, marks = "", []
    for segment in segments:
        text += " " if text else ""
        marks.append(Mark(len(text), segment.start_s, segment.end_s))
        text += segment.text.strip()
    return Passage(text, tuple(marks))


def _untimed_windows(text: str) -> list[Passage]:
    """Cut a transcript without times into windows, at the ends of sentences.

    A sentence longer than a window is cut between words, or anywhere in a script without spaces.
    """
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        while len(sentence) > WINDOW_CHARS:
            cut = sentence.rfind(" ", WINDOW_CHARS // 2, WINDOW_CHARS)
            cut = cut if cut > 0 else WINDOW_CHARS
            pieces.append(sentence[:cut])
            sentence = sentence[cut:].lstrip()
        if sentence:
            pieces.append(sentence)
    return [Passage(passage.text) for passage in windows_of([Segment(0.0, 0.0, piece) for piece in pieces])]
