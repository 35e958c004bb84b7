"""The catalog: one SQLite file with every video, its texts and media, and what is still to do."""

from ingest.catalog.database import CatalogError
from ingest.catalog.entries import STAGES, Entry, Media, MediaKind, Segment, Stage, State, Text, TextKind
from ingest.catalog.store import Catalog

__all__ = [
    "STAGES",
    "Catalog",
    "CatalogError",
    "Entry",
    "Media",
    "MediaKind",
    "Segment",
    "Stage",
    "State",
    "Text",
    "TextKind",
]
