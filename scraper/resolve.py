"""A short link -> the address of its video: redirects are followed, only to the site's hosts, until one has an id."""

import threading
from urllib.parse import urljoin

import requests

from scraper import safe_http
from scraper.download import HEADERS, STATUSES, Rules, checked_link
from scraper.failures import DownloadError
from scraper.links import from_link
from scraper.safe_http import Session
from scraper.watch import Watch

LIMIT_S = 30.0  # for all redirects of one link; each takes less than a second
HOPS = 5
RULES = Rules(hosts=("tiktok.com",))


def target(link: str, stopped: threading.Event | None = None) -> str:
    """The address of the video that a short link leads to; "" if it leads to no video any more.

    Raises:
        DownloadError: the site gives no answer, or refuses.
    """
    with Watch(LIMIT_S, stopped or threading.Event()) as watch, Session(watch, local=False) as session:
        try:
            for _ in range(HOPS):
                try:
                    url, _host = checked_link(link, RULES)
                except DownloadError:  # it leads elsewhere
                    return ""
                timeout = (safe_http.CONNECT_S, safe_http.READ_S)
                with session.get(url, headers=HEADERS, stream=True, timeout=timeout) as response:
                    moved = session.moved(response)
                if not moved:
                    if response.status_code in (200, 404, 410):
                        return ""
                    raise DownloadError(STATUSES.get(response.status_code, "status"))
                link = urljoin(url, moved)
                try:
                    return str(from_link(link)["permalink"])
                except ValueError:
                    continue
        except requests.RequestException as error:
            watch.check()
            raise DownloadError(safe_http.code_of(error)) from error
    return ""
