"""What the endpoints share: the parts of the server that they use, and the bounds of their parameters."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from retrieval.search.answer import Sort
from retrieval.search.periods import EXAMPLES
from retrieval.search.sizes import COUNT_EXAMPLES, LENGTH_EXAMPLES
from retrieval.server.concurrency import Queue
from retrieval.server.metrics import Metrics
from retrieval.server.schemas import MAX_FILTER_CHARS
from retrieval.server.seen_pictures import PICTURE
from retrieval.server.service import Service

MAX_PAGE = 100  # hits in one answer; `offset` gives the rest
MAX_OFFSET = 1_000_000


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _queue(request: Request) -> Queue:
    queue: Queue = request.app.state.queue
    return queue


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


UseService = Annotated[Service, Depends(_service)]
UseQueue = Annotated[Queue, Depends(_queue)]
UseMetrics = Annotated[Metrics, Depends(_metrics)]


def filter_query(description: str) -> Any:
    """A parameter that filters, as FastAPI takes it."""
    return Query(max_length=MAX_FILTER_CHARS, description=description)


async def filter_values(
    creator: Annotated[str, filter_query("Only videos of this creator: username or nickname.")] = "",
    tag: Annotated[str, filter_query("Only videos with this hashtag, or with all of several.")] = "",
    lang: Annotated[
        str,
        filter_query("Only videos in this language: a code or a name in any language, such as de, German, deutsch."),
    ] = "",
    posted: Annotated[str, filter_query(f"Only videos posted at this time: {EXAMPLES}.")] = "",
    after: Annotated[str, filter_query("Only videos posted on this date or later: 2022, 2022-03 or 2022-03-15.")] = "",
    before: Annotated[str, filter_query("Only videos posted before this date: 2022, 2022-03 or 2022-03-15.")] = "",
    has: Annotated[str, filter_query("Only videos that have this: speech, onscreen, comments, music.")] = "",
    in_list: Annotated[
        str,
        Query(
            alias="in",
            max_length=MAX_FILTER_CHARS,
            description="Only videos in this list: favorites, likes, history, shares, reposts, posts, collections, or"
            " the name of a collection. /api/facets has those of this server.",
        ),
    ] = "",
    seen: Annotated[str, filter_query(f"Only videos in any list at this time: {EXAMPLES}.")] = "",
    liked: Annotated[str, filter_query("Only videos liked at this time.")] = "",
    saved: Annotated[str, filter_query("Only videos added to favorites or a collection at this time.")] = "",
    watched: Annotated[str, filter_query("Only videos watched at this time.")] = "",
    shared: Annotated[str, filter_query("Only videos shared at this time.")] = "",
    length: Annotated[str, filter_query(f"Only videos of this length: {LENGTH_EXAMPLES}.")] = "",
    likes: Annotated[str, filter_query(f"Only videos with so many likes: {COUNT_EXAMPLES}.")] = "",
    source: Annotated[str, filter_query("Only videos with a record from this source, such as data export.")] = "",
) -> dict[str, str]:
    """Return what `retrieval.search.filter_values.filters` takes. Who asks says what a bad value is answered with."""
    return {
        "creator": creator,
        "tag": tag,
        "lang": lang,
        "posted": posted,
        "after": after,
        "before": before,
        "has": has,
        "in": in_list,
        "seen": seen,
        "liked": liked,
        "saved": saved,
        "watched": watched,
        "shared": shared,
        "length": length,
        "likes": likes,
        "source": source,
    }


FilterValues = Annotated[dict[str, str], Depends(filter_values)]
ExactParameter = Annotated[
    bool, Query(description="Search for the words as they are typed, and correct no spelling.", examples=[True])
]
SortParameter = Annotated[
    Sort,
    Query(
        description="Another order: by date of posting (newest, oldest), or by when you last saw the video (seen). With"
        " a text, it sorts the good hits among the first 100 (all of them if none is good)."
    ),
]
NearerParameter = Annotated[
    str,
    Query(
        max_length=2_000,
        description="Ids of videos that the one you mean is nearer to than to the others on show, in the order in which"
        " you chose them; with - before an id, it is not like that one. They refine a query of words.",
        examples=["71000000000000001,-71000000000000002"],
    ),
]
PictureParameter = Annotated[
    str,
    Query(
        pattern=f"^$|{PICTURE}",
        description="Search by a picture: the id of one that was sent to /api/pictures, or a frame of a video as"
        " VIDEO_ID:SHA256, with the sha256 that a reason or a video's `frames` give. With words in `q`, both count.",
    ),
]
Generation = Annotated[str, filter_query("Name of the generation to search; the current one by default.")]
Found = Annotated[
    str,
    filter_query(
        "Name of the generation that gave the results which this follows. If it is gone, the current one answers."
    ),
]
