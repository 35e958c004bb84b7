"""tiktok-retrieval plan: how many videos -> hours, memory, disk and shards."""

from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands.options import Frames, Json, OcrEngine, Whisper
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Encoder

if TYPE_CHECKING:
    from retrieval.corpus.sizing import Estimate, Nodes, Speeds

EXAMPLES = ("plan --videos 1000000", "plan --videos 10000000 --nodes 50 --cores 16 --node-memory 64")


def plan(
    videos: Annotated[int, typer.Option(min=1, help="How many videos.", metavar="N")] = 1_000_000,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of the cluster.", metavar="N")] = 1,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores of a node.", metavar="N", show_default="those of this machine")
    ] = None,
    gpus: Annotated[int, typer.Option(min=0, help="Graphics cards of a node.", metavar="N")] = 0,
    node_memory: Annotated[float, typer.Option(min=1, help="Memory of a node in GB.", metavar="GB")] = 24.0,
    encoder: Encoder = None,
    engine: OcrEngine = None,
    frames: Frames = None,
    whisper: Whisper = None,
    as_json: Json = False,
) -> None:
    """Plan for many videos: print hours by stage, memory and disk, for one machine or a cluster.

    Measures this machine for about a minute, on films that it makes. What it takes for granted is printed.
    """
    from ingest.stages.workers import cores as cores_here
    from retrieval.corpus.sizing import Nodes, assumptions, estimate, measure

    settings = load_settings(encoder=encoder, ocr_engine=engine, frames=frames, whisper=whisper)
    cluster = Nodes(nodes, cores or cores_here(), gpus, node_memory)
    speeds = measure(settings)
    made = estimate(videos, speeds, cluster)
    given = assumptions(settings, cluster)
    answer(
        as_json,
        made.as_dict() | {"assumptions": given},
        lambda: _show(made, speeds, cluster, given),
    )


def _show(made: "Estimate", speeds: "Speeds", nodes: "Nodes", given: list[str]) -> None:
    print(
        f"One core of this machine: {speeds.ocr_s_per_film:.1f} s to read a video's pictures,"
        f" {speeds.transcribe_s_per_s:.2f} s for a second of speech, {1 / speeds.encode_s_per_text:,.0f} texts encoded"
        " in a second."
    )
    cards = f", {nodes.count * nodes.gpus} graphics cards" if nodes.gpus else ""
    print(f"\n{made.videos:,} videos on {nodes.count} x {nodes.cores} cores{cards}:")
    print(f"{'stage':<12}{'CPU hours':>14}{'GPU hours':>14}{'hours':>12}")
    for stage, needed in made.cpu_hours.items():
        card = made.gpu_hours.get(stage)
        cpu, gpu = ("", f"{card:,.0f}") if card is not None else (f"{needed:,.0f}", "")
        print(f"{stage:<12}{cpu:>14}{gpu:>14}{made.hours[stage]:>12,.1f}")
    print(f"{'together':<40}{sum(made.hours.values()):>12,.1f}")
    print(
        f"\nDisk: catalog {made.catalog_gb:,.1f} GB, media {made.media_gb:,.0f} GB, index {made.index_gb:,.1f} GB."
        f"\nIndex: {made.shards} {'part' if made.shards == 1 else 'parts'} (shards) in nodes of"
        f" {made.node_memory_gb:g} GB each."
    )
    if made.shards > 1:
        print("This version searches on one machine: it needs the memory of all parts.")
    print("\nThis takes for granted:")
    for sentence in given:
        print(f"- {sentence}")
