"""Why a file or a page could not be fetched: a code and a sentence for each reason.

The ledger counts equal sentences and shows them, so no link, host or number of a single case may appear in one.
"""

from scraper.errors import UserError

FAILURES: dict[str, str] = {
    # known from the link, without a request
    "nolink": "the record has no link to it",
    "malformed": "the link, or the server's answer, is malformed",
    "scheme": "the link is not https (or http, where that is allowed)",
    "blob": "the link is a blob: link, which only worked in the browser that scraped it",
    "expired": "the link has expired",
    "host": "the link leads to a host that is not on the list of allowed ones",
    # on the way to the server
    "address": "the link leads into your local network",
    "dns": "the server's name cannot be resolved",
    "unreachable": "the server cannot be reached",
    "proxy": "the proxy from the environment refuses the connection",
    "hungup": "the server closed the connection without an answer",
    "timeout": "the server did not answer in time, or stopped sending",
    "deadline": "the transfer took longer than the time limit",
    "tls": "no encrypted connection could be made",
    "certificate-name": "the server's certificate is for another name",
    "certificate": "the server's certificate is not valid",
    # the server's answer
    "login": "the server requires a login",
    "forbidden": "the server forbids it",
    "notfound": "the server does not have it",
    "gone": "the server says that it is gone for good",
    "busy": "the server has had too many requests, also after several tries",
    "server": "the server keeps failing, also after several tries",
    "status": "the server gave neither the file nor a known reason",
    "redirects": "the server redirects in circles",
    "type": "the server sent another kind of file",
    "broken": "the file arrived incomplete",
    "large": "the file is larger than allowed",
    "empty": "the server sent nothing",
    # on this computer
    "stopped": "the run was stopped",
    "damaged": "the file in the data folder is damaged, and the record has no link to it: import it again",
    "target": "the file's name or folder is not a plain one below the data folder",
    # the page of a video, read by yt-dlp
    "private": "the post is private",
    "removed": "the post is not available any more",
    "blocked": "the site blocks this computer or network",
    "noytdlp": "yt-dlp is not installed: install it with `pip install yt-dlp`",
    "page": "yt-dlp could not read the page",
}

# Failures that a fresh link from the video's page may solve. Trouble with the network, this computer or the server is
# not among them: the fresh link would meet it as well. `host` and `scheme` are: a record may hold a mirror's link, and
# the page gives the site's link. `certificate-name` is: a fresh link often names another edge server.
DEAD = frozenset(
    {"nolink", "malformed", "scheme", "blob", "expired", "host", "certificate-name"}
    | {"damaged", "login", "forbidden", "notfound", "gone", "redirects", "type", "empty"}
)


class DownloadError(UserError):
    """A file could not be fetched. `code` and `sentence` say why, the same for every such case."""

    def __init__(self, code: str) -> None:
        self.code, self.sentence = code, FAILURES[code]
        super().__init__(f"{code}: {self.sentence}")

    @property
    def dead(self) -> bool:
        """Whether a fresh link from the video's page could help."""
        return self.code in DEAD
