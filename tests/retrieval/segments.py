"""The segments of a generation, for tests that look at their files."""

from pathlib import Path

from retrieval.index.generation import read_manifest
from retrieval.index.layout import current_name, generations_folder, segments_folder
from retrieval.index.manifest import MANIFEST, SEGMENT, sealed, segment_manifest
from scraper.files import sha256


def segment_folder(indexes: Path, generation: str = "") -> Path:
    """Return the folder of the last segment of a generation, by default of the current one."""
    manifest = read_manifest(indexes, generation or current_name(indexes))
    return segments_folder(indexes) / manifest.segments[-1].name


def seal_again(indexes: Path) -> None:
    """Give the files of the current generation and of its segments the checksums that fit, as who forges them does."""
    folder = generations_folder(indexes) / current_name(indexes)
    manifest = read_manifest(indexes, folder.name)
    entries = []
    for entry in manifest.segments:
        of_segment = segments_folder(indexes) / entry.name
        segment = segment_manifest(of_segment)
        sums = {name: sha256(of_segment / name) for name in segment.files}
        (of_segment / SEGMENT).write_text(sealed(segment.model_copy(update={"files": sums})), encoding="utf-8")
        entries.append(entry.model_copy(update={"sha256": sha256(of_segment / SEGMENT)}))
    forge(indexes, segments=tuple(entries))


def forge(indexes: Path, **values: object) -> None:
    """Change values of the manifest of the current generation, with the checksum that fits."""
    folder = generations_folder(indexes) / current_name(indexes)
    changed = read_manifest(indexes, folder.name).model_copy(update=values)
    (folder / MANIFEST).write_text(sealed(changed), encoding="utf-8")
