"""What the endpoints share: the parts of the server that they use, and the bounds of their parameters."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from retrieval.server.concurrency import Queue
from retrieval.server.metrics import Metrics
from retrieval.server.schemas import MAX_FILTER_CHARS
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


Generation = Annotated[str, filter_query("Name of the generation to search; the current one by default.")]
