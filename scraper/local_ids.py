"""The ids of files that have no id of the site."""

_DIGITS = 19


def local_id(content_sha256: str) -> str:
    """The id of a file without an id of the site: 20 digits made from its content, above 2**64.

    The site's ids have 64 bits, so no video of the site can have it.
    """
    return f"9{int(content_sha256, 16) % 10**_DIGITS:0{_DIGITS}d}"


def is_local(video_id: str) -> bool:
    """Whether an id is one that `local_id` made."""
    return len(video_id) == _DIGITS + 1 and video_id.startswith("9")
