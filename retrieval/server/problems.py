"""Errors -> problem details (RFC 9457) that say what to do."""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ingest.catalog import CatalogError
from ingest.catalog.database import CatalogLocked
from ingest.catalog.judgements import NoSuchVideo
from ingest.models.weights import WeightsError
from retrieval.corpus.transcripts import NoTranscript
from retrieval.errors import (
    BadFilter,
    BadPicture,
    BadWeights,
    EvaluationError,
    NoVision,
    PartsAway,
    RetrievalError,
    TooLateToUndo,
    UnknownGeneration,
    UnknownPicture,
    UnknownVideo,
)
from retrieval.server.concurrency import RETRY_S, Overloaded
from retrieval.server.headers import SAFE_HEADERS
from retrieval.server.schemas import ProblemDetails
from scraper.disk import DiskError, explain
from scraper.errors import UserError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
# Errors whose message is for the user -> the HTTP status. A subclass without an entry has the status of its base.
STATUS: dict[type[UserError], int] = {
    UnknownGeneration: 404,
    UnknownVideo: 404,
    UnknownPicture: 404,
    NoTranscript: 404,
    NoSuchVideo: 404,
    TooLateToUndo: 410,
    BadFilter: 422,
    BadWeights: 422,
    BadPicture: 422,
    NoVision: 409,
    RetrievalError: 503,
    CatalogError: 503,
    WeightsError: 503,
    DiskError: 503,
    Overloaded: 503,
    UserError: 500,
}
ASK = "Ask whoever runs the server; its log says more."
# Errors of the server whose message names its folders and commands -> what its users read.
FOR_USERS: dict[type[UserError], str] = {
    CatalogLocked: "Another process is writing to the catalog: try again in a few seconds.",
    CatalogError: f"The catalog cannot be used. {ASK}",
    NoVision: "This index does not know what videos show. Whoever runs the server can change that with"
    " `tiktok-retrieval build --vision MODEL`.",
    PartsAway: "No part of the index answers just now: try again in a few seconds.",
    RetrievalError: f"There is no index that can be searched. {ASK}",
    WeightsError: f"The model that reads questions cannot be loaded. {ASK}",
    EvaluationError: "",  # it is about the questions, which are the user's
}


class Problem(UserError):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers


def add_handlers(app: FastAPI) -> None:
    """Answer every error of `app` with a problem detail."""
    app.exception_handler(UserError)(_user_error)
    app.exception_handler(sqlite3.OperationalError)(_database_error)
    app.exception_handler(OSError)(_file_error)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(http_error)
    app.exception_handler(Exception)(_internal_error)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What `responses=` of an endpoint says about its errors."""
    content = {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    problem = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, media_type=MEDIA_TYPE)


def _user_error(request: Request, error: UserError) -> JSONResponse:
    if isinstance(error, Problem):
        return _answer(error.status, str(error), error.headers)
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    detail = _for_users(error)
    if detail:
        log.warning("%s: %s", request.url.path, error)
    soon = isinstance(error, Overloaded | CatalogLocked | PartsAway)
    return _answer(status, detail or str(error), {"Retry-After": str(RETRY_S)} if soon else None)


def _for_users(error: UserError) -> str:
    """What users read instead of an error's own message; "" if that is for them."""
    if isinstance(error, DiskError):
        return f"The server cannot read or write a file: {error.cause.value}. {ASK}"
    return next((FOR_USERS[kind] for kind in type(error).__mro__ if kind in FOR_USERS), "")


def _file_error(request: Request, error: Exception) -> JSONResponse:
    known = explain(error)
    if known is None:
        raise error
    return _user_error(request, known)


def _database_error(request: Request, error: Exception) -> JSONResponse:
    if known := explain(error):
        return _user_error(request, known)
    log.warning("%s: a database file cannot be read or written: %s", request.url.path, error)
    return _answer(503, f"A database file cannot be read or written. {ASK}")


def _invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
    def where(loc: Sequence[str | int]) -> str:  # ("query", "k"), ("body", "video_id"), ("body", 1) of broken JSON
        return ".".join(name for name in loc[1:] if isinstance(name, str)) or str(loc[0])

    return _answer(422, "; ".join(f"{where(part['loc'])}: {part['msg']}" for part in error.errors()))


def http_error(_: Request, error: HTTPException) -> JSONResponse:
    return _answer(error.status_code, error.detail, dict(error.headers or {}))


def _internal_error(_: Request, error: Exception) -> JSONResponse:
    # this answer does not go through the middleware that adds them to all others
    return _answer(500, "Internal error. See the server log.", SAFE_HEADERS)
