"""tiktok-retrieval build: the catalog -> a new generation of the index."""

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, progress_mode
from ingest.commands.output import answer
from ingest.settings import load_settings
from retrieval.commands.options import Encoder, Everything, load_encoder

EXAMPLES = ("build --data data --indexes indexes", "build --all", "build --encoder all-mpnet-base-v2")


def build(
    data: Data = None,
    indexes: Indexes = None,
    encoder: Encoder = None,
    everything: Everything = False,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Build a new generation of the index and switch to it.

    Only new and changed texts are encoded. Videos are included once their OCR and transcript are done; --all also
    includes the others. The index keeps its encoder until --encoder names another.
    """
    from ingest.catalog import Catalog
    from retrieval.errors import RetrievalError
    from retrieval.index import builder
    from retrieval.index.documents import document

    settings = load_settings(data=data, indexes=indexes, encoder=encoder)
    with Catalog(settings.data) as catalog:
        ids = catalog.ids(usable=not everything)
        total = len(catalog.ids())
        documents = [document(entry) for entry in catalog.entries(ids)]
    if not ids:
        raise RetrievalError(
            f"none of the {total} videos in {settings.data} is usable: read their media with `tiktok-retrieval run`,"
            " or index what is there with `tiktok-retrieval build --all`"
        )
    loaded = load_encoder(settings)
    manifest = builder.build(documents, settings.indexes, loaded, progress=progress_mode(progress, quiet))

    def show() -> None:
        print(f"generation {manifest.name}: {manifest.videos} videos, {sum(manifest.passages.values())} passages,")
        print(f"{manifest.encoded} texts encoded by {manifest.encoder} in {manifest.precision}")
        if left_out := total - len(ids):
            print(
                f"{left_out} videos left out because their OCR or transcript is missing: see `tiktok-retrieval status`;"
            )
            print("--all includes them")

    answer(as_json, manifest, show)
