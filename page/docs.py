"""The documentation of the repository -> pages in the page's own design. An installed program may have none."""

import posixpath
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from page.shell import brand, head

FOLDER = Path(__file__).resolve().parent.parent / "docs"
START = "README.md"
IMAGES = {".png": "image/png", ".svg": "image/svg+xml"}


@cache
def files() -> dict[str, Path]:
    """Return the documents and pictures by their paths below the folder. Nothing else is served."""
    found = FOLDER.rglob("*") if (FOLDER / START).is_file() else ()
    return {path.relative_to(FOLDER).as_posix(): path for path in found if path.suffix in {".md", *IMAGES}}


def slug(heading: str) -> str:
    """Return the name of a heading in links, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def page(name: str, home: str) -> str:
    """Return a document as a page.

    Args:
        home: the path that leads from it to the page.
    """
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(files()[name].read_text(encoding="utf-8"))
    title = "Documentation"
    for token, inner in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(inner.content.replace("`", "")))
            title = inner.content if token.tag == "h1" else title
        for link in token.children or ():
            if link.type == "link_open" and not _is_served(name, str(link.attrGet("href"))):
                link.attrs.clear()
    shown = markdown.renderer.render(tokens, markdown.options, {})
    return (
        f'{head(f"{title} · Documentation", home)}</head><body data-state="docs"><header id="top">{brand(home)}'
        f'<nav aria-label="Main"><a href="{home}">Search</a><a href="{home}docs/" aria-current="page">Documentation</a>'
        f'</nav></header><main class="docs">{shown}</main></body></html>'
    )


def _is_served(name: str, address: str) -> bool:
    """Return whether a link of a document leads to another site, to a heading, or to a file that is served."""
    path = address.partition("#")[0]
    return "://" in path or not path or posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) in files()


def routes() -> APIRouter:
    """Return the routes below /docs."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    def with_slash() -> Response:
        return RedirectResponse("docs/")  # relative, because a proxy may have another name, scheme and path

    @router.api_route("/docs/", methods=["GET", "HEAD"])
    def start() -> Response:
        return shown(START)

    @router.api_route("/docs/{name:path}", methods=["GET", "HEAD"])
    def shown(name: str) -> Response:
        if name not in files():
            raise HTTPException(404, "There is no such document.")
        path = files()[name]
        if kind := IMAGES.get(path.suffix):
            return FileResponse(path, media_type=kind)
        return HTMLResponse(page(name, "../" * (name.count("/") + 1)))

    return router
