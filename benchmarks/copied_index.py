"""An index of a million videos, made in minutes from one of some thousands: its segments, again and again.

    python -m benchmarks.copied_index INDEXES COPIES --videos 1048576 --shared RESEARCH_DATA

INDEXES is one of benchmarks/scale.py, with `--keep`. What a question costs in COPIES is nearly what it costs among as
many different videos: each term has as many postings, each field as many vectors. It says nothing of ranks, because
equal videos share them, and little of how long files take to read, because all copies are links to the same ones.
"""

import json
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.mixed_corpus import MixedCorpus
from benchmarks.scale import COMMENTS, apart, search
from retrieval.index.builder import entry_of
from retrieval.index.generation import own_files
from retrieval.index.layout import CURRENT, SEGMENT_VIDEOS, current_name, generations_folder, segments_folder
from retrieval.index.manifest import SEGMENT, SegmentEntry, manifest_in, sealed
from retrieval.index.publish import publish
from retrieval.index.segment import Segment, Used, open_segment
from retrieval.index.segment_writer import new_name, write_merged
from scraper import files


def link(segment: Segment, folder: Path) -> SegmentEntry:
    """Make a segment with links to the files of another one, and a manifest with its own name."""
    manifest = segment.manifest.model_copy(update={"name": new_name()})
    (folder / manifest.name).mkdir()
    for name in manifest.files:
        os.link(segment.folder / name, folder / manifest.name / name)
    path = folder / manifest.name / SEGMENT
    path.write_text(sealed(manifest), encoding="utf-8", newline="\n")
    return SegmentEntry(name=manifest.name, videos=manifest.videos, sha256=files.sha256(path))


def main(
    indexes: Annotated[Path, typer.Argument(help="An index without deleted videos.")],
    copies: Annotated[Path, typer.Argument(help="Folder of the new index.")],
    shared: Annotated[Path, typer.Option(help="Folder of the research data.", envvar="TIKTOK_RETRIEVAL_SHARED_DATA")],
    videos: Annotated[int, typer.Option(help="At least so many.")] = 1 << 20,
    questions: Annotated[int, typer.Option(help="Questions; a quarter of them with each preset.")] = 60,
) -> None:
    """Make the index if it is not there, ask questions, and print what scale.py measures, but for the ranks."""
    made = manifest_in(generations_folder(indexes) / current_name(indexes)).videos
    if not (copies / CURRENT).exists():
        copy(indexes, copies, videos)
    asked = MixedCorpus(shared, comments=COMMENTS).questions(made, questions)
    typer.echo(json.dumps(apart(search, copies, asked, 0), indent=1))


def copy(indexes: Path, copies: Path, videos: int) -> None:
    """Join the segments of an index, copies of them as well, into one that is as large as it may be or needs to be, and
    link to it."""
    own = own_files(generations_folder(indexes) / current_name(indexes))
    segments = [open_segment(segments_folder(indexes), entry) for entry in own.manifest.segments]
    times = max(1, min(SEGMENT_VIDEOS // own.manifest.videos, -(-videos // own.manifest.videos)))
    files.make_private(segments_folder(copies))
    used = [Used(one, np.ones(one.videos, np.bool_)) for one in segments] * times
    entry = write_merged(used, copies)
    joined = open_segment(segments_folder(copies), entry)
    entries = [entry_of(Used(joined, np.ones(joined.videos, np.bool_)))]
    while len(entries) * joined.videos < videos:
        entries.append(link(joined, segments_folder(copies)))
    hubs = np.tile(own.hubs, times * len(entries))
    count = len(entries) * joined.videos
    passages = {field: of * times * len(entries) for field, of in own.manifest.passages.items()}
    changed = {"segments": tuple(entries), "videos": count, "passages": passages, "hubs_of": count}
    publish(copies, own.manifest.model_copy(update=changed), np.empty(0, np.int64), hubs, {})
    typer.echo(f"{count:,} videos in {len(entries)} segments")


if __name__ == "__main__":
    typer.run(main)
