"""A real question to the index now and then: what shows that searches are answered."""

import time

from retrieval.search.searcher import Searcher

TRIED_FOR_S = 10.0  # how long an answered question shows that the next one is answered as well
_QUESTION = "the video that I saw"


class Trial:
    """Asks a generation one real question, and again when some time has passed."""

    def __init__(self) -> None:
        self._answered: tuple[str, float] = ("", 0.0)

    def ask(self, searcher: Searcher) -> None:
        """Search once.

        Raises:
            Exception: the searcher cannot answer.
        """
        name, at = self._answered
        if name != searcher.generation.name or time.monotonic() > at + TRIED_FOR_S:
            searcher.search(_QUESTION, 1)
            self._answered = (searcher.generation.name, time.monotonic())
