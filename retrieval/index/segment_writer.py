"""Documents -> a segment: written in a temporary folder, flushed to disk, and given its name by one atomic rename."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import numpy as np

from ingest.progress import ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.vector_cache import VectorCache
from retrieval.index.analysis import TERMS
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS, Document
from retrieval.index.keys import content_of
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.layout import BUILDING, segments_folder
from retrieval.index.manifest import FORMAT, SEGMENT, SegmentEntry, SegmentManifest, sealed
from retrieval.index.metadata_part import MetadataPart
from retrieval.index.passages import PassagePart
from retrieval.index.phrase_part import PhrasePart
from retrieval.index.segment import Used
from retrieval.index.vector_part import VectorPart
from retrieval.index.videos import VideoPart
from retrieval.index.whole_text import stretches
from retrieval.index.whole_video import SumPart
from scraper import files
from scraper.disk import check_free

_TIME = "%Y%m%dT%H%M%S%f"  # of a name
BYTES_PER_CHARACTER = 8  # of all files but the vectors, measured; see `_bytes_needed`


def write_segment(
    documents: Sequence[Document],
    keys: Sequence[bytes],
    indexes: Path,
    encoders: Sequence[Encoder],
    cache: VectorCache,
    progress: ProgressMode = "off",
) -> tuple[SegmentEntry, list[int]]:
    """Write a segment of documents, in their order. Return it, and how many texts each encoder encoded."""
    name = new_name()
    folder = segments_folder(indexes) / f"{BUILDING}{name}"
    files.make_private(folder)
    passages, encoded = _write_dense(documents, folder, encoders, cache, progress)
    PassagePart.build(doc.passages for doc in documents).save(folder)
    for analyser in TERMS:
        texts = (doc.texts for doc in documents)
        KeywordPart.build(analyser, texts, TEXT_FIELDS, (doc.languages for doc in documents)).save(folder)
    PhrasePart.build(map(_whole_texts, documents), TEXT_FIELDS).save(folder)
    MetadataPart.build([doc.metadata for doc in documents]).save(folder)
    VideoPart.build([doc.id for doc in documents], keys, [content_of(doc) for doc in documents]).save(folder)
    dimensions = [(encoder.key, encoder.dimension) for encoder in encoders]
    return finish_segment(folder, name, dimensions, len(documents), passages), encoded


def write_merged(used: Sequence[Used], indexes: Path) -> SegmentEntry:
    """Write a segment of those videos of others that are not deleted, in their order."""
    name = new_name()
    folder = segments_folder(indexes) / f"{BUILDING}{name}"
    files.make_private(folder)
    segments, keep = [one.segment for one in used], [one.alive for one in used]
    check_free(folder, sum(path.stat().st_size for one in segments for path in one.folder.iterdir()), "the new index")
    counts = [{field: rows.counts for field, rows in one.rows.items()} for one in segments]
    for number in range(len(segments[0].manifest.encoders)):
        VectorPart.merge([one.dense[number] for one in segments], keep, counts).save(folder, number)
        SumPart.merge([one.parts[number] for one in segments], keep).save(folder, number)
    for analyser in TERMS:
        KeywordPart.merge([one.keyword[analyser] for one in segments], keep).save(folder)
    PassagePart.merge([one.passages for one in segments], keep).save(folder)
    PhrasePart.merge([one.phrases for one in segments], keep).save(folder)
    MetadataPart.merge([one.metadata for one in segments], keep).save(folder)
    VideoPart.merge([one.of_videos for one in segments], keep).save(folder)
    alive = [{field: int(of[kept].sum()) for field, of in one.items()} for one, kept in zip(counts, keep, strict=True)]
    passages = {field: sum(one[field] for one in alive) for field in FIELDS}
    videos = sum(int(np.count_nonzero(kept)) for kept in keep)
    return finish_segment(folder, name, segments[0].manifest.encoders, videos, passages)


def finish_segment(
    folder: Path, name: str, encoders: Sequence[tuple[str, int]], videos: int, passages: dict[str, int]
) -> SegmentEntry:
    """Complete a segment: write its manifest, flush everything to disk, then give it its name."""
    manifest = SegmentManifest(
        format=FORMAT,
        name=name,
        encoders=tuple(encoders),
        videos=videos,
        passages=passages,
        files={path.name: files.sha256(path) for path in sorted(folder.iterdir())},
    )
    (folder / SEGMENT).write_text(sealed(manifest), encoding="utf-8", newline="\n")
    for path in folder.iterdir():
        files.fsync(path)
    files.fsync(folder)
    entry = SegmentEntry(name=name, videos=videos, sha256=files.sha256(folder / SEGMENT))
    folder.rename(folder.with_name(name))
    files.fsync(folder.parent)
    return entry


def new_name(after: str = "") -> str:
    """Return a name that no other generation or segment has. The names are ordered by age.

    Args:
        after: the newest name so far. The new one is later, although the clock may have been set back.
    """
    now = datetime.now(UTC)
    with contextlib.suppress(ValueError, OverflowError):  # it is not one of these names
        now = max(now, datetime.strptime(after.split("-")[0], _TIME).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return f"{now:{_TIME}}-{token_hex(3)}"


def _write_dense(
    documents: Sequence[Document],
    folder: Path,
    encoders: Sequence[Encoder],
    cache: VectorCache,
    progress: ProgressMode,
) -> tuple[dict[str, int], list[int]]:
    texts: list[str] = []
    spans: dict[str, slice] = {}
    for field in FIELDS:
        start = len(texts)
        texts += [passage.text for doc in documents for passage in doc.passages.get(field, [])]
        spans[field] = slice(start, len(texts))
    check_free(folder, _bytes_needed(texts, sum(encoder.dimension for encoder in encoders)), "the new index")
    counted = []
    for number, encoder in enumerate(encoders):
        of_parts = _write_parts(documents, folder, number, encoder, cache, progress)
        vectors, encoded = cache.encode(encoder, texts, progress=progress)
        VectorPart.build({field: vectors[span] for field, span in spans.items()}).save(folder, number)
        counted.append(encoded + of_parts)
    return {field: span.stop - span.start for field, span in spans.items()}, counted


def _write_parts(
    documents: Sequence[Document],
    folder: Path,
    number: int,
    encoder: Encoder,
    cache: VectorCache,
    progress: ProgressMode,
) -> int:
    """Write what each passage adds to the vector of its video's whole text. Return how many texts were encoded."""
    cut = [stretches(doc) for doc in documents]
    texts = [doc.passages[OVERVIEW][0].text for doc in documents if OVERVIEW in doc.passages]
    cuts = [tuple(stretch.at for stretch in of_video) for of_video in cut if of_video]
    found, encoded = cache.encode_parts(encoder, texts, cuts, progress=progress)
    each = iter(found)
    sums = [next(each) if of_video else None for of_video in cut]
    SumPart.build(cut, sums, encoder.dimension).save(folder, number)
    return encoded


def _bytes_needed(texts: Sequence[str], dimension: int) -> int:
    """Return about how large a segment of these passages is. The cache may need more: most vectors are in it."""
    characters = sum(map(len, texts))
    return len(texts) * dimension * 4 + characters * BYTES_PER_CHARACTER


def _whole_texts(doc: Document) -> dict[str, list[str]]:
    """Return the texts to search for phrases: a transcript is one text, each comment is one."""
    comments = [passage.text for passage in doc.passages.get("comments", [])]
    return {field: [text] for field, text in doc.texts.items()} | {"comments": comments}
