"""The sidecar files of a record: media and captions in its folder, by the names that each program gives them.

Symbolic links do not count: a hostile one could lead to any file on this computer. Names are compared without regard to
case and Unicode normal form: a record may spell "ö" as one character where the file system has two.
"""

import os
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from scraper.record_formats import Json
from scraper.records import MediaKind

LocalFile = tuple[MediaKind, int, Path]  # kind, position in the post, path
CaptionFile = tuple[str, Path]  # language as the program wrote it, path
SOURCE_SUFFIXES = (".json", ".jsonl", ".ndjson", ".html", ".htm", ".txt", ".csv", ".tsv", ".zip")
# The names that the programs give to what they download. What a file may contain is in sniff.py.
MEDIA_SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "cover": (".jpg", ".jpeg", ".png", ".webp", ".gif"),
    "video": (".mp4", ".webm", ".mov", ".mkv", ".m4v"),
}
SOUND_SUFFIXES = (".m4a", ".mp3", ".aac", ".ogg", ".opus", ".flac", ".wav")  # videos without pictures
STUDY_MEDIA = ("coverphotos", "videos", "slides")  # folders of the study layout
MAX_SLIDES = 100  # of a post; the site allows 35
# yt-dlp names a cover .image if its link has no suffix
_YT_DLP_COVERS = (*MEDIA_SUFFIXES["cover"], ".image")
_INFO = ".info.json"
_CAPTION = re.compile(r"\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\.(?:vtt|srt|json)", re.IGNORECASE)
# the sound of a photo post is kept as its video: it is transcribed
_GALLERY_KINDS: dict[object, MediaKind] = {"image": "slide", "video": "video", "audio": "video", "cover": "cover"}


def name_key(name: str) -> str:
    """A file name in the form in which names are compared: NFC, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Folder:
    """The file names of a folder, read once and sorted, so that thousands of records find their files quickly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""

    @cached_property
    def names(self) -> list[str]:
        """All names in the folder, sorted; none if it cannot be read: `error` says why then."""
        try:
            os.lstat(f"{self.path}{os.sep}.")  # fails if the files in it may be listed but not opened
            return sorted(entry.name for entry in self.path.iterdir())
        except OSError as error:
            self.error = error.strerror or "unknown error"
            return []

    @cached_property
    def _by_key(self) -> list[tuple[str, str]]:
        return sorted((name_key(name), name) for name in self.names)

    @property
    def pages(self) -> list[str]:
        """The names of saved pages."""
        return [name for name in self.names if name.lower().endswith((".html", ".htm"))]

    def file(self, name: str) -> Path | None:
        """The file `name`, or None if it is missing or a symbolic link. The same spelling comes first."""
        if "/" in name or "\0" in name:
            return None
        found = [self.path / other for other in self.starting(name) if name_key(other) == name_key(name)]
        files = [path for path in found if path.is_file() and not path.is_symlink()]
        return min(files, key=lambda path: path.name != name, default=None)

    def first(self, stem: str, suffixes: tuple[str, ...]) -> Path | None:
        """The file `stem` with the first of `suffixes` that is there."""
        return next((path for suffix in suffixes if (path := self.file(stem + suffix))), None)

    def starting(self, prefix: str) -> Iterator[str]:
        """The names that start with `prefix`."""
        key = name_key(prefix)
        for number in range(bisect_left(self._by_key, (key,)), len(self._by_key)):
            other, name = self._by_key[number]
            if not other.startswith(key):
                return
            yield name

    def sources(self) -> list[Path]:
        """The files to read records from. JSON files that a browser saved with a page, captions and the metadata of
        single files are not records."""
        names = [name for name in self.names if (self.path / name).suffix.lower() in SOURCE_SUFFIXES]
        names = [name for name in names if not name.startswith(".")]
        known = set(self.names)
        pages = [name for name in self.pages if not name.startswith(".")]
        stems = {name.removesuffix(_INFO) for name in names if name.endswith(_INFO)}
        captions = {caption for stem in stems for caption, _ in self._captions(stem)}
        kept = [name for name in names if name not in captions and f"{name}.json" not in known]
        return [self.path / name for name in pages or kept if (self.path / name).is_file()]

    def _captions(self, stem: str) -> Iterator[tuple[str, str]]:
        """Names of caption files, with their languages."""
        for name in self.starting(f"{stem}."):
            if found := _CAPTION.fullmatch(unicodedata.normalize("NFC", name), len(unicodedata.normalize("NFC", stem))):
                yield name, found[1]

    def captions_of(self, stem: str) -> list[CaptionFile]:
        """The caption files of a media file: `STEM.LANGUAGE.vtt`, or `STEM.srt` in an unknown language."""
        alone = [("", path) for suffix in (".vtt", ".srt") if (path := self.file(stem + suffix))]
        return [(language, path) for name, language in self._captions(stem) if (path := self.file(name))] + alone

    def of_page(self) -> list[LocalFile]:
        """The sidecar files of a saved page: `video.*` and `cover.*`."""
        return self._media("cover", "video")

    def of_page_and_sound(self) -> list[Path]:
        """The sidecar files of a saved page, and the sound of its video."""
        sound = self.first("audio", SOUND_SUFFIXES)
        return [path for *_, path in self.of_page()] + ([sound] if sound else [])

    def of_info(self, name: str) -> tuple[list[LocalFile], list[CaptionFile]]:
        """The sidecar files of yt-dlp's `NAME.info.json`: `NAME.mp4`, `NAME.jpg`, `NAME.LANGUAGE.vtt`, ..."""
        stem = name.removesuffix(".json").removesuffix(".info")
        captions = [(language, path) for file, language in self._captions(stem) if (path := self.file(file))]
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
        """The one file that gallery-dl's `FILE.json` describes: `FILE`, of the kind that the item names."""
        path = self.file(name.removesuffix(".json")) if name.endswith(".json") else None
        if path is None:
            return [], []
        if item.get("type") == "subtitle":
            return [], [(str(item.get("subtitle_lang_codename") or ""), path)]
        kind, number = _GALLERY_KINDS.get(str(item.get("type"))), item.get("num")
        if kind == "slide" and (not isinstance(number, int) or not 1 <= number <= MAX_SLIDES):
            return [], []
        known = MEDIA_SUFFIXES["video"] + SOUND_SUFFIXES if kind == "video" else MEDIA_SUFFIXES["cover"]
        if kind is None or path.suffix.lower() not in known:
            return [], []
        return [(kind, int(number or 1) - 1 if kind == "slide" else 0, path)], []


def of_study(folders: Sequence[Folder], video_id: str) -> list[LocalFile]:
    """The media of a video in the study layout: named by id, in the folders STUDY_MEDIA."""
    covers, videos, slides = folders
    kinds: tuple[tuple[MediaKind, Folder], ...] = (("cover", covers), ("video", videos))
    files: list[LocalFile] = [
        (kind, 0, path) for kind, media in kinds if (path := media.first(video_id, MEDIA_SUFFIXES[kind]))
    ]
    for number in range(1, MAX_SLIDES):
        slide = slides.first(f"{video_id}_{number}", MEDIA_SUFFIXES["cover"])
        if slide is None:
            break
        files.append(("slide", number - 1, slide))
    return [file for file in files if not file[2].parent.is_symlink()]
