"""What search by pictures costs: CPU time to encode a picture, bytes of index, time of a search without and with them.

    python benchmarks/pictures.py --indexes indexes/demo --data data/demo --queries data/sample/queries.json
    python benchmarks/pictures.py --indexes indexes --made-up 8 --queries queries.dev.json
    python benchmarks/pictures.py --indexes indexes --made-up 8 --queries queries.dev.json --videos 53757 --no-models

The index is copied, so that nothing changes; with `--videos`, so often that it has so many. `--made-up 8` gives every
video eight pictures of noise instead of those in the data folder: what they show does not matter to the cost. The
models of the published sizes have random weights.
"""

import gc
import io
import json
import platform
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a script, Python only searches this file's folder

from benchmarks.copied_index import copy  # noqa: E402
from ingest.catalog.picture_store import NewPicture, PictureStore  # noqa: E402
from retrieval.corpus.seen import see  # noqa: E402
from retrieval.embedding.vision import VisionEncoder  # noqa: E402
from retrieval.evaluation.queries import read_queries  # noqa: E402
from retrieval.index.generation import open_current  # noqa: E402
from retrieval.index.seen_part import FOLDER  # noqa: E402
from retrieval.search.searcher import Searcher  # noqa: E402

TOY = ROOT / "data" / "toy_vision"
SIZES = ("clip", "siglip")  # see tests/vision_models.py
PICTURES = 32
DIFFERENT = 256


def main(
    indexes: Annotated[Path, typer.Option(help="Folder of the index.")],
    queries: Annotated[Path, typer.Option(help="Query file.")],
    data: Annotated[Path, typer.Option(help="Folder with the pictures.")] = Path("data"),
    made_up: Annotated[int, typer.Option(help="Make up so many pictures of each video.")] = 0,
    videos: Annotated[int, typer.Option(help="Make a larger index, of copies of all videos.")] = 0,
    models: Annotated[bool, typer.Option(help="Also encode with models of the published sizes.")] = True,
) -> None:
    """Measure, and print the figures."""
    toy = VisionEncoder(str(TOY))
    figures: dict[str, Any] = {"cpu_ms_a_picture_and_question": {"toy": encoding(toy)}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if videos:
            copy(indexes, folder / "indexes", videos)
        else:
            shutil.copytree(indexes, folder / "indexes")
        if made_up:
            data = folder / "data"
            data.mkdir()
            make_up(data, sorted(set(open_current(folder / "indexes").ids)), made_up)
        started = time.process_time()
        manifest = see(data, folder / "indexes", toy) or open_current(folder / "indexes").manifest
        pictures = sum(entry.pictures for entry in manifest.seen)
        size = sum(path.stat().st_size for path in (folder / "indexes" / FOLDER).iterdir())
        figures |= {
            "videos": manifest.videos,
            "pictures": pictures,
            "cpu_s_to_index": round(time.process_time() - started, 1),
            "index_bytes_a_picture": round(size / max(1, pictures)),
            "search_ms": searching(folder / "indexes", [query.text for query in read_queries(queries)]),
        }
        if models:
            figures["cpu_ms_a_picture_and_question"] |= {
                kind: encoding(real_size(folder / kind, kind)) for kind in SIZES
            }
    print(json.dumps(figures | {"machine": platform.machine(), "date": str(date.today())}, indent=2))


def noise(random: np.random.Generator) -> Image.Image:
    pixels = random.integers(0, 255, (16, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((270, 480), Image.Resampling.BICUBIC)


def make_up(data: Path, ids: Any, count: int) -> None:
    """Store pictures of noise for every video: some of DIFFERENT ones, which are soon encoded."""
    random, made = np.random.default_rng(1), []
    for _ in range(DIFFERENT):
        buffer = io.BytesIO()
        noise(random).save(buffer, "WEBP", quality=50, method=0)
        made.append(buffer.getvalue())
    with PictureStore(data, create=True) as store:
        for video_id in ids:
            chosen = random.choice(DIFFERENT, count, replace=False).tolist()
            pictures = [NewPicture("video", 2.0 * n, 2.0 * n + 2, made[number]) for n, number in enumerate(chosen)]
            store.put(video_id, "made up", "made up", pictures)


def encoding(encoder: VisionEncoder) -> tuple[float, float]:
    """Return the CPU milliseconds to encode a picture, and a question."""
    random = np.random.default_rng(1)
    pictures = [noise(random) for _ in range(PICTURES)]
    encoder.pictures(pictures[:4])
    started = time.process_time()
    encoder.pictures(pictures)
    of_pictures = time.process_time()
    for number in range(PICTURES):
        encoder.query(f"picture {number} of a red cat and a dog by the sea")
    times = of_pictures - started, time.process_time() - of_pictures
    return round(1000 * times[0] / PICTURES, 1), round(1000 * times[1] / PICTURES, 1)


def real_size(folder: Path, kind: Any) -> VisionEncoder:
    """Return a model of a published size with random weights."""
    from tests.vision_models import dual

    return VisionEncoder(str(dual(folder, kind, real_size=True)))


def searching(indexes: Path, texts: list[str]) -> dict[str, Any]:
    """Return CPU and clock milliseconds of a search, the median of all questions, without pictures and with them.

    The first round loads what all share. In each of the others, the index is opened again and has kept nothing.
    """
    rounds = []
    for weight in (1.0, 0.0, 1.0):
        searcher = Searcher.open(indexes, complete=True)
        times = []
        for number, text in enumerate([*texts[:5], *texts]):
            gc.collect()
            clock, cpu = time.perf_counter(), time.process_time()
            searcher.search(text, weights={"seen": weight})
            if number >= 5:
                times.append((time.process_time() - cpu, time.perf_counter() - clock))
        medians = np.round(1000 * np.median(times, axis=0), 1).tolist()
        rounds.append(dict(zip(("cpu", "clock"), medians, strict=True)))
    return dict(zip(("without", "with"), rounds[1:], strict=True))


if __name__ == "__main__":
    typer.run(main)
