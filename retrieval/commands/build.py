"""tiktok-retrieval build: the catalog -> a new generation of the index."""

import sys

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings
from retrieval.commands.options import Encoder, Everything, OnlyRead, load_encoders

EXAMPLES = ("build --data data --indexes indexes", "build --only-read", "build --encoder all-MiniLM-L6-v2")


def build(
    data: Data = None,
    indexes: Indexes = None,
    encoder: Encoder = None,
    only_read: OnlyRead = False,
    everything: Everything = False,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Build a new generation of the index and switch to it.

    All videos are included with the texts that they have; --only-read leaves out those whose OCR or transcript is
    missing. Only new and changed texts are encoded. The index keeps its encoders until --encoder
    names others.
    """
    from ingest.models.weights import weights_note
    from retrieval.corpus import build as corpus
    from retrieval.corpus.erasure import finish

    settings = load_settings(data=data, indexes=indexes, encoder=encoder)
    finish(settings.data, settings.indexes)  # what a killed process has left
    built = corpus.build(
        settings,
        load_encoders(settings),
        only_read=only_read and not everything,
        progress=progress_mode(progress, quiet),
        say=lambda sentence: print(sentence, file=sys.stderr, flush=True),
    )
    manifest = built.manifest

    def show() -> None:
        print(f"generation {manifest.name}: {manifest.videos} videos, {sum(manifest.passages.values())} passages,")
        for used in manifest.encoders:
            print(
                f"{used.encoded} texts encoded by {used.name} in {used.precision}{weights_note(used.name, used.sha256)}"
            )
        if built.left_out:
            why = "their OCR or transcript is missing, or they have" if manifest.only_read else "they have"
            print(f"{built.left_out} videos left out because {why} no text: see `tiktok-retrieval status`")

    answer(as_json, manifest, show)
    for message in built.bad.values():
        print(printable(f"left out: {message}"), file=sys.stderr)
    if built.bad:
        raise typer.Exit(FAILED)
