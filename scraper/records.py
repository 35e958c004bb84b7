"""The types of a scraped record: Video, Comment and Caption, validated and bounded, whatever the source.

Scraped data is hostile. Texts lose characters that no database or page can hold (NUL, lone surrogates) and are cut at
a limit. An id must be ASCII digits, because ids become file names.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from scraper.hashtags import hashtags_of, one_tag
from scraper.links import VIDEO_ID, from_link

MediaKind = Literal["cover", "video", "slide", "caption"]
TextKind = Literal["cover", "transcript"]
# how a person met a video: a list of their data export, or a collection of favorites that they named
ListKind = Literal["favorites", "collection", "likes", "history", "shares", "reposts", "posts"]

MAX_TEXT_CHARS = 20_000  # of a description; the site allows 4,000
MAX_MADE_TEXT_CHARS = 1_000_000  # of a transcript; an hour of speech has some 50,000
MAX_COMMENT_CHARS = 1_000  # the site allows 150
MAX_COUNT = 10**12  # of views or likes; beyond it a file is broken or hostile
MAX_COMMENTS = 2_000  # a scrape takes about 20; beyond this a file is broken or hostile
MAX_LINKS = 50
MAX_NAME_CHARS = 200  # of a collection or a file
MAX_DURATION_S = 1e6
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_COUNT = re.compile(
    r"\s*(?:([0-9]+(?:\.[0-9]+)?)\s*([KMB])|([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\.(?![0-9]{3}\s*$)[0-9]+)?))\s*",
    re.IGNORECASE,
)
_AGO = re.compile(r"\s*([0-9]{1,6})\s*(s|m|min|h|d|w)\s*(?:ago)?\s*", re.IGNORECASE)
_DATE = re.compile(r"\s*(?:([0-9]{4})-)?([0-9]{1,2})-([0-9]{1,2})\s*")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def clean_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """`text` without characters that SQLite or JSON cannot hold, cut at `max_chars`. Emoji and bidi marks stay."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:max_chars].strip()


def _as_text(value: object) -> object:
    """None as "", numbers as digits: exports write counts and ids either way. Pydantic checks everything else."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _handle(name: str) -> str:
    return name.lstrip("@").strip()


def _web_links(links: list[str]) -> list[str]:
    """The http(s) and blob links among `links`, each once. Other links (javascript:, file:, ...) are dropped."""
    kept = [link for link in links if link.lower().startswith(("https://", "http://", "blob:"))]
    return list(dict.fromkeys(kept))[:MAX_LINKS]


def _possible(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MAX_COUNT else None


def _iso_date(shown: str | None) -> str | None:
    return parse_posted(shown, None) if shown else None


def _possible_time(at: str) -> str:
    if at:
        datetime.fromisoformat(at)  # a ValueError for 2024-13-01T00:00:00
    return at


Text = Annotated[str, BeforeValidator(_as_text), AfterValidator(clean_text)]
Handle = Annotated[Text, AfterValidator(_handle)]
VideoId = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=f"^{VIDEO_ID}$")]
Links = Annotated[list[Text], AfterValidator(_web_links)]
Count = Annotated[int | None, AfterValidator(_possible)]


def parse_count(shown: str) -> int | None:
    """A count as the site shows it, as an integer: "20.2K" is 20200, "1,234" is 1234. None if it is not a count.

    Also None if another language may mean another number: "12,3K" and "1.234".
    """
    match = _COUNT.fullmatch(shown)
    if not match:
        return None
    factor = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}[(match[2] or "").upper()]
    number = float((match[1] or match[3]).replace(",", "")) * factor
    return round(number) if number <= MAX_COUNT else None


def parse_posted(shown: str, scraped_at: float | None) -> str | None:
    """The ISO date of a posted time as the site shows it, or None if it is unknown.

    "16h ago" and "5-5" (of this year, or of last year if it would lie in the future) are relative to `scraped_at`
    (unix seconds). "2020-3-28" is absolute.
    """
    scraped = datetime.fromtimestamp(scraped_at, UTC) if scraped_at else None
    try:
        if scraped and (ago := _AGO.fullmatch(shown)):
            posted_at = scraped - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2].lower()])
            return posted_at.date().isoformat()
        if found := _DATE.fullmatch(shown):
            year, month, day = found[1], int(found[2]), int(found[3])
            if year:
                return date(int(year), month, day).isoformat()
            if scraped:
                posted = date(scraped.year, month, day)
                # allow a day: the site and the scraper are in different time zones
                late = posted > scraped.date() + timedelta(days=1)
                return (date(scraped.year - 1, month, day) if late else posted).isoformat()
        return datetime.fromisoformat(shown.strip()).date().isoformat()
    except (ValueError, OverflowError):
        return None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Comment(_Record):
    """A comment. Counts and the posted time are kept as shown, and as integers and an ISO date."""

    username: Handle = ""
    text: Annotated[Text, AfterValidator(lambda text: text[:MAX_COMMENT_CHARS])] = ""
    likes_shown: Text = ""
    likes: Count = None
    replies: Count = None
    posted_shown: Text = ""
    posted: Annotated[str | None, AfterValidator(_iso_date)] = None


class Caption(_Record):
    """A caption track of the site. `source` is how it was made, in the site's terms: ASR, MT or creator."""

    language: Text = ""
    source: Text = ""
    format: Text = ""
    url: Text = ""


class Encounter(_Record):
    """A person met a video: in which list, and when.

    `at` is a time in UTC, "2024-03-03T10:00:00", or "" if the source does not say. `name` is the name of a collection.
    """

    list: ListKind
    at: Annotated[
        str,
        StringConstraints(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})?$"),
        AfterValidator(_possible_time),
    ] = ""
    name: Annotated[Text, AfterValidator(lambda name: name[:MAX_NAME_CHARS])] = ""


class Video(_Record):
    """A short video as scraped. Counts and the posted time are kept as shown, and as integers and an ISO date.

    `*_sources` are links, best first; several may lead to the same file. `file_name` is the name of a person's own
    file, which is shown if nothing else tells videos apart.
    """

    id: VideoId
    permalink: Text = ""
    web_id: Text = ""
    creator_username: Handle = ""
    creator_nickname: Text = ""
    description: Text = ""
    hashtags: list[Text] = []
    music_title: Text = ""
    music_link: Text = ""
    likes_shown: Text = ""
    likes: Count = None
    comments_shown: Text = ""
    comment_count: Count = None
    plays: Count = None
    shares: Count = None
    duration_s: Annotated[float, Field(gt=0, le=MAX_DURATION_S)] | None = None
    file_name: Annotated[Text, AfterValidator(lambda name: name[:MAX_NAME_CHARS])] = ""
    posted_shown: Text = ""
    posted: Annotated[str | None, AfterValidator(_iso_date)] = None
    comments: Annotated[list[Comment], Field(max_length=MAX_COMMENTS)] = []
    captions: Annotated[list[Caption], Field(max_length=MAX_LINKS)] = []
    video_sources: Links = []
    cover_sources: Links = []
    slide_sources: Links = []
    scraped_at: Annotated[float, Field(ge=0, le=1e11)] | None = None
    source: Text = ""

    @model_validator(mode="after")
    def _derive(self) -> Self:
        """Fill fields that follow from others if the source did not give them."""
        derived: dict[str, object] = {}
        if not self.permalink.startswith(("https://", "http://")):
            derived["permalink"] = ""
        if not self.music_link.startswith(("https://", "http://")):
            derived["music_link"] = ""
        derived["hashtags"] = list(
            dict.fromkeys(tag for name in [*self.hashtags, *hashtags_of(self.description)] if (tag := one_tag(name)))
        )[:MAX_LINKS]
        if self.likes is None:
            derived["likes"] = parse_count(self.likes_shown)
        if self.comment_count is None:
            derived["comment_count"] = parse_count(self.comments_shown)
        if self.posted is None:
            derived["posted"] = parse_posted(self.posted_shown, self.scraped_at)
        for name, value in derived.items():
            object.__setattr__(self, name, value)  # frozen for others, not yet complete here
        return self

    @property
    def words_of_name(self) -> str:
        """The words of the file name: what a person reads and searches if there is no description."""
        if self.description:
            return ""
        stem = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", self.file_name)
        return " ".join(re.sub(r"[0-9]{10,}|[_\s]+", " ", stem).split())

    @property
    def has_page(self) -> bool:
        """Whether its permalink leads to a page of the site, which has more data."""
        try:
            return bool(from_link(self.permalink))
        except ValueError:
            return False
