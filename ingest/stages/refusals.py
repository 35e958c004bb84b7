"""Notice when the site refuses all requests, so that the run stops instead of failing video by video."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from scraper.errors import UserError
from scraper.failures import FAILURES

# How often a page may fail for the same reason, one after another, before it is the site's reason and not the video's.
# A few videos in a row can each require a login or have a page that yt-dlp cannot read; a block concerns all.
_TIMES = {"blocked": 3, "busy": 3, "login": 8, "page": 10, "server": 5} | dict.fromkeys(
    ("dns", "unreachable", "proxy", "timeout", "deadline", "certificate", "certificate-name"), 3
)
_ADVICE = {
    "blocked": "wait some hours, or use another network",
    "busy": "wait an hour",
    "login": "wait some hours, or use another network",
    "page": "the site may have changed: update yt-dlp with `pip install --upgrade yt-dlp`",
    "server": "wait some hours",
}
_CONNECTION = "check the connection"

Held = TypeVar("Held")


class Refused(UserError):
    """The site gives no pages. The videos that are not fetched stay due."""

    def __init__(self, code: str, times: int) -> None:
        super().__init__(
            f"{FAILURES[code]} ({times} times in a row). The videos that are left stay due:"
            f" {_ADVICE.get(code, _CONNECTION)}, then run the same command again."
        )


@dataclass
class Streak(Generic[Held]):
    """The videos whose pages failed one after another for a reason that may be the site's."""

    held: list[Held] = field(default_factory=list)
    _codes: Counter[str] = field(default_factory=Counter)

    def hold(self, code: str, video: Held) -> bool:
        """Hold back a video whose page failed, and return True, if the reason may be the site's.

        Raises:
            Refused: it is.
        """
        if code not in _TIMES:
            return False
        self.held.append(video)
        self._codes[code] += 1
        if self._codes[code] >= _TIMES[code]:
            raise Refused(code, _TIMES[code])
        return True

    def end(self) -> list[Held]:
        """The site has answered, so the reasons were the videos'. Return the videos that were held back."""
        held, self.held = self.held, []
        self._codes.clear()
        return held
