"""Wrong tokens and passwords -> answered later and later by address, and a line in the log."""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

FREE = 5  # wrong ones that are answered at once: a person mistypes
FIRST_WAIT_S = 0.25  # doubles with each one more
MAX_WAIT_S = 4.0
AT_ONCE = 16  # answers that one address may wait for
IN_ALL = 128
FORGOTTEN_AFTER_S = 600.0
MAX_ADDRESSES = 10_000  # that are remembered
LOG_EVERY_S = 60.0
MAX_LOGGED = 1_000  # addresses that are counted one by one for a line of the log
log = logging.getLogger(__name__)


@dataclass
class _Address:
    wrong: int = 0
    waiting: int = 0
    last_s: float = 0.0


class Guesses:
    """Counts wrong tokens and passwords by address. To use in the event loop."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()  # the one that was wrong last is the last
        self._waiting = 0
        self._unlogged: dict[str, int] = {}
        self._logged_s = -LOG_EVERY_S

    def may_try(self, address: str) -> bool:
        """Return whether an address may bring another token: not if it waits for too many answers already.

        What it brings is not looked at then, or else it could find the right one by asking often enough at once.
        """
        known = self._addresses.get(address)
        slowed = known is not None and known.wrong > FREE
        return not slowed or (self._waiting < IN_ALL and known is not None and known.waiting < AT_ONCE)

    async def wrong(self, address: str) -> None:
        """Count a wrong token or password, and wait as long as its answer has to."""
        known = self._count(address)
        self._log(address)
        if known.wrong <= FREE:
            return
        known.waiting += 1
        self._waiting += 1
        try:
            await asyncio.sleep(min(FIRST_WAIT_S * 2.0 ** min(known.wrong - FREE - 1, 10), MAX_WAIT_S))
        finally:
            known.waiting -= 1
            self._waiting -= 1

    def _count(self, address: str) -> _Address:
        now = time.monotonic()
        known = self._addresses.setdefault(address, _Address())
        if now - known.last_s > FORGOTTEN_AFTER_S:
            known.wrong = 0
        known.wrong, known.last_s = known.wrong + 1, now
        self._addresses.move_to_end(address)
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)
        return known

    def _log(self, address: str) -> None:
        address = address if len(self._unlogged) < MAX_LOGGED else "further addresses"
        self._unlogged[address] = self._unlogged.get(address, 0) + 1
        if time.monotonic() - self._logged_s < LOG_EVERY_S:
            return
        most = max(self._unlogged, key=lambda one: self._unlogged[one])
        count = sum(self._unlogged.values())
        log.warning(
            "wrong token or password: %d since the last such line, %d of them from %s",
            count,
            self._unlogged[most],
            most,
        )
        self._unlogged.clear()
        self._logged_s = time.monotonic()
