"""Requests and searches -> counters for Prometheus, at /metrics; no label comes from a request's own words."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.server.concurrency import Queue
from retrieval.server.service import Service

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one server."""

    def __init__(self, service: Service, queue: Queue) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tiktok_retrieval_requests_total", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "tiktok_retrieval_request_seconds", "Seconds a request took.", ["route"], buckets=SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._steps = Histogram(
            "tiktok_retrieval_search_seconds", "Seconds of a search, by step.", ["step"], buckets=SECONDS,
            registry=self._registry,
        )  # fmt: skip
        waiting = Gauge("tiktok_retrieval_searches_waiting", "Searches that wait their turn.", registry=self._registry)
        waiting.set_function(lambda: queue.waiting)
        videos = Gauge("tiktok_retrieval_videos", "Videos in the generation that answers.", registry=self._registry)
        videos.set_function(service.answering_videos)

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def search(self, timings_ms: Mapping[str, float]) -> None:
        for step, milliseconds in timings_ms.items():
            self._steps.labels(step).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that counts requests by the template of their route: what is asked is in no label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, began = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            known = route if route.startswith(("/api", "/media", "/page", "/metrics")) else "page"
            self._metrics.request(known, status, time.perf_counter() - began)
