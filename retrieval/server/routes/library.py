"""All videos, to browse."""

from typing import Annotated

from fastapi import APIRouter, Query

from retrieval.search.filter_values import filters
from retrieval.server.library import LibrarySort
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import MAX_OFFSET, MAX_PAGE, FilterValues, UseService
from retrieval.server.schemas import MAX_FILTER_CHARS, FacetValue, LibraryAnswer, LibraryVideo

router = APIRouter()
Words = Annotated[
    str,
    Query(max_length=MAX_FILTER_CHARS, description="Words in id, creator, description or file name."),
]
Month = Annotated[
    str,
    Query(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2]))?$", description="Only videos of this month, by the time of `sort`."),
]
Kept = Annotated[bool, Query(description="Only videos whose file is kept here.")]
SortBy = Annotated[
    LibrarySort,
    Query(description="By when you saved a video (else saw or imported it), last saw it, or by the day of its post."),
]


@router.get("/api/library", summary="Browse all videos", responses=problem_responses(422, 503))
def library(
    service: UseService,
    values: FilterValues,
    words: Words = "",
    month: Month = "",
    kept: Kept = False,
    sort: SortBy = "saved",
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    k: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 60,
) -> LibraryAnswer:
    """Return a page of all videos of the catalog that meet the filters, with the values that filters can be set to and
    how many videos have each. Videos that the index does not have yet are among them."""
    if values["has"]:
        raise Problem(422, "has: the library is filtered by records, not by texts. Use /api/search.")
    shown = service.library.shelf().show(words, filters(**values), month, kept, sort, offset, k)
    videos = service.summaries(shown.ids)
    return LibraryAnswer(
        total=shown.total,
        videos=[
            LibraryVideo(id=video_id, month=of, video=videos[video_id])
            for video_id, of in zip(shown.ids, shown.months, strict=True)
            if video_id in videos
        ],
        facets={name: [FacetValue(**vars(one)) for one in found] for name, found in shown.facets.items()},
    )
