"""How long each step of a search takes."""

import time
from collections.abc import Mapping


class Timer:
    """Milliseconds by step. `lap` ends a step and starts the next one."""

    def __init__(self) -> None:
        self.steps_ms: dict[str, float] = {}
        self._started = time.perf_counter()

    def lap(self, step: str) -> None:
        """Record the time since the last lap as that of `step`."""
        now = time.perf_counter()
        self.steps_ms[step] = (now - self._started) * 1000
        self._started = now

    def include(self, steps_ms: Mapping[str, float]) -> None:
        """Add steps that another timer has measured, and start the next step now."""
        self.steps_ms |= steps_ms
        self._started = time.perf_counter()

    def summary(self) -> dict[str, float]:
        """Return all steps and their "total", rounded to microseconds."""
        steps = self.steps_ms | {"total": sum(self.steps_ms.values())}
        return {step: round(value, 3) for step, value in steps.items()}
