"""The media files of a folder that no record describes -> records: a video with its cover and captions, or pictures."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from scraper import file_names
from scraper.media_records import media_record
from scraper.parse import Found, Skipped
from scraper.sidecars import MAX_SLIDES, MEDIA_SUFFIXES, SOUND_SUFFIXES, Folder, LocalFile, name_key

VIDEO_SUFFIXES = MEDIA_SUFFIXES["video"]
PICTURE_SUFFIXES = (*MEDIA_SUFFIXES["cover"], ".heic", ".avif")
SUFFIXES = (*VIDEO_SUFFIXES, *SOUND_SUFFIXES, *PICTURE_SUFFIXES)
# names of files that another program is still writing
PARTIAL_SUFFIXES = (".part", ".crdownload", ".download", ".opdownload", ".partial", ".tmp", ".ytdl", ".aria2", ".!qb")


def is_partial(name: str) -> bool:
    """Whether the name says that another program is still writing the file."""
    lower = name.lower()
    return lower.endswith(PARTIAL_SUFFIXES) or ".part-frag" in lower


@dataclass
class _Post:
    """The files of one video."""

    videos: list[Path] = field(default_factory=list)
    sounds: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)

    def files(self) -> tuple[list[LocalFile], list[Path]]:
        """The files as those of a post, and those that have no part in it."""
        moving = (self.videos or self.sounds)[:1]
        files: list[LocalFile] = [("video", 0, path) for path in moving]
        if self.videos:
            files += [("cover", 0, path) for path in self.pictures[:1]]
        else:
            files += [("slide", number, path) for number, path in enumerate(self.pictures[:MAX_SLIDES])]
        used = {path for _, _, path in files}
        return files, [path for path in (*self.videos, *self.sounds, *self.pictures) if path not in used]


def of_file(path: Path, folder: Folder) -> Iterator[Found]:
    """Yield the record of one media file, with the cover and the captions next to it."""
    picture = path.suffix.lower() in PICTURE_SUFFIXES
    files: list[LocalFile] = [("slide" if picture else "video", 0, path)]
    if not picture and (cover := folder.first(path.stem, PICTURE_SUFFIXES)):
        files.append(("cover", 0, cover))
    yield media_record(str(path), files, folder.captions_of(path.stem), origin=path)


def of_folder(folder: Folder, claimed: Set[Path], shown: Path, origin: Path | None = None) -> Iterator[Found]:
    """Yield a record for each video among the media files of a folder, and a count of those left out.

    Args:
        claimed: files that belong to records, without links in their paths.
        shown: the path of the folder as messages show it.
        origin: the file that a person would name as the source; by default the media file.
    """
    for post in _posts(folder, claimed):
        files, others = post.files()
        path = files[0][2]
        captions = [caption for caption in folder.captions_of(path.stem) if caption[1].resolve() not in claimed]
        yield media_record(str(shown / path.name), files, captions, origin=origin or path)
        if others:
            names = ", ".join(other.name for other in others[:3])
            yield Skipped(str(shown / path.name), f"further files of the same video ({names})", len(others))


def _posts(folder: Folder, claimed: Set[Path]) -> list[_Post]:
    """The unclaimed media files by video: the same id in the name, or the same name but for the suffix.

    Files without an id that share all but the suffix are one video only if one of them is a picture.
    """
    posts: dict[tuple[str, str], _Post] = {}
    for name in folder.names:
        suffix = Path(name).suffix.lower()
        if name.startswith(".") or suffix not in SUFFIXES or is_partial(name):
            continue
        path = folder.file(name)
        if path is None or path.resolve() in claimed:
            continue
        video_id = file_names.read(name).id
        post = posts.setdefault((video_id, "" if video_id else name_key(path.stem)), _Post())
        if suffix in PICTURE_SUFFIXES:
            post.pictures.append(path)
        else:
            (post.sounds if suffix in SOUND_SUFFIXES else post.videos).append(path)
    apart: list[_Post] = []
    for (video_id, _), post in posts.items():
        if video_id:
            apart.append(post)
            continue
        moving = [_Post(videos=[path]) for path in post.videos] + [_Post(sounds=[path]) for path in post.sounds]
        if moving and moving[0].videos:
            moving[0].pictures = post.pictures
            apart += moving
        else:
            apart += [*moving, *(_Post(pictures=[path]) for path in post.pictures)]
    return apart
