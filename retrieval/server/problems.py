"""Errors -> problem details (RFC 9457) that say what to do."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ingest.catalog import CatalogError
from ingest.catalog.judgements import NoSuchVideo
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError, UnknownGeneration, UnknownVideo
from retrieval.server.concurrency import RETRY_S, Overloaded
from retrieval.server.schemas import ProblemDetails


class Problem(Exception):
    """A request that cannot be answered, with the HTTP status that says why."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def _add_handlers(app: FastAPI) -> None:
    def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
        problem = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
        return JSONResponse(problem.model_dump(), status, headers, media_type="application/problem+json")

    @app.exception_handler(Problem)
    def refused(_: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.detail, problem.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        def where(loc: Sequence[str | int]) -> str:  # ("query", "k"), ("body", "video_id"), ("body", 1) of broken JSON
            return ".".join(name for name in loc[1:] if isinstance(name, str)) or str(loc[0])

        return answer(422, "; ".join(f"{where(part['loc'])}: {part['msg']}" for part in error.errors()))

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(UnknownGeneration)
    @app.exception_handler(NoSuchVideo)
    @app.exception_handler(UnknownVideo)
    def unknown(_: Request, error: Exception) -> JSONResponse:
        return answer(404, str(error))

    @app.exception_handler(RetrievalError)
    @app.exception_handler(CatalogError)
    @app.exception_handler(WeightsError)
    def unready(_: Request, error: Exception) -> JSONResponse:
        return answer(503, str(error))

    @app.exception_handler(Overloaded)
    def busy(_: Request, error: Overloaded) -> JSONResponse:
        return answer(503, str(error), {"Retry-After": str(RETRY_S)})

    @app.exception_handler(Exception)
    def broken(_: Request, error: Exception) -> JSONResponse:
        return answer(500, "this is a fault of the program; its log says more")
