"""The files of a video: the name of each, and which ones are missing although the record has links."""

from pathlib import Path
from typing import NamedTuple

from ingest.catalog import Entry, MediaKind

FRAME = "frame"  # the source of a cover that is a frame of the video
GONE = (
    "the file is gone from the data folder: `tiktok-retrieval retry` and `run` fetch it again; "
    "if there is no link to it, import it again first"
)


class MediaKey(NamedTuple):
    """Identifies one of the files of a video."""

    kind: MediaKind
    position: int

    @property
    def label(self) -> str:
        """The name in messages: "slide 2"."""
        return f"slide {self.position + 1}" if self.kind == "slide" else self.kind

    @property
    def stem(self) -> str:
        """The name of the file, without its suffix: "slide_02"."""
        return f"{self.kind}_{self.position + 1:02d}" if self.kind in ("slide", "caption") else self.kind


def missing(entry: Entry) -> dict[MediaKey, list[str]]:
    """The links of the pictures and the video that are not on the disk.

    A frame of the video does not replace the cover.
    """
    have = {(media.kind, media.position) for media in entry.media if media.source != FRAME and media.path.is_file()}
    video = entry.video
    wanted: dict[MediaKey, list[str]] = {
        MediaKey("cover", 0): video.cover_sources,
        MediaKey("video", 0): video.video_sources,
        **{MediaKey("slide", number): [link] for number, link in enumerate(video.slide_sources)},
    }
    return {key: links for key, links in wanted.items() if links and key not in have}


def check_exists(path: Path) -> None:
    """Raise MediaError for a file of the catalog that is not on the disk."""
    from ingest.media import MediaError

    if not path.is_file():
        raise MediaError(GONE)
