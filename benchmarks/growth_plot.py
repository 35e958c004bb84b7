"""The time of a question by the number of videos -> an SVG on two logarithmic axes."""

import math
from collections.abc import Mapping

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 560, 320, 60, 20, 40, 50
STYLE = {"p50_ms": ("median", "#2563eb", ""), "p95_ms": ("95th percentile", "#b45309", ' stroke-dasharray="6 4"')}


def growth_svg(points: Mapping[int, Mapping[str, float]]) -> str:
    """Return a picture of `p50_ms` and `p95_ms` by the number of videos."""
    sizes = sorted(points)
    values = [points[size][name] for size in sizes for name in STYLE]
    x = _Axis(min(sizes), max(sizes), LEFT, WIDTH - RIGHT)
    y = _Axis(min(values), max(values), HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="#6b7280" role="img" aria-label="Milliseconds of a question by the number of videos">'
    ]
    for size in _decades(min(sizes), max(sizes)):
        at = x(size)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{size:,.0f}</text>')
    for value in _decades(min(values), max(values)):
        at = y(value)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>')
    for number, (name, (label, colour, dashes)) in enumerate(STYLE.items()):
        line = " ".join(f"{x(size):.1f},{y(points[size][name]):.1f}" for size in sizes)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [f'<circle cx="{x(s):.1f}" cy="{y(points[s][name]):.1f}" r="3" fill="{colour}"/>' for s in sizes]
        parts.append(f'<text x="{LEFT + 12}" y="{TOP + 16 + 16 * number}" fill="{colour}">{label}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">videos</text>')
    parts.append(f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">ms a question</text>')
    return "\n".join([*parts, "</svg>\n"])


class _Axis:
    """A logarithmic axis from whole power of ten to whole power of ten, as a function of the value."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = (math.log10(value) for value in (_decades(least, most)[0], _decades(least, most)[-1]))
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)


def _decades(least: float, most: float) -> list[float]:
    """Return the powers of ten from below `least` to above `most`; at least two."""
    low = math.floor(math.log10(least))
    high = max(low + 1, math.ceil(math.log10(most)))
    return [10.0**power for power in range(low, high + 1)]
