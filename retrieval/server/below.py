"""An application below a path of a proxy -> the same answers whether the proxy removes that path or leaves it.

nginx removes it if `proxy_pass` ends with a slash, and leaves it otherwise. Without a proxy, the page's own links have
it as well, so that the page also works at the address of this server.
"""

from collections.abc import Iterable, Iterator

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Below:
    """ASGI middleware that removes the path `root_path`, which the server has put in front, if it is there twice."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path
        # The path may have the name of one of our own, such as /api. Then the proxy must remove it.
        self._can_be_twice = root_path.split("/")[1] not in set(first_parts(getattr(app, "routes", ())))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._can_be_twice:
            inner = scope["path"].removeprefix(self._root_path)
            if inner == self._root_path:
                query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
                leads = RedirectResponse(f"{self._root_path.rpartition('/')[2]}/{query}")  # relative
                await leads(scope, receive, send)
                return
            if inner.startswith(f"{self._root_path}/"):
                raw = scope["raw_path"].removeprefix(self._root_path.encode())
                scope = {**scope, "path": inner, "raw_path": raw}
        await self._app(scope, receive, send)


def first_parts(routes: Iterable[object]) -> Iterator[str]:
    """Yield the first part of the path of each route."""
    for route in routes:
        if part := getattr(route, "path", "").strip("/").partition("/")[0]:
            yield part
        else:
            yield from first_parts(getattr(route, "routes", None) or ())
