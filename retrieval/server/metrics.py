"""Requests and searches -> counters for Prometheus, at /metrics. No label holds anything that a request contains."""

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one server.

    Args:
        waiting: how many searches wait for their turn.
        videos: how many videos the generation that answers has.
    """

    def __init__(self, waiting: Callable[[], float], videos: Callable[[], float]) -> None:
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
        self._gauge("tiktok_retrieval_searches_waiting", "Searches waiting for their turn.", waiting)
        self._gauge("tiktok_retrieval_videos", "Videos in the generation that answers.", videos)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def search(self, timings_ms: Mapping[str, float]) -> None:
        """Record how long the steps of a search took."""
        for step, milliseconds in timings_ms.items():
            self._steps.labels(step).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """Return all metrics in the format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(name, text, registry=self._registry).set_function(value)


class Measured:
    """ASGI middleware that counts requests by the template of their route, never by their path or query."""

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
