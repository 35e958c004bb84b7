"""Search, and completions of a query that is being typed."""

import json
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Query

from retrieval.errors import BadChoices, BadWeights
from retrieval.index.documents import FIELD_ALIASES, FIELDS
from retrieval.search.choices import Choice, read_choices
from retrieval.search.filter_values import filters
from retrieval.search.fusion import MAX_WEIGHT, Method, Mode, parse_weights
from retrieval.search.searcher import MAX_QUERY_CHARS
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import (
    MAX_OFFSET,
    MAX_PAGE,
    ExactParameter,
    FilterValues,
    Generation,
    NearerParameter,
    PictureParameter,
    SortParameter,
    UseQueue,
    UseService,
)
from retrieval.server.schemas import Facets, SearchAnswer, Suggestions

router = APIRouter()
_EXAMPLE = json.loads((files("retrieval.server") / "answer_example.json").read_text(encoding="utf-8"))
_ANSWERED: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": _EXAMPLE}}}}


def chosen_mode(mode: Mode | None, lane: Mode | None) -> Mode:
    """Return the mode that a request asks for, by the parameter `mode` or its old name `lane`.

    Raises:
        Problem: 422, it gives both.
    """
    if mode and lane:
        raise Problem(422, "lane is the old name of mode. Give one of them.")
    return mode or lane or "hybrid"


def weights_of(w: str) -> dict[str, float]:
    """Return the weights in a parameter.

    Raises:
        Problem: 422, they cannot be read.
    """
    try:
        return parse_weights(w)
    except BadWeights as error:
        raise Problem(422, f"w: {error}") from None


def choices_of(nearer: str) -> list[Choice]:
    """Return the choices in a parameter.

    Raises:
        Problem: 422, they cannot be read.
    """
    try:
        return read_choices(nearer)
    except BadChoices as error:
        raise Problem(422, str(error)) from None


@router.get(
    "/api/search", summary="Search for a video", responses={**_ANSWERED, **problem_responses(404, 409, 422, 503)}
)
async def search(
    service: UseService,
    queue: UseQueue,
    values: FilterValues,
    q: Annotated[
        str,
        Query(
            max_length=MAX_QUERY_CHARS,
            description='What you remember of the video. Operators: "exact phrase", by:@creator, tag:name, -word,'
            ' field:word, before:2023, lang:en, in:favorites, seen:2024-03, saved:"last winter", length:<1m.'
            " Among words, @creator and #tag count more and exclude nothing. With filters alone, the newest videos come"
            " first. An empty query without filters has no hits.",
            examples=["cat falls off the shelf", '"no your other left" by:@slowlane -dog after:2021'],
        ),
    ],
    k: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Number of hits.")] = 10,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="Number of hits to skip.")] = 0,
    mode: Annotated[
        Mode | None, Query(description="Match by meaning (dense), by keyword, or both (hybrid, the default).")
    ] = None,
    w: Annotated[
        str,
        Query(
            max_length=400,
            description=f"Weights of fields, from 0 (off) to {MAX_WEIGHT:g}; 1 by default. Fields: "
            + ", ".join(FIELD_ALIASES.get(field, field) for field in FIELDS)
            + ". The identifiers in answers work as well: "
            + ", ".join(FIELD_ALIASES)
            + ".",
            examples=["speech:2,comments:0"],
        ),
    ] = "",
    method: Annotated[Method, Query(description="How the scores of retrievers and fields are fused.")] = "zscore",
    sort: SortParameter = "relevance",
    generation: Generation = "",
    exact: ExactParameter = False,
    nearer: NearerParameter = "",
    picture: PictureParameter = "",
    lane: Annotated[Mode | None, Query(deprecated=True, description="The old name of mode.")] = None,
) -> SearchAnswer:
    """Return the best videos, each with the reasons whose contributions add up to its score: the field, the retriever,
    the passage, the span to look at, the matched words, and the seconds when they are spoken. A video must meet all
    operators and filters. `notes` says which of them no video meets, and which words were corrected."""
    chosen, weights = chosen_mode(mode, lane), weights_of(w)
    conditions, choices = filters(**values), choices_of(nearer)
    return await queue.run(
        lambda: service.with_videos(
            service.answer(
                q,
                k,
                offset=offset,
                mode=chosen,
                weights=weights,
                method=method,
                filters=conditions,
                sort=sort,
                generation=generation or None,
                exact=exact,
                choices=choices,
                picture=picture,
            )
        )
    )


@router.get("/api/suggest", summary="Complete a query", responses=problem_responses(422, 503))
def suggest(
    service: UseService,
    q: Annotated[str, Query(max_length=MAX_QUERY_CHARS, examples=["bread @cru", "#bak"])],
    k: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 8,
) -> Suggestions:
    """Return the query with its last word completed: a creator after @, a hashtag after #, a list after in:, else a
    word of the corpus. Those in the most videos come first."""
    return Suggestions(suggestions=service.suggest(q, k))


@router.get("/api/facets", summary="List the values of filters", responses=problem_responses(404, 503))
def facets(service: UseService, generation: Generation = "") -> Facets:
    """Return the lists in which you met videos, the sources of records, and the languages, each with its number of
    videos."""
    return service.facets(generation or None)
