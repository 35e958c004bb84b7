"""tiktok-retrieval build: the catalog -> a new generation of the index."""

import sys

import typer

from ingest.commands.errors import FAILED
from ingest.commands.options import ClusterAddress, Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer, printable
from ingest.settings import load_settings
from retrieval.commands.options import Encoder, Everything, OnlyRead, Vision, chosen_vision, load_encoders

EXAMPLES = (
    "build --data data --indexes indexes",
    "build --only-read",
    "build --encoder all-MiniLM-L6-v2",
    "build --vision google/siglip2-base-patch16-224",
)


def build(
    data: Data = None,
    indexes: Indexes = None,
    encoder: Encoder = None,
    vision: Vision = None,
    only_read: OnlyRead = False,
    everything: Everything = False,
    cluster: ClusterAddress = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Build a new generation of the index and switch to it.

    All videos are included with the texts that they have; --only-read leaves out those whose OCR or transcript is
    missing. Only new and changed texts are encoded. The index keeps its encoders until --encoder
    names others.

    With --vision, pictures of all videos are chosen and encoded as well, and the index keeps the model.
    """
    from ingest.cluster.connection import connected
    from ingest.models.weights import weights_note
    from retrieval.corpus import build as corpus
    from retrieval.corpus.erasure import finish
    from retrieval.corpus.seen import vision_loader, with_pictures
    from retrieval.embedding.on_nodes import EncodingOnNodes

    settings = load_settings(data=data, indexes=indexes, encoder=encoder, vision=vision, cluster=cluster)
    model = chosen_vision(settings)
    load = vision_loader(model, given=bool(settings.vision)) if model else None
    finish(settings.data, settings.indexes)  # what a killed process has left
    shown = progress_mode(progress, quiet)

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    with connected(settings.cluster, settings.data) as nodes, EncodingOnNodes(nodes, say) as on_nodes:
        built = corpus.build(
            settings,
            on_nodes.encoders(load_encoders(settings)),
            only_read=only_read and not everything,
            progress=shown,
            say=say,
        )
    manifest = with_pictures(settings, load, shown) or built.manifest

    def show() -> None:
        print(f"generation {manifest.name}: {manifest.videos} videos, {sum(manifest.passages.values())} passages,")
        for used in manifest.encoders:
            print(
                f"{used.encoded} texts encoded by {used.name} in {used.precision}{weights_note(used.name, used.sha256)}"
            )
        if manifest.vision:
            toy = ", a toy: for the demo and the tests only" if manifest.vision.toy else ""
            pictures = sum(entry.pictures for entry in manifest.seen)
            print(f"{pictures} pictures seen by {manifest.vision.name} in {manifest.vision.precision}{toy}")
        if built.left_out:
            why = "their OCR or transcript is missing, or they have" if manifest.only_read else "they have"
            print(f"{built.left_out} videos left out because {why} no text: see `tiktok-retrieval status`")

    answer(as_json, manifest, show)
    for message in built.bad.values():
        print(printable(f"left out: {message}"), file=sys.stderr)
    if built.bad:
        raise typer.Exit(FAILED)
