"""Show how far long work is: a bar on a terminal, a line now and then elsewhere, or JSON for another program."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

ProgressMode = Literal["auto", "json", "off"]

LINE_EVERY_S = 30.0  # between lines of text where no terminal shows a bar
JSON_EVERY_S = 0.5  # between lines of JSON: often enough for a bar on a page

Item = TypeVar("Item")


class Progress:
    """The progress of one piece of work, on stderr. Use it as a context manager.

    Modes:
        auto: a bar on a terminal, elsewhere a line of text every 30 seconds.
        json: one object a line, `{"stage": "ocr", "done": 3, "total": 20, "failed": 1}`. `done` counts all finished
            items, `failed` those of them that failed. `total` is null if it is not known.
        off: nothing.
    """

    _bar: "tqdm[Any] | None" = None

    def __init__(self, stage: str, total: int | None, mode: ProgressMode = "off", *, unit: str = "items") -> None:
        self.stage, self.total = stage, total
        self.mode: ProgressMode = "off" if total == 0 else mode
        self._counts: Counter[str] = Counter()  # finished items by outcome
        self._started = time.monotonic()
        self._shown_at: float | None = None  # when the last line was written
        if self.mode == "auto" and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=stage, unit=f" {unit}")
        elif self.mode == "json":
            self._json()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self.mode == "json":
            self._json()
        elif self._shown_at is not None:
            self._line()

    def begin(self, stage: str, total: int | None) -> None:
        """Show another piece of work from its beginning, in the same bar."""
        self.stage, self.total = stage, total
        self._counts.clear()
        self._started, self._shown_at = time.monotonic(), None
        if self._bar is not None:
            self._bar.reset(total)
        self.step(stage)

    def step(self, stage: str) -> None:
        """Name what is being done now. What is finished still counts."""
        self.stage = stage
        if self._bar is not None:
            self._bar.set_description(stage)
        elif self.mode == "json":
            self._json()

    def say(self, text: str) -> None:
        """Print a sentence above the progress."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        elif self.mode != "off":
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for a question. The bar comes back with the next item."""
        if self._bar is not None:
            self._bar.clear()

    @property
    def finished(self) -> int:
        """How many items are finished, whatever their outcome."""
        return self._counts.total()

    def advance(self, count: int = 1, outcome: str = "done") -> None:
        """Count finished items."""
        self._counts[outcome] += count
        now = time.monotonic()
        if self._bar is not None:
            if failed := self._counts["failed"]:
                self._bar.set_postfix(failed=failed, refresh=False)
            self._bar.update(count)
        elif self.mode == "json":
            if self._shown_at is None or now - self._shown_at > JSON_EVERY_S:
                self._json()
        elif self.mode == "auto" and now - (self._shown_at or self._started) > LINE_EVERY_S:
            self._line()

    def track(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield `items`, counting each as done when the next one is asked for."""
        with self:
            for item in items:
                yield item
                self.advance()

    def _json(self) -> None:
        self._shown_at = time.monotonic()
        counts = {"done": self.finished, "total": self.total, "failed": self._counts["failed"]}
        print(json.dumps({"stage": self.stage, **counts}), file=sys.stderr, flush=True)

    def _line(self) -> None:
        from tqdm import tqdm

        self._shown_at = time.monotonic()
        parts = [f"{count} {outcome}" for outcome, count in self._counts.items()] or ["nothing yet"]
        if self.total is not None:
            parts.append(f"of {self.total}")
        spent_s, finished = self._shown_at - self._started, self.finished
        ahead = ""
        if self.total and 0 < finished < self.total:
            left = tqdm.format_interval(spent_s / finished * (self.total - finished))
            ahead = f"; {60 * finished / spent_s:.1f} a minute, {left} left"
        print(f"{self.stage}: {', '.join(parts)}{ahead}", file=sys.stderr, flush=True)
