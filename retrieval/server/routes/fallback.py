"""Requests that no endpoint takes as they are: HEAD, unknown parameters, other methods, and paths that do not exist."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.routing import Match

from retrieval.server.problems import Problem

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def only_known_parameters(request: Request) -> None:
    """Refuse a parameter that would be ignored, such as `weights` instead of `w`.

    Raises:
        Problem: 422.
    """
    route = request.scope["route"]
    if isinstance(route, APIRoute) and route.include_in_schema:
        parts = [route.dependant, *route.dependant.dependencies]  # the filters are a separate dependency
        known = [parameter.alias for part in parts for parameter in part.query_params]
        if unknown := set(request.query_params) - set(known):
            allowed = f"Allowed: {', '.join(known)}." if known else "This address takes none."
            raise Problem(422, f"Unknown parameter {min(unknown)[:40]!r}. {allowed}")


def head(routers: Sequence[APIRouter]) -> APIRouter:
    """Return routes that answer HEAD wherever `routers` answer GET; the server leaves the body out."""
    router = APIRouter()
    for route in _routes(routers):
        if "GET" in (route.methods or ()):
            router.add_api_route(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)
    return router


def not_found(routers: Sequence[APIRouter]) -> APIRouter:
    """Return routes that answer what `routers` do not, below /api and /media: 404, or 405 with `Allow`."""
    router, routes = APIRouter(), _routes(routers)

    @router.api_route("/api/{rest:path}", methods=_METHODS, include_in_schema=False)
    @router.api_route("/media/{rest:path}", methods=_METHODS, include_in_schema=False)
    def refuse(request: Request, rest: str) -> None:
        allowed = {
            method
            for route in routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        if allowed:
            allow = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
            raise Problem(405, f"{request.method} is not allowed here. Allowed: {allow}.", {"Allow": allow})
        raise Problem(404, "Not found. See /openapi.json.")

    return router


def _routes(routers: Sequence[APIRouter]) -> list[APIRoute]:
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
