"""Files and links -> videos that can be found: import, index, then fetch, read and index batch by batch.

Everything can be repeated: what is done already is not done again. So an interrupted run loses only the items in work.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.catalog import STAGES, Catalog
from ingest.catalog.priority import by_priority
from ingest.progress import Progress
from ingest.settings import Settings
from ingest.stages.importer import import_records
from ingest.stages.pipeline import run_stage
from retrieval.corpus.add_report import AddReport, summarize
from retrieval.corpus.build import build_if_changed
from retrieval.embedding.encoder import Encoder
from scraper import sources
from scraper.errors import Locked, UserError
from scraper.parse import Found, ParsedRecord

BATCH = 32  # videos that go through all stages together: some minutes of work, after which they can be found
BUILD_SHARE = 10  # a batch is indexed at once if the last build took less than a tenth of the time since then


@dataclass(frozen=True)
class Encoding:
    """The encoder of the index: its name, and how to load it once it is needed."""

    name: str
    load: Callable[[], Encoder]


@dataclass(frozen=True)
class Options:
    """What to add, and how much of it. `fetch_limit` is the number of videos to fetch without asking."""

    fetch: bool = True
    fetch_limit: int = 3_000
    processes: int | None = None
    again: bool = False  # also what was removed earlier


class Adding:
    """One run of `add`: its catalog, its settings and its progress."""

    def __init__(self, catalog: Catalog, settings: Settings, encoding: Encoding, options: Options, shown: Progress):
        self.catalog, self.settings, self.encoding = catalog, settings, encoding
        self.options, self.shown = options, shown
        self.report = AddReport()
        self._built_at, self._build_s = time.monotonic(), 0.0

    def run(self, given: Sequence[Path]) -> AddReport:
        """Add all sources."""
        ids = self._import(given)
        self.build()
        try:
            self._process(by_priority(self.catalog.database, ids))
        except UserError as error:
            if isinstance(error, Locked):
                raise
            self.report.stopped = str(error)
        self.build()
        return summarize(self.catalog, self.settings.indexes, ids, self.report)

    def build(self) -> None:
        """Index what is in the catalog, if the index does not have it yet."""
        self.shown.step("index")
        started = time.monotonic()
        manifest = build_if_changed(self.settings, self.encoding.name, self.encoding.load)
        self.report.generation = manifest.name if manifest else ""
        self._built_at = time.monotonic()
        self._build_s = self._built_at - started

    def _import(self, given: Sequence[Path]) -> set[str]:
        """Import all sources. Return the ids of their videos."""
        ids: set[str] = set()

        def records() -> Iterator[Found]:
            for source in given:
                for found in sources.read(source):
                    if isinstance(found, ParsedRecord):
                        ids.add(found.video.id)
                    yield found
                    self.shown.advance()

        self.shown.begin("import", None)
        imported = import_records(self.catalog, records(), again=self.options.again)
        self.report.new, self.report.problems, self.report.skipped = imported.new, imported.problems, imported.skipped
        self.report.removed = imported.removed
        return {video_id for video_id in ids if self.catalog.get(video_id)}

    def _process(self, ids: Sequence[str]) -> None:
        """Fetch and read the videos that are due, batch by batch."""
        due = {stage: set(self.catalog.ledger.due(stage)) for stage in STAGES}
        wanted = [video_id for video_id in ids if any(video_id in of_stage for of_stage in due.values())]
        self.shown.begin("read", sum(len(of_stage.intersection(wanted)) for of_stage in due.values()))
        for start in range(0, len(wanted), BATCH):
            for stage in STAGES:
                done = run_stage(
                    self.catalog,
                    stage,
                    self.settings,
                    ids=wanted[start : start + BATCH],
                    progress=self.shown,
                    processes=self.options.processes,
                    batch=self.settings.batch,
                )
                self.report.failed += done.failed
            if time.monotonic() - self._built_at > BUILD_SHARE * self._build_s:
                self.build()


@contextlib.contextmanager
def only_add(data: Path) -> Iterator[None]:
    """Hold the lock of `add`. The operating system releases it when the process ends, however it ends.

    Raises:
        Locked: another process adds to this folder.
    """
    data.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(data / ".add.lock", timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another `add` is running in {data}: wait until it is done, or stop it") from error
