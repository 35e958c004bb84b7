"""Whether a file in the data folder is the one that its row in the catalog describes."""

from ingest.catalog.entries import Media
from scraper.files import sha256

MISSING = "the file is gone from the data folder"
EMPTY = "the file in the data folder is empty"
OTHER_SIZE = "the file in the data folder has another size than the catalog says"
OTHER_CONTENT = "the content of the file in the data folder is not the one that the catalog describes"


def damage(media: Media) -> str:
    """What is wrong with a file, as far as its size shows; "" if nothing is. Cheap: ask it at each use."""
    try:
        size = media.path.stat().st_size if media.path.is_file() else None
    except OSError:
        size = None
    if size is None:
        return MISSING
    if not size:
        return EMPTY
    return "" if size == media.bytes else OTHER_SIZE


def content_damage(media: Media) -> str:
    """As `damage`, but the whole content is compared as well.

    Raises:
        OSError: the file cannot be read.
    """
    return damage(media) or ("" if sha256(media.path) == media.sha256 else OTHER_CONTENT)
