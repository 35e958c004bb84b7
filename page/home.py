"""What the tab Search shows before the first question: how many videos there are, and the latest."""

from typing import TYPE_CHECKING

from page.library_view import tile

if TYPE_CHECKING:
    from retrieval.server.service import Service

LATEST = 12


def latest_html(service: "Service") -> str:
    """Return the number of videos and the ones saved last.

    Raises:
        CatalogError: the catalog cannot be used.
    """
    shown = service.library.shelf().show(limit=LATEST)
    videos = service.summaries(shown.ids)
    tiles = "".join(tile(video, videos[video]) for video in shown.ids if video in videos)
    count = f"{shown.total:,} video{'s' * (shown.total != 1)}"
    return (
        f'<section class="latest" aria-labelledby="latest-title"><h2 id="latest-title">{count}, the latest</h2>'
        f'<a class="button" href="?tab=Library" data-tab="Library">Look through all</a><ul class="covers">{tiles}</ul>'
        "</section>"
    )
