"""Times as exports write them -> times in UTC."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

FIRST_YEAR = 2014  # musical.ly, which became TikTok
_USUAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def timestamp(value: object) -> str:
    """A time as exports write it -> "2024-03-03T10:00:00" in UTC. "" if it cannot be read, or cannot be true."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        elif isinstance(value, str):
            at = datetime.fromisoformat(value if _USUAL.fullmatch(value) else _iso(value))
        else:
            return ""
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if at.year < FIRST_YEAR or at > datetime.now(UTC) + timedelta(days=1):
            return ""
        return at.strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""


def _iso(text: str) -> str:
    """A time with the signs that ISO 8601 has."""
    plain = "".join(str(unicodedata.digit(sign)) if sign.isdecimal() else sign for sign in text[:40].strip())
    plain = re.sub(r"\s*(?:UTC|GMT|\(UTC\))$", "", plain, flags=re.IGNORECASE)
    plain = re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", plain)
    plain = re.sub(r"^(\d{4})[./](\d{1,2})[./](\d{1,2})", r"\1-\2-\3", plain)
    plain = re.sub(r"^(\d{4})-(\d{1,2})-(\d{1,2})", lambda day: f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}", plain)
    if plain.isdigit() and len(plain) in (10, 13):
        return datetime.fromtimestamp(int(plain[:10]), UTC).isoformat()
    return re.sub(r"^([0-9-]+),?\s+(\d{1,2}:)", lambda day: f"{day[1]} {day[2]:0>3}", plain)
