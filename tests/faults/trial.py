"""The outcome of one injected fault, and the table of all of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Trial:
    """One fault: what was tried, whether the program held, and how it ended, in a few words."""

    what: str
    held: bool
    how: str
    detail: str = ""


def rows(trials: Iterable[Trial]) -> list[dict[str, object]]:
    """Return one row for each kind of fault: how many were tried, held and broke, and how often each ending."""
    kinds: dict[str, list[Trial]] = {}
    for trial in trials:
        kinds.setdefault(trial.what, []).append(trial)
    return [
        {
            "what": what,
            "tried": len(some),
            "held": sum(trial.held for trial in some),
            "broke": sum(not trial.held for trial in some),
            "how": dict(Counter(trial.how for trial in some).most_common()),
            "broken": [asdict(trial) for trial in some if not trial.held],
        }
        for what, some in kinds.items()
    ]


def markdown(table: Iterable[dict[str, object]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| what | tried | held | broke | how |", "|---|---|---|---|---|"]
    for row in table:
        how = row["how"]
        assert isinstance(how, dict)
        ends = ", ".join(f"{number} {end}" for end, number in how.items())
        lines.append(f"| {row['what']} | {row['tried']} | {row['held']} | {row['broke']} | {ends} |")
    return "\n".join(lines)
