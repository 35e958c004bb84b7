"""A worker on a node of the cluster: it fetches the files of a job, runs a function on them, and sends back an answer.

Ray makes an actor of it. The function is the one that a single machine runs as well.
"""

import functools
import hashlib
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ingest.cluster.jobs import Answer, Job
from ingest.cluster.media import Lacking, MediaPlace, Unreachable, node_folder
from scraper.disk import concerns_all
from scraper.errors import UserError

PACKAGES = ("scraper", "ingest", "retrieval")
Read = Callable[[Any, float], Any]  # a job and its time limit in seconds -> its result


class NodeWorker:
    """Takes leases. It is made without a model, so that it can say why its node is unsuitable.

    Args:
        load: makes the function that reads jobs; it loads models and checks tools.
        media: where the files of the catalog are.
        version: of the program, as `program_version` gives it on the machine with the catalog.
    """

    def __init__(self, load: Callable[[], Read], media: MediaPlace | None, version: str) -> None:
        self._load, self._media, self._version = load, media, version
        self._read: Read | None = None

    def prepare(self) -> str:
        """Load what is needed. Return why the node cannot be used, or "" if it can."""
        if self._version != program_version():
            return "it has another version of tiktok-retrieval: install the same one on all nodes"
        try:
            self._read = self._load()
        except UserError as error:
            return str(error)
        except (ImportError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def read(self, job: Job, limit_s: float, sent: Mapping[str, bytes], skip: Collection[Path] = ()) -> Answer:
        """Run the function on a job. Errors of the job are its result.

        Args:
            sent: the contents of some of its files, by their sha256.
            skip: files that are nowhere; the function says so.
        """
        assert self._read
        folder = node_folder()
        with tempfile.TemporaryDirectory(prefix="tiktok-retrieval-") as own:
            places: dict[Path, Path] = {}
            lacking = []
            try:
                for source in job.sources:
                    if not self._media or source.path in skip:
                        continue
                    try:
                        places[source.path] = self._media.bring(source, sent, folder)
                    except Lacking:
                        lacking.append(source.path)
            except Unreachable as error:
                return Answer(unreachable=str(error))
            except OSError as error:
                return Answer(trouble=str(concerns_all(error, folder) or error))
            if lacking:
                return Answer(lacking=tuple(lacking))
            written = Path(own, "output")
            try:
                result = self._read(job.at(places | ({job.output: written} if job.output else {})), limit_s)
            except Exception as error:
                if full := concerns_all(error, Path(own)):
                    return Answer(trouble=str(full))
                result = error
            return Answer(result, written.read_bytes() if written.is_file() else None)


@functools.cache
def program_version() -> str:
    """Return what identifies the code of this program: nodes must run the same."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
