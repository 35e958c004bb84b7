"""Values of the same questions by several searches -> paired tests, and a verdict that claims only what they show."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from retrieval.evaluation.measures import Values
from retrieval.evaluation.significance import (
    CONFIDENCE,
    ENOUGH,
    SIGNIFICANT,
    holm,
    interval,
    paired_p_value,
    smallest_difference,
)


class PairedTest(BaseModel):
    """A paired randomisation test; `difference` is `first` minus `second`, with its 95% bootstrap interval.

    `p_holm` is p corrected for all pairs. `smallest` is the difference that these questions would show with probability
    0.8. Files of earlier versions have neither interval nor `smallest`.
    """

    measure: str
    first: str
    second: str
    difference: float
    low: float | None = None
    high: float | None = None
    better: int
    worse: int
    p: float
    p_holm: float
    smallest: float | None = None

    @property
    def significant(self) -> bool:
        return self.p_holm < SIGNIFICANT and self.difference != 0

    def of(self, label: str) -> "PairedTest":
        """Return the test with `label`, one of the two, as the first."""
        if label == self.first:
            return self
        low, high = (None if bound is None else -bound for bound in (self.high, self.low))
        turned = {"first": self.second, "second": self.first, "difference": -self.difference, "low": low, "high": high}
        return self.model_copy(update=turned | {"better": self.worse, "worse": self.better})


def paired_tests(measure: str, values: Mapping[str, Values], pairs: Iterable[tuple[str, str]]) -> list[PairedTest]:
    """Return the test of each pair of names in `values`, corrected for all of `pairs`."""
    pairs = list(pairs)
    ps = [paired_p_value(values[one], values[two]) for one, two in pairs]
    tests = []
    for (one, two), p, corrected in zip(pairs, ps, holm(ps), strict=True):
        left, right = values[one], values[two]
        low, high = interval(left - right)
        tests.append(
            PairedTest(
                measure=measure,
                first=one,
                second=two,
                difference=float((left - right).mean()),
                low=low,
                high=high,
                better=int((left > right).sum()),
                worse=int((left < right).sum()),
                p=p,
                p_holm=corrected,
                smallest=smallest_difference(left, right),
            )
        )
    return tests


def verdict(what: str, means: Mapping[str, float], tests: Sequence[PairedTest], questions: int) -> str:
    """Return which search is best, and better than which others, as far as the tests show it.

    Args:
        what: the kind of what is compared, such as "mode".
        means: the RR of each.
        tests: of each pair.
        questions: how many were asked.
    """
    highest = max(means.values())
    best, *equal = [name for name, rr in means.items() if rr == highest]
    if equal:
        few = f" {_many(questions)} too few to tell." if questions < ENOUGH else ""
        return f"The {what}s {_and([best, *equal])} have the highest RR, {highest:.3f}.{few}"
    said = compared(best, [one for one in tests if best in (one.first, one.second)], questions)
    return f"The {what} {best} has the highest RR, {highest:.3f}. {said}".strip()


def compared(best: str, tests: Sequence[PairedTest], questions: int) -> str:
    """Return in sentences which of the others `best` is better than, as far as the tests show it.

    Args:
        tests: those of `best` with each of the others.
        questions: how many were asked.
    """
    tests = [test.of(best) for test in tests]
    beaten, level = [one for one in tests if one.significant], [one for one in tests if not one.significant]
    said = []
    if beaten:
        said.append(f"It is significantly better than {_and([_with_interval(one) for one in beaten])}.")
    if level:
        few = questions < ENOUGH
        if few and not beaten:
            said.append(
                f"{_many(questions)} too few to tell whether it is better than {_and([one.second for one in level])}."
            )
        else:
            said.append(f"There is no significant difference from {_and([_with_interval(one) for one in level])}.")
        if not few and (smallest := [one.smallest for one in level if one.smallest]):
            said.append(f"These {questions:,} questions would show a difference of {max(smallest):.3f} or more.")
    return " ".join(said)


def _many(questions: int) -> str:
    return "1 question is" if questions == 1 else f"{questions:,} questions are"


def _with_interval(test: PairedTest) -> str:
    if test.low is None or test.high is None or test.low == test.high:
        return f"{test.second} (by {test.difference:.3f})"
    return f"{test.second} (by {test.difference:.3f}, {CONFIDENCE:.0%} interval {test.low:z.3f} to {test.high:z.3f})"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
