"""The page's scripts and styles -> one script and one style sheet, so that a browser asks twice.

Their addresses change with their content, so a browser may keep them. In its file, each script is an ES module with
imports and exports. Here it becomes a function, which runs after the functions of what it imports.
"""

import hashlib
import re
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

_ASSETS = files("page") / "assets"
FIRST = "main.js"  # the module that starts the page
# A later style sheet changes what an earlier one says.
STYLES = ("tokens", "base", "header", "search", "results", "view", "pictures", "library", "evaluate", "add")
HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_IMPORT = re.compile(r'^import \{ (?P<names>[^}]+) \} from "\./(?P<module>\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?P<kind>(?:async )?function|const|let|class) (?P<name>\w+)", re.MULTILINE)


def modules() -> dict[str, str]:
    """Return the scripts by their file names."""
    scripts = (_ASSETS / "modules").iterdir()
    return {file.name: file.read_text(encoding="utf-8") for file in scripts if file.name.endswith(".js")}


def script(sources: dict[str, str], first: str = FIRST) -> str:
    """Return the module `first` and all that it imports as one script.

    Raises:
        ValueError: modules import each other in a circle, import what does not exist, or in a form not used here.
    """
    done: list[str] = []
    parts: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"{' imports '.join((*above, name))}")
        if name in done:
            return
        if name not in sources:
            raise ValueError(f"{above[-1] if above else 'the page'} imports {name}, which does not exist")
        for found in _IMPORT.finditer(sources[name]):
            add(found["module"], (*above, name))
        parts.append(_as_function(name, sources[name]))
        done.append(name)

    add(first, ())
    return "\n".join(parts)


def _as_function(name: str, source: str) -> str:
    """Return a module as a constant: an object with what it exports."""
    body = _IMPORT.sub(lambda found: f"const {{ {found['names']} }} = {_constant(found['module'])};\n", source)
    exported = [found["name"] for found in _EXPORT.finditer(body)]
    body = _EXPORT.sub(r"\g<kind> \g<name>", body)
    if left := re.search(r"^(?:import|export)\b.*", body, re.MULTILINE):
        raise ValueError(f"{name} has a form of import or export that is not used here: {left[0]}")
    return f"const {_constant(name)} = (() => {{ // {name}\n{body}return {{ {', '.join(exported)} }};\n}})();"


def _constant(name: str) -> str:
    return f"m_{name.removesuffix('.js')}"


def style() -> str:
    """Return all style sheets as one."""
    return "".join((_ASSETS / "styles" / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)


MARK = (_ASSETS / "mark.svg").read_text(encoding="utf-8")  # the logo
# by name: content and type
_FILES = {
    "page.js": (script(modules()), "text/javascript; charset=utf-8"),
    "page.css": (style(), "text/css; charset=utf-8"),
    "mark.svg": (MARK, "image/svg+xml"),
}
VERSION = hashlib.sha256("".join(content for content, _ in _FILES.values()).encode()).hexdigest()[:12]


def address(name: str) -> str:
    """Return the address of a file, relative to the page: a page may be served below a path."""
    return f"page/assets/{VERSION}/{name}"


def routes() -> APIRouter:
    """Return the routes of the files."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/page/assets/{version}/{name}", methods=["GET", "HEAD"])
    def file(version: str, name: str) -> Response:
        if version != VERSION or name not in _FILES:
            raise HTTPException(404, "No such file. Reload the page.")
        content, kind = _FILES[name]
        return Response(content, media_type=kind, headers=HEADERS)

    @router.api_route("/favicon.ico", methods=["GET", "HEAD"])
    def favicon() -> Response:  # for what asks without reading the page
        return Response(MARK, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=86400"})

    @router.api_route("/robots.txt", methods=["GET", "HEAD"])
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /\n", media_type="text/plain")

    return router
