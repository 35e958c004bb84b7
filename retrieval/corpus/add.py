"""Files and links -> videos that can be found: import, index, then fetch, read and index batch by batch.

Everything can be repeated: what is done already is not done again. So an interrupted run loses only the items in work.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Stage
from ingest.catalog.picture_store import PictureStore
from ingest.catalog.priority import by_priority
from ingest.cluster.connection import Cluster
from ingest.progress import Progress
from ingest.settings import Settings
from ingest.stages.importer import ImportReport, import_records
from ingest.stages.pictures import run_pictures
from ingest.stages.pipeline import check_tools, run_stage
from ingest.stages.refusals import Refused
from retrieval.corpus.add_plan import Plan, plan
from retrieval.corpus.add_report import AddReport, summarize
from retrieval.corpus.build import build_if_changed
from retrieval.corpus.files import files_in
from retrieval.corpus.seen import see
from retrieval.corpus.short_links import resolve_all
from retrieval.corpus.words import count_of
from retrieval.embedding.encoder import Encoder
from scraper import sources
from scraper.errors import Locked, UserError
from scraper.files import make_private
from scraper.parse import Found, ParsedRecord, Problem, printable
from scraper.short_links import Expander, expanding

if TYPE_CHECKING:
    from retrieval.embedding.vision import VisionEncoder

UNFINISHED = ".add-unfinished"  # in the data folder while an addition runs; a killed one leaves it
BATCH = 32  # videos that go through all stages together: some minutes of work, after which they can be found
BUILD_SHARE = 10  # a batch is indexed at once if the last build took less than a tenth of the time since then
YOUNG_S = 10.0  # since its last change, within which a file may still be growing
GROWS_S = 1.0  # within which a file that is being written changes


@dataclass(frozen=True)
class Encoding:
    """The encoders of the index: their names, and how to load them once they are needed.

    `free` is called after each build: the nodes of a cluster have other things to do until the next one.
    """

    names: Sequence[str]
    load: Callable[[], Sequence[Encoder]]
    vision: "Callable[[], VisionEncoder | None] | None" = None  # None: no vision model is chosen
    free: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Given:
    """What to add."""

    paths: Sequence[Path] = ()
    links: Sequence[str] = ()


@dataclass(frozen=True)
class Options:
    """How to add.

    `ask` puts a question with yes or no to the person; None if there is nobody to ask.
    """

    fetch: bool = True
    fetch_all: bool = False
    processes: int | None = None
    again: bool = False  # also what was removed earlier
    ask: Callable[[str], bool] | None = None


@dataclass
class Adding:
    """One run of `add`: its catalog, its settings, its progress, and the cluster that reads if there is one."""

    catalog: Catalog
    settings: Settings
    encoding: Encoding
    options: Options
    shown: Progress
    cluster: Cluster | None = None
    report: AddReport = field(default_factory=AddReport)
    _built_at: float = field(default_factory=time.monotonic)
    _build_s: float = 0.0

    def run(self, given: Given) -> AddReport:
        """Add what is given, and return what became of it."""
        self.report = AddReport()
        unfinished = self.catalog.data / UNFINISHED
        was_interrupted = unfinished.exists()
        unfinished.touch()
        if self.encoding.vision:
            PictureStore(self.catalog.data, create=True).close()  # then pictures are chosen as texts are read
        ids = self._import(given)
        try:
            self._build()
            self._process(self._plan(by_priority(self.catalog.database, ids)))
            self._choose_pictures(sorted(ids))  # of those that were read before there was a vision model
        except UserError as error:
            if isinstance(error, Locked):
                raise
            self.report.stopped = str(error)
        with contextlib.suppress(UserError) if self.report.stopped else contextlib.nullcontext():
            self._build()
        summarize(self.catalog, self.settings.indexes, ids, self.report)
        if was_interrupted:  # nobody has seen its failures
            self.report.new_failures.update(failure["video_id"] for failure in self.report.failures)
        unfinished.unlink(missing_ok=True)
        return self.report

    def _build(self) -> None:
        """Index what is in the catalog, if the index does not have it yet."""
        self.shown.step("index")
        started = time.monotonic()
        try:
            manifest = build_if_changed(self.settings, self.encoding.names, self.encoding.load, self.shown.say)
        finally:
            self.encoding.free()
        encoder = self.encoding.vision() if self.encoding.vision else None
        if manifest and (encoder or not self.encoding.vision):
            manifest = see(self.settings.data, self.settings.indexes, encoder) or manifest
        self.report.generation = manifest.name if manifest else ""
        self._built_at = time.monotonic()
        self._build_s = self._built_at - started

    # -- import -------------------------------------------------------------------------------------------------

    def _import(self, given: Given) -> set[str]:
        """Import all that is given. Return the ids of its videos."""
        notes = self.catalog.import_notes
        growing = growing_files(given.paths)
        expander = Expander(notes.short_links())
        with expanding(expander):
            imported = self._import_once(given, growing)
            if expander.unknown and self.options.fetch:
                self.report.stopped = resolve_all(expander, notes, self.shown)
                again = self._import_once(given, growing)
                imported.problems = again.problems
                imported.new += again.new
                imported.ids |= again.ids
        self.report.new, self.report.problems, self.report.skipped = imported.new, imported.problems, imported.skipped
        self.report.removed = imported.removed
        within = [printable(str(path)) for path in given.paths]
        met = [(one.file, one.index, one.reason) for one in imported.problems if one.file.startswith(tuple(within))]
        self.report.new_problems = notes.put_problems(met, within) + len(imported.problems) - len(met)
        return imported.ids.intersection(self.catalog.ids())

    def _import_once(self, given: Given, growing: Collection[Path]) -> ImportReport:
        def records() -> Iterator[Found]:
            for path in given.paths:
                yield from sources.read(path)
            if given.links:
                yield from sources.read_links(given.links)

        reported: set[Path] = set()

        def watched() -> Iterator[Found]:
            for found in records():
                if isinstance(found, ParsedRecord) and (grows := _in_writing(found, growing)):
                    if grows not in reported:
                        yield Problem(str(grows), None, "is still being written: add it again when it is complete")
                    reported.add(grows)
                    continue
                yield found
                self.shown.advance()

        self.shown.begin("import", None)
        return import_records(self.catalog, watched(), again=self.options.again)

    # -- fetch and read -----------------------------------------------------------------------------------------

    def _plan(self, ids: Sequence[str]) -> Plan:
        """Plan the work. Ask before more videos are fetched than the limit."""
        options, limit = self.options, self.settings.fetch_limit
        whole = plan(self.catalog, ids, fetch_limit=None if options.fetch else 0)
        made, many = whole, len(whole.fetch)
        if many > limit and not options.fetch_all:
            question = (
                f"{whole.sentence()} Fetch all of them now? Otherwise only the first"
                f" {limit:,} are fetched, favorites before likes before history."
            )
            if not (options.ask and options.ask(question)):
                made = plan(self.catalog, ids, fetch_limit=limit)
                self.shown.say(
                    f"{count_of(many)} to fetch, but the limit is {limit:,}: run the same command again"
                    " for the next ones, or fetch all with --yes."
                )
        if made.work:
            self.shown.say(made.sentence())
        made.check_disk(self.catalog.data)
        return made

    def _process(self, made: Plan) -> None:
        """Fetch and read the videos in work, batch by batch."""
        check_tools([stage for stage, count in made.due.items() if count], self.settings)
        self.shown.begin("read", sum(made.due.values()))
        refused = ""
        for start in range(0, len(made.work), BATCH):
            batch = made.work[start : start + BATCH]
            try:
                self._run("download", [video_id for video_id in batch if video_id not in made.left])
            except Refused as error:
                refused = self.report.stopped = str(error)
            self._run("ocr", batch)
            self._run("transcribe", batch)
            self._choose_pictures(batch)
            if refused:
                return
            if start + BATCH < len(made.work) and time.monotonic() - self._built_at > BUILD_SHARE * self._build_s:
                with contextlib.suppress(Locked):  # the build at the end has it
                    self._build()

    def _choose_pictures(self, ids: Sequence[str] | None) -> None:
        """Choose pictures of what videos show, if there is a vision model."""
        if self.encoding.vision:
            done = run_pictures(self.catalog, ids=ids, progress=self.shown, processes=self.options.processes)
            self.report.new_failures.update(failure["video_id"] for failure in done.failures)

    def _run(self, stage: Stage, ids: Sequence[str]) -> None:
        done = run_stage(
            self.catalog,
            stage,
            self.settings,
            ids=ids,
            progress=self.shown,
            processes=self.options.processes,
            batch=self.settings.batch,
            cluster=self.cluster,
        )
        self.report.new_failures.update(failure["video_id"] for failure in done.failures)


def growing_files(paths: Sequence[Path]) -> set[Path]:
    """Return the files that change while they are looked at: another program is still writing them."""
    since = time.time_ns() - round(YOUNG_S * 1e9)
    young = {path: state for path, state in files_in(paths).items() if state[1] > since}
    if not young:
        return set()
    time.sleep(GROWS_S)
    now = files_in(paths)
    return {path for path, state in young.items() if now.get(path) != state}


def _in_writing(record: ParsedRecord, growing: Collection[Path]) -> Path | None:
    """The file of a record that is still being written, if there is one."""
    paths = [path for _, _, path in record.files] + ([record.origin] if record.origin else [])
    return next((path for path in paths if path in growing), None)


@contextlib.contextmanager
def only_add(data: Path) -> Iterator[None]:
    """Hold the lock of `add`. The operating system releases it when the process ends, however it ends.

    Raises:
        Locked: another process adds to this folder.
    """
    make_private(data)
    try:
        with FileLock(data / ".add.lock", timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another `add` is running in {data}: wait until it is done, or stop it") from error
