"""Numbers of videos and bytes, and lengths of time, as a person reads them."""


def count_of(videos: int) -> str:
    """Return a number of videos for a person."""
    return f"{videos:,} {'video' if videos == 1 else 'videos'}"


def size_of(count: float) -> str:
    """Return a number of bytes for a person: 3.1 GB."""
    units = ["bytes", "kB", "MB", "GB"]
    while count >= 1000 and len(units) > 1:
        count, units = count / 1000, units[1:]
    return f"{count:.1f} {units[0]}" if units[0] in ("MB", "GB") and count < 10 else f"{count:.0f} {units[0]}"


def duration(seconds: float) -> str:
    """Return a length of time for a person, rounded to what an estimate can say."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := round(seconds / length)) >= 2:
            return f"{count} {unit}s"
    return "a minute"
