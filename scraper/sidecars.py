"""The files that lie beside a record in its folder: media and captions, by the names that each program gives them.

Only a folder's own files count: a link among hostile files could name any other file on this machine.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from scraper.readers import Json

MediaKind = Literal["cover", "video", "slide"]
LocalFile = tuple[MediaKind, int, Path]  # kind, position in the post, path
CaptionFile = tuple[str, Path]  # language as the program wrote it, path
SOURCE_SUFFIXES = (".json", ".jsonl", ".ndjson", ".html", ".txt", ".zip")
MEDIA_SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "cover": (".jpg", ".jpeg", ".png", ".webp", ".gif"),
    "video": (".mp4", ".webm", ".mov", ".mkv", ".m4v"),
}
STUDY_MEDIA = ("coverphotos", "videos", "slides")  # folders in the study layout
MAX_SLIDES = 100  # of a post; the site allows 35
# yt-dlp leaves covers of the site as .image where their link says no more
_YT_DLP_COVERS = (*MEDIA_SUFFIXES["cover"], ".image")
_INFO = ".info.json"
_CAPTION = re.compile(r"\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\.(?:vtt|srt|json)")
_GALLERY_KINDS: dict[object, MediaKind] = {"image": "slide", "video": "video", "cover": "cover"}


class Folder:
    """A folder's names, read once and sorted, so that thousands of records find their files in it quickly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self.path.iterdir())
        except OSError:
            return []

    def own(self, name: str) -> Path | None:
        """The file `name`, where it is there and is itself."""
        path = self.path / name
        return path if path.is_file() and not path.is_symlink() else None

    def first(self, stem: str, suffixes: tuple[str, ...]) -> Path | None:
        return next((path for suffix in suffixes if (path := self.own(stem + suffix))), None)

    def starting(self, prefix: str) -> Iterator[str]:
        for name in self.names[bisect_left(self.names, prefix) :]:
            if not name.startswith(prefix):
                return
            yield name

    def sources(self) -> list[Path]:
        """The files to read records from. A saved page has other people's sidecar files beside it, other records
        have captions beside them that are JSON too: those are no records."""
        names = [name for name in self.names if (self.path / name).suffix.lower() in SOURCE_SUFFIXES]
        pages = [name for name in names if name.lower().endswith(".html")]
        known = set(self.names)
        stems = {name.removesuffix(_INFO) for name in names if name.endswith(_INFO)}
        captions = {caption for stem in stems for caption, _ in self._captions(stem)}
        kept = [name for name in names if name not in captions and f"{name}.json" not in known]
        return [self.path / name for name in pages or kept if (self.path / name).is_file()]

    def _captions(self, stem: str) -> Iterator[tuple[str, str]]:
        """Names of caption files, with their languages."""
        for name in self.starting(f"{stem}."):
            if found := _CAPTION.fullmatch(name, len(stem)):
                yield name, found[1]

    def of_page(self) -> list[LocalFile]:
        """`video.*` and `cover.*` beside a saved page."""
        return self._media("cover", "video")

    def of_info(self, name: str) -> tuple[list[LocalFile], list[CaptionFile]]:
        """What yt-dlp puts beside `NAME.info.json`: `NAME.mp4`, `NAME.jpg`, `NAME.LANGUAGE.vtt`, ..."""
        stem = name.removesuffix(".json").removesuffix(".info")
        captions = [(language, path) for file, language in self._captions(stem) if (path := self.own(file))]
        return self._media(stem, stem, _YT_DLP_COVERS), captions

    def _media(
        self, cover: str, video: str, cover_suffixes: tuple[str, ...] = MEDIA_SUFFIXES["cover"]
    ) -> list[LocalFile]:
        kinds: tuple[tuple[MediaKind, str, tuple[str, ...]], ...] = (
            ("cover", cover, cover_suffixes),
            ("video", video, MEDIA_SUFFIXES["video"]),
        )
        return [(kind, 0, path) for kind, stem, suffixes in kinds if (path := self.first(stem, suffixes))]

    def of_gallery(self, name: str, item: Json) -> tuple[list[LocalFile], list[CaptionFile]]:
        """The one file that gallery-dl's `FILE.json` describes: `FILE` beside it, of the kind that the item says."""
        path = self.own(name.removesuffix(".json")) if name.endswith(".json") else None
        if path is None:
            return [], []
        if item.get("type") == "subtitle":
            return [], [(str(item.get("subtitle_lang_codename") or ""), path)]
        kind, number = _GALLERY_KINDS.get(str(item.get("type"))), item.get("num")
        if kind == "slide" and (not isinstance(number, int) or not 1 <= number <= MAX_SLIDES):
            return [], []
        if kind is None or path.suffix.lower() not in MEDIA_SUFFIXES["video" if kind == "video" else "cover"]:
            return [], []
        return [(kind, int(number or 1) - 1 if kind == "slide" else 0, path)], []


def of_study(folder: Path, video_id: str) -> list[LocalFile]:
    """The media of a video in the study layout: by id, in a folder a kind."""
    covers, videos, slides = (Folder(folder / name) for name in STUDY_MEDIA)
    kinds: tuple[tuple[MediaKind, Folder], ...] = (("cover", covers), ("video", videos))
    files: list[LocalFile] = [
        (kind, 0, path) for kind, place in kinds if (path := place.first(video_id, MEDIA_SUFFIXES[kind]))
    ]
    for number in range(1, MAX_SLIDES):
        slide = slides.first(f"{video_id}_{number}", MEDIA_SUFFIXES["cover"])
        if slide is None:
            break
        files.append(("slide", number - 1, slide))
    return [file for file in files if not file[2].parent.is_symlink()]
