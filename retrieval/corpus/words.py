"""Numbers of videos and bytes, and lengths of time, as a person reads them."""


def count_of(videos: int) -> str:
    """Return a number of videos for a person."""
    return f"{videos:,} {'video' if videos == 1 else 'videos'}"


def duration(seconds: float) -> str:
    """Return a length of time for a person, rounded to what an estimate can say."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := round(seconds / length)) >= 2:
            return f"{count} {unit}s"
    return "a minute"
