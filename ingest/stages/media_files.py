"""A video's files: what each is called, and which of those that its record has links for are missing."""

from pathlib import Path
from typing import NamedTuple

from ingest.catalog.entries import Entry, MediaKind

FRAME = "frame"  # the source of a cover that was taken from the video
GONE = (
    "the file is gone from the data folder: `python -m ingest retry` and `run` fetch it again; "
    "where there is no link to it, import it again first"
)


class MediaKey(NamedTuple):
    """Which of a video's files."""

    kind: MediaKind
    position: int

    @property
    def label(self) -> str:
        return f"slide {self.position + 1}" if self.kind == "slide" else self.kind

    @property
    def stem(self) -> str:
        return f"{self.kind}_{self.position + 1:02d}" if self.kind in ("slide", "caption") else self.kind


def missing(entry: Entry) -> dict[MediaKey, list[str]]:
    """The links of the pictures and the video that are not on the disk.

    A frame that was taken from the video only stood in for the cover.
    """
    have = {(media.kind, media.position) for media in entry.media if media.source != FRAME and media.path.is_file()}
    video = entry.video
    wanted: dict[MediaKey, list[str]] = {
        MediaKey("cover", 0): video.cover_sources,
        MediaKey("video", 0): video.video_sources,
        **{MediaKey("slide", number): [link] for number, link in enumerate(video.slide_sources)},
    }
    return {place: links for place, links in wanted.items() if links and place not in have}


def check_there(path: Path) -> None:
    """Raise MediaError for a file that the catalogue has and the disk has not."""
    from ingest.media import MediaError

    if not path.is_file():
        raise MediaError(GONE)
