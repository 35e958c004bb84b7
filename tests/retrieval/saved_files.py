"""Files that a test has saved, to be loaded as those of a generation."""

from pathlib import Path

from retrieval.index.verified import VerifiedFiles
from scraper.files import sha256


def saved(folder: Path) -> VerifiedFiles:
    """Return the files of a folder with the checksums that they have now."""
    return VerifiedFiles(folder, {path.name: sha256(path) for path in folder.iterdir()})
