"""The JSON of the API: bodies of requests and answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest.catalog import Stage, State
from ingest.catalog.entries import MediaKind, Segment, TextKind
from retrieval.search.answer import Answer, Hit
from retrieval.search.searcher import MAX_QUERY_CHARS
from scraper.links import VIDEO_ID
from scraper.records import Encounter, ListKind, Video, clean_text

MAX_FILTER_CHARS = 200  # names and hashtags on TikTok are shorter


class VideoSummary(BaseModel):
    """What a result shows of a video. The `*_url` are paths on this server, null if there is no such file."""

    permalink: str
    creator: str
    nickname: str
    description: str
    file_name: str = Field(default="", description="of a video that you imported as a file; else empty")
    posted: str | None = Field(description="ISO date; null if unknown")
    likes: int | None
    comment_count: int | None
    music: str
    hashtags: list[str]
    has_video: bool
    duration_s: float | None = Field(description="seconds; null if there is no file, or its header does not say")
    video_url: str | None
    cover_url: str | None
    slide_urls: list[str] = Field(description="the pictures of a photo post")
    thumbnail_url: str | None = Field(default=None, description="a small picture of the cover, a slide or the video")
    frames_url: str | None = Field(
        default=None, description="frames of the video in one picture, next to each other in cells of the same size"
    )
    frame_times: list[float] = Field(default=[], description="the second of each of these frames")
    encounters: list[Encounter] = Field(default=[], description="in which lists and when you met it, the latest first")


class FoundHit(Hit):
    """A hit with its video; null if the catalog no longer has it."""

    video: VideoSummary | None


class SearchAnswer(Answer):
    """A searcher's answer with the videos of its hits."""

    hits: list[FoundHit]


class TextDetail(BaseModel):
    """A text made from media, and what made it. `text` is null if the media could not be read, else maybe empty."""

    text: str | None
    engine: str
    version: str
    model: str
    language: str
    confidence: float | None
    segments: Sequence[Segment]


class MediaDetail(BaseModel):
    """A file of a video. `url` is null if the file is missing or its type is not served."""

    kind: MediaKind
    position: int
    url: str | None
    bytes: int
    sha256: str


class FrameDetail(BaseModel):
    """A picture that is kept of what a video shows. The seconds are null for covers and slides."""

    kind: Literal["cover", "slide", "video"]
    start_s: float | None
    end_s: float | None
    sha256: str
    url: str


class AskedPicture(BaseModel):
    """A picture to search by. It is kept in memory only, for an hour since the last search by it."""

    id: str = Field(description="what the parameter `picture` of a search takes")
    words: list[str] = Field(description="that were read in it: add those to the query that should count")
    thumbnail_url: str


class VideoDetail(BaseModel):
    """All that the catalog knows of a video."""

    record: Video
    texts: dict[TextKind, TextDetail]
    states: dict[Stage, State]
    notes: dict[Stage, str] = Field(
        default_factory=dict, description="of a stage: what it chose to read, or why it found nothing"
    )
    languages: dict[str, list[str]] = Field(
        default_factory=dict,
        description="ISO 639-1 codes of description, comments, cover and transcript, the main one first",
    )
    media: list[MediaDetail]
    frames: list[FrameDetail] = Field(default=[], description="what it shows, if the index has a vision model")


class Removed(BaseModel):
    """A removed video. It can come back until `undo_until`, in unix seconds."""

    video_id: str
    undo_until: float


class EncoderSummary(BaseModel):
    """An encoder of a generation; `language` is the only one that it reads, "" if it reads many."""

    name: str
    precision: str
    sha256: str = Field(description="The checksum of its weights.")
    weights: str = Field(description="Which weights these are, if there are several of the model.")
    language: str


class GenerationSummary(BaseModel):
    """A finished generation of the index; the `current` one answers by default."""

    name: str
    built: datetime
    encoder: str
    videos: int
    current: bool
    encoders: list[EncoderSummary] = []


class Suggestion(BaseModel):
    """A completion: `query` is the typed query with its last word completed."""

    query: str
    videos: int = Field(description="number of videos that have it")


class ListFacet(BaseModel):
    """A list in which you met videos, or a collection."""

    list: ListKind
    name: str = Field(description="the name of a collection; else empty")
    value: str = Field(description="what the filter `in` takes")
    videos: int
    first: str = Field(description="the first day on which you met one, as an ISO date; empty if unknown")
    last: str


class SourceFacet(BaseModel):
    """Where records came from, as the filter `source` takes it."""

    source: str
    videos: int


class LanguageFacet(BaseModel):
    """A language of videos; the filter `lang` takes its code and its name."""

    language: str = Field(description="ISO 639-1 code")
    name: str = Field(description="in English")
    videos: int


class CreatorFacet(BaseModel):
    """A creator of videos, as the filter `creator` takes it."""

    creator: str
    name: str = Field(description="as it is shown; empty if unknown")
    videos: int


class YearFacet(BaseModel):
    """A year in which videos were posted."""

    year: int
    videos: int


class LengthFacet(BaseModel):
    """A range of lengths, as the filter `length` takes it."""

    length: str
    videos: int


class Facets(BaseModel):
    """Values that filters can take in a generation, those with the most videos first; years with the latest first, and
    lengths with the shortest first."""

    lists: list[ListFacet]
    sources: list[SourceFacet]
    languages: list[LanguageFacet] = Field(description="a video may have several")
    creators: list[CreatorFacet] = Field(default=[], description="those with the most videos")
    years: list[YearFacet] = []
    lengths: list[LengthFacet] = []
    vision: bool = Field(default=False, description="whether videos can be found by what they show")


class FacetValue(BaseModel):
    """A value that a filter can be set to."""

    value: str = Field(description="what the filter takes")
    label: str
    videos: int


class LibraryVideo(BaseModel):
    """A video of the library."""

    id: str
    month: str = Field(description="of the time by which videos are sorted, such as 2024-03; empty if unknown")
    video: VideoSummary


class LibraryAnswer(BaseModel):
    """A page of the library. `total` videos meet the filters. `facets` has, by filter (in, month, creator, tag, lang),
    its values among the videos that meet all other filters."""

    total: int
    videos: list[LibraryVideo]
    facets: dict[str, list[FacetValue]]


class Health(BaseModel):
    """What answers now; `status` is "words only" (keyword search only) while the encoder cannot be loaded, and "no
    catalog" while results have no descriptions. `problems` says what else does not work, and what to do."""

    status: Literal["ok", "words only", "no catalog"] = "ok"
    generation: str
    videos: int
    encoder: str
    encoders: list[EncoderSummary] = []
    problems: list[str] = []


class ProblemDetails(BaseModel):
    """An error (RFC 9457); `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Similar(BaseModel):
    """Similar videos, the closest first."""

    hits: list[FoundHit]


class Suggestions(BaseModel):
    """Completions of a query."""

    suggestions: list[Suggestion]


class Generations(BaseModel):
    """All generations of the index."""

    generations: list[GenerationSummary]


class Stats(BaseModel):
    """What the catalog has, as `tiktok-retrieval status --json` prints it."""

    catalog: dict[str, Any]


def _not_blank(query: str) -> str:
    if not clean_text(" ".join(query.split())).strip("\N{REPLACEMENT CHARACTER} "):  # control characters do not count
        raise ValueError("it is empty")
    return query


class NewJudgement(BaseModel):
    """A video that is relevant for a query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"query": "bread that sounds hollow", "video_id": "71000000000000001"}]},
    )

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS), AfterValidator(_not_blank)]
    video_id: str = Field(pattern=f"^{VIDEO_ID}$")
    time_s: float | None = Field(None, ge=0, le=1e6, description="the timestamp in the video, in seconds")
    generation: str = Field(
        "",
        max_length=MAX_FILTER_CHARS,
        pattern=r"^[0-9A-Za-z_.-]*$",
        description="the generation that answered; the current one by default",
    )
