"""The JSON of the API: what requests bring and what answers hold."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest.catalog import Stage, State
from ingest.catalog.entries import MediaKind, Segment, TextKind
from retrieval.search.answer import Answer, Hit
from retrieval.search.searcher import MAX_QUERY_CHARS
from scraper.records import Video, clean_text

MAX_FILTER_CHARS = 200  # names and hashtags on the site are shorter


class VideoSummary(BaseModel):
    """What a result shows of a video. The `*_url` are paths on this server, null where the file is not kept."""

    permalink: str
    creator: str
    nickname: str
    description: str
    posted: str | None = Field(description="ISO date, null where it cannot be told")
    likes: int | None
    comment_count: int | None
    music: str
    hashtags: list[str]
    has_video: bool
    duration_s: float | None = Field(description="seconds; null where there is no file, or it does not say")
    video_url: str | None
    cover_url: str | None
    slide_urls: list[str] = Field(description="the pictures of a photo post")


class FoundHit(Hit):
    """A hit with its video; null where the catalogue no longer has it."""

    video: VideoSummary | None


class SearchAnswer(Answer):
    """A searcher's answer with the videos of its hits."""

    hits: list[FoundHit]  # type: ignore[assignment]  # nobody puts a plain Hit into an answer


class TextDetail(BaseModel):
    """A text made from media and where it comes from; null: the media could not be read, empty: nothing there."""

    text: str | None
    engine: str
    version: str
    model: str
    language: str
    confidence: float | None
    segments: Sequence[Segment]


class MediaDetail(BaseModel):
    """A file kept of a video; `url` null where it is missing or of a type that is not handed out."""

    kind: MediaKind
    position: int
    url: str | None
    bytes: int
    sha256: str


class VideoDetail(BaseModel):
    """All that the catalogue knows of a video."""

    record: Video
    texts: dict[TextKind, TextDetail]
    states: dict[Stage, State]
    media: list[MediaDetail]


class GenerationSummary(BaseModel):
    """A finished generation that can be asked; `current` is the one that answers where none is named."""

    name: str
    built: datetime
    encoder: str
    videos: int
    current: bool


class Suggestion(BaseModel):
    """What may be meant by a question that is still being typed; `query` is the question with it."""

    query: str
    videos: int = Field(description="how many videos have it")


class Health(BaseModel):
    """What answers now; `status` is "words only" while the encoder cannot be had."""

    status: Literal["ok", "words only"] = "ok"
    generation: str
    videos: int
    encoder: str


class ProblemDetails(BaseModel):
    """An error after RFC 9457; `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Similar(BaseModel):
    """The videos most like one, the nearest first."""

    hits: list[FoundHit]


class Suggestions(BaseModel):
    """How a question may go on."""

    suggestions: list[Suggestion]


class Generations(BaseModel):
    """All that can be asked."""

    generations: list[GenerationSummary]


class Stats(BaseModel):
    """What the catalogue holds, as `python -m ingest status --json` says it."""

    catalog: dict[str, Any]


def _asked(query: str) -> str:
    if not clean_text(" ".join(query.split())).strip("\N{REPLACEMENT CHARACTER} "):  # control characters are nothing
        raise ValueError("there is nothing in it")
    return query


class NewJudgement(BaseModel):
    """That a question was about a video."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"query": "bread that sounds hollow", "video_id": "71000000000000001"}]},
    )

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS), AfterValidator(_asked)]
    video_id: str = Field(pattern=r"^[0-9]{5,25}$")
    time_s: float | None = Field(None, ge=0, le=1e6, description="the moment in the video that was meant, in seconds")
    generation: str = Field(
        "",
        max_length=MAX_FILTER_CHARS,
        pattern=r"^[0-9A-Za-z_.-]*$",
        description="that answered; the current one if not named",
    )
