"""Numbers of videos and bytes, and lengths of time, as a person reads them."""


def count_of(videos: int) -> str:
    """Return a number of videos for a person."""
    return f"{videos:,} {'video' if videos == 1 else 'videos'}"


def size(count: float) -> str:
    """Return a number of bytes for a person."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


def duration(seconds: float) -> str:
    """Return a length of time for a person, rounded to what an estimate can say."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := round(seconds / length)) >= 2:
            return f"{count} {unit}s"
    return "a minute"
