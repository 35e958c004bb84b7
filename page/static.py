"""The page's scripts -> ES modules that a browser loads and keeps: their address changes with their content."""

import hashlib
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

_FOLDER = files("page") / "assets" / "modules"
MODULES = {file.name: file.read_bytes() for file in _FOLDER.iterdir() if file.name.endswith(".js")}
VERSION = hashlib.sha256(b"".join(MODULES[name] for name in sorted(MODULES))).hexdigest()[:12]
HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def address(name: str) -> str:
    """Return the address of a module, relative to the page: a page may be served below a path."""
    return f"page/modules/{VERSION}/{name}"


def load(name: str) -> str:
    """Return the script that starts a module in a Gradio element, as `js_on_load` takes it."""
    return f'import(new URL("{address(name)}", document.baseURI)).then((module) => module.start(element, trigger));'


def preloads() -> str:
    """Return the HTML that makes a browser fetch all modules while Gradio still loads."""
    return "".join(f'<link rel="modulepreload" href="{address(name)}">' for name in sorted(MODULES))


def routes() -> APIRouter:
    """Return the routes of the modules; to include before the page is mounted."""
    router = APIRouter()

    @router.api_route("/page/modules/{version}/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    def module(version: str, name: str) -> Response:
        if version != VERSION or name not in MODULES:
            raise HTTPException(404, "No such script. Reload the page.")
        return Response(MODULES[name], media_type="text/javascript; charset=utf-8", headers=HEADERS)

    return router
