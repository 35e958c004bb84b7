"""The items of a stage -> their results, read on the nodes of a cluster instead of in processes of this machine."""

from collections.abc import Iterable, Iterator
from typing import Any

from ingest.cluster.connection import Cluster
from ingest.cluster.jobs import Job
from ingest.cluster.leases import Leases, LostItem
from ingest.cluster.work import Work
from ingest.stages.workers import WorkerError
from scraper.files import remove_leftovers, replace_atomically


def each_on_nodes(cluster: Cluster, work: Work, jobs: Iterable[tuple[str, Job, float]]) -> Iterator[tuple[str, Any]]:
    """Yield (id, result) of each (id, job, limit in seconds) as they finish, as `ingest.stages.workers.each` does.

    What a job has written on its node is written here.
    """
    with Leases[str](cluster, work) as leases:
        for done in leases.each(jobs):
            result = done.result
            if isinstance(result, LostItem):
                result = WorkerError(str(result))
            if done.written is not None:
                remove_leftovers(done.job.output)
                with replace_atomically(done.job.output) as part:
                    part.write_bytes(done.written)
            yield done.key, result
