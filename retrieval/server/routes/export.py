"""Downloads: the results of a search as a table, records or links, and a transcript as subtitles or text."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from retrieval.corpus import export, transcripts
from retrieval.search.filter_values import filters
from retrieval.search.fusion import Mode
from retrieval.search.searcher import MAX_QUERY_CHARS
from retrieval.server.problems import problem_responses
from retrieval.server.routes.common import (
    ExactParameter,
    FilterValues,
    Found,
    Generation,
    NearerParameter,
    PictureParameter,
    SortParameter,
    UseQueue,
    UseService,
)
from retrieval.server.routes.search import choices_of, weights_of

MAX_EXPORT = 1_000  # results in one file
router = APIRouter()


def _file(content_types: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is a file of one of these types."""
    kinds = sorted({value.partition(";")[0] for value in content_types})
    return {200: {"description": "The file", "content": {kind: {"schema": {"type": "string"}} for kind in kinds}}}


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}


@router.get(
    "/api/export",
    summary="Download results",
    response_class=Response,
    responses={**_file(export.CONTENT_TYPES.values()), **problem_responses(404, 409, 422, 503)},
)
async def results(
    service: UseService,
    queue: UseQueue,
    values: FilterValues,
    form: Annotated[export.Format, Query(alias="format", description="csv is for spreadsheets.")] = "csv",
    q: Annotated[str, Query(max_length=MAX_QUERY_CHARS, description="The query, as for /api/search.")] = "",
    k: Annotated[int, Query(ge=1, le=MAX_EXPORT, description="Number of results.")] = 100,
    texts: Annotated[bool, Query(description="Include speech and on-screen text.")] = False,
    mode: Annotated[Mode, Query(description="Match by meaning (dense), by keyword, or both (hybrid).")] = "hybrid",
    w: Annotated[str, Query(max_length=400, description="Weights of fields, as for /api/search.")] = "",
    sort: SortParameter = "relevance",
    generation: Generation = "",
    exact: ExactParameter = False,
    nearer: NearerParameter = "",
    picture: PictureParameter = "",
    found: Found = "",
) -> Response:
    """Return the videos of the best results as a file. JSON has every field, and `tiktok-retrieval import` reads it
    again. In CSV, a cell that a spreadsheet would compute begins with an apostrophe. The header `X-Generation` names
    the generation that answered."""
    weights, conditions, choices = weights_of(w), filters(**values), choices_of(nearer)
    answer = await queue.run(
        lambda: service.answer(
            q,
            k,
            mode=mode,
            weights=weights,
            filters=conditions,
            sort=sort,
            generation=generation or None,
            exact=exact,
            choices=choices,
            picture=picture,
            found=found,
        )
    )
    lines = export.lines(service.entries(hit.id for hit in answer.hits), form, texts=texts)
    return StreamingResponse(
        _marked(lines) if form == "csv" else lines,
        media_type=export.CONTENT_TYPES[form],
        headers=_headers(f"results.{'txt' if form == 'links' else form}") | {"X-Generation": answer.generation},
    )


def _marked(lines: Iterator[str]) -> Iterator[str]:
    yield export.MARK
    yield from lines


@router.get(
    "/api/videos/{video_id}/transcript.{form}",
    summary="Download a transcript",
    response_class=Response,
    responses={**_file(transcripts.CONTENT_TYPES.values()), **problem_responses(404, 422, 503)},
)
def transcript(service: UseService, video_id: str, form: transcripts.Format) -> Response:
    """Return what is said in a video as SRT or WebVTT subtitles, or as text."""
    text = transcripts.transcript(service.entry(video_id).texts.get("transcript"), form)
    return Response(text, media_type=transcripts.CONTENT_TYPES[form], headers=_headers(f"{video_id}.{form}"))
