"""A person's own files that have the same content as another file, or as a removed video -> records with one id."""

from collections.abc import Sequence
from dataclasses import replace

from ingest.catalog import Catalog
from scraper.files import content_sha256
from scraper.local_ids import is_local, local_id
from scraper.media_records import SOURCE
from scraper.parse import ParsedRecord


def same_content(catalog: Catalog, batch: Sequence[ParsedRecord], again: bool) -> list[ParsedRecord]:
    """Give own files of the same content the same id: within the batch, and with the catalog."""
    contents = [_content(found) for found in batch]
    ids: dict[str, str] = {}
    for found, content in zip(batch, contents, strict=True):
        if content and (content not in ids or is_local(ids[content])):
            ids[content] = found.video.id
    return [
        _with_known(catalog, _with_id(found, ids[content]), content, again) if content else found
        for found, content in zip(batch, contents, strict=True)
    ]


def _content(found: ParsedRecord) -> str:
    """The sha256 of an own video, sound or picture; "" for other records, and if it cannot be read."""
    path = next((path for kind, _, path in found.files if kind in ("video", "slide")), None)
    if found.video.source != SOURCE or path is None:
        return ""
    try:
        return content_sha256(path)
    except OSError:
        return ""  # the import of the file reports it


def _with_known(catalog: Catalog, found: ParsedRecord, content: str, again: bool) -> ParsedRecord:
    """Give a file the id of the video that has the same content already.

    If that video had only an id made from the content, and the file now comes with an id of the site, the video gets
    that id. A removed content keeps its id, whatever the file is named now: it stays away.
    """
    known, local, video_id = catalog.with_content(content), local_id(content), found.video.id
    if again:
        catalog.removals.again(one for one in (local, known) if one)
    for one in (known, local):
        if one and catalog.removals.of(one):
            return _with_id(found, one)
    if known is None or known == video_id:
        return found
    if is_local(known) and not is_local(video_id):
        if again or not catalog.removals.of(video_id):
            catalog.removals.again([video_id])
            catalog.rename(known, found.video)
        return found
    return _with_id(found, known)


def _with_id(found: ParsedRecord, video_id: str) -> ParsedRecord:
    """The record under another id, whose own record knows more than this file's name."""
    if video_id == found.video.id:
        return found
    return replace(
        found, video=found.video.model_copy(update={"id": video_id, "permalink": "", "posted": None}), files=[]
    )
