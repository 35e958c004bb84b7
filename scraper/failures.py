"""Why a file or a page could not be had: one word and one sentence for each way, with nothing of the case in them.

The ledger counts equal ones, and shows them: no link, no host and no number of a case may be in there.
"""

from scraper.errors import UserError

FAILURES: dict[str, str] = {
    # told by the link alone, without asking
    "nolink": "the record has no link to it",
    "malformed": "the link, or the server's answer, is malformed",
    "scheme": "the link does not lead to https (or to http, where that is allowed)",
    "blob": "the link is a blob: that lived in the scraping browser only",
    "expired": "the link has expired",
    "host": "the link leads to a host that is not on the list of allowed ones",
    # on the way to the server
    "address": "the link leads into the own network",
    "dns": "the server's name cannot be resolved",
    "unreachable": "the server cannot be reached",
    "proxy": "the proxy of the environment does not let it through",
    "hungup": "the server hung up without an answer",
    "timeout": "the server did not answer in time, or stopped sending",
    "deadline": "the transfer took longer than all in all allowed",
    "tls": "no encrypted connection came about",
    "certificate-name": "the server's certificate is for another name",
    "certificate": "the server's certificate is not valid",
    # the server's answer
    "login": "the server wants a login first",
    "forbidden": "the server forbids it",
    "notfound": "the server does not have it",
    "gone": "the server says that it is gone for good",
    "busy": "the server has had too many requests, also after several tries",
    "server": "the server keeps failing, also after several tries",
    "status": "the server gave neither the file nor a known reason",
    "redirects": "the server redirects in circles",
    "type": "the server sent something else than such a file",
    "broken": "the file arrived incomplete",
    "large": "the file is larger than allowed",
    "empty": "the server sent nothing",
    # on this side
    "stopped": "the run was stopped",
    "target": "the file's name or folder is not a plain one below the data folder",
    # the page of a video, read through yt-dlp
    "private": "the post is private",
    "removed": "the post is not available any more",
    "blocked": "the site turns this computer or network away",
    "noytdlp": 'yt-dlp is not installed: pip install "tiktok-retrieval[afresh]"',
    "page": "yt-dlp could not read the page",
}

# Links that a fresh one from the video's page may replace. Not among them: what lies with the network, this computer or
# a server's passing trouble, for the fresh link would meet the same. `host` and `scheme` are: a record may hold a
# mirror's link, the page gives the site's own. `certificate-name` is: a fresh link often names another edge server.
DEAD = frozenset(
    {"nolink", "malformed", "scheme", "blob", "expired", "host", "certificate-name"}
    | {"login", "forbidden", "notfound", "gone", "redirects", "type", "empty"}
)


class DownloadError(UserError):
    """A file could not be had; `word` and `sentence` say why, the same for every such case."""

    def __init__(self, word: str) -> None:
        self.word, self.sentence = word, FAILURES[word]
        super().__init__(f"{word}: {self.sentence}")

    @property
    def dead(self) -> bool:
        """Whether a fresh link from the video's page could help."""
        return self.word in DEAD
