"""A flood of equal lines in the log -> one line a minute, which says how many there were."""

import logging
import time

EVERY_S = 60.0
MAX_TEXTS = 1_000  # that are remembered


class OncePerMinute(logging.Filter):
    """Lets a text through once a minute. The next one says how many it stands for."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}  # when it was last let through, and left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record goes into the log."""
        text, now = _text(record), time.monotonic()
        last_s, left_out = self._seen.get(text, (-self._every_s, 0))
        if now - last_s < self._every_s:
            self._seen[text] = (last_s, left_out + 1)
            return False
        if len(self._seen) >= MAX_TEXTS:
            self._seen.clear()
        self._seen[text] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage().rstrip()} ({left_out:,} more of these before)", ()
        return True


def _text(record: logging.LogRecord) -> tuple[object, ...]:
    """Return what makes two records equal: the first line, and where an exception was raised."""
    kind, trace, line = None, record.exc_info[2] if record.exc_info else None, 0
    if record.exc_info:
        kind = record.exc_info[0]
    while trace:
        line, trace = trace.tb_lineno, trace.tb_next
    return record.name, record.getMessage().partition("\n")[0], kind, line
