"""The files of a video: the name of each, and which ones are missing although the record has links."""

from pathlib import Path
from typing import NamedTuple

from ingest.catalog import Catalog, Entry, Media, MediaKind
from ingest.catalog.media_damage import MISSING, damage

FRAME = "frame"  # the source of a cover that is a frame of the video
DAMAGED = (
    "the file in the data folder is damaged: import it again; if there is a link to it, `tiktok-retrieval retry` and"
    " `run` fetch it again as well"
)
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
    """The links of the pictures and the video that are not on the disk, or damaged there.

    A frame of the video does not replace the cover.
    """
    have = {(media.kind, media.position) for media in entry.media if media.source != FRAME and not damage(media)}
    video = entry.video
    wanted: dict[MediaKey, list[str]] = {
        MediaKey("cover", 0): video.cover_sources,
        MediaKey("video", 0): video.video_sources,
        **{MediaKey("slide", number): [link] for number, link in enumerate(video.slide_sources)},
    }
    return {key: links for key, links in wanted.items() if links and key not in have}


def damaged(entry: Entry) -> set[MediaKey]:
    """The files that are damaged. Frames of the video are made again by the stage that reads it, and captions are a
    text in the catalog already."""
    files = (media for media in entry.media if media.source != FRAME and media.kind != "caption")
    return {MediaKey(media.kind, media.position) for media in files if is_damaged(media)}


def request_damaged(catalog: Catalog) -> int:
    """Make the download of every video with damaged files due, unless it has failed. Return how many there are."""
    videos = dict.fromkeys(video_id for video_id, media in catalog.media() if is_damaged(media))
    found = 0
    for entry in catalog.entries(videos):
        if entry.states.get("download") in ("done", "absent") and damaged(entry):
            catalog.ledger.set(entry.video.id, "download", "due", DAMAGED)
            found += 1
    return found


def check_exists(path: Path) -> None:
    """Raise MediaError for a file of the catalog that is not on the disk."""
    from ingest.media import MediaError

    if not path.is_file():
        raise MediaError(GONE)


def is_damaged(media: Media) -> bool:
    """Whether a file is on the disk, but is empty or has another size than its row says."""
    return damage(media) not in ("", MISSING)
