"""Reports of comparisons -> separate pages, by the id of the job; the tab Evaluate shows them in a frame."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from page.jobs import Jobs

if TYPE_CHECKING:
    from retrieval.server.service import Service

REPORT = "report.html"
ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")  # see page/jobs.py
# A report is one file with its plots and styles inside and no script. Links to the videos open in a new tab.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}


def report(jobs: Jobs, job_id: str, name: str = REPORT) -> Path | None:
    """Return the report of a job, or its file `name`; None if the id is not valid or there is no such file."""
    if not ID.fullmatch(job_id):
        return None
    path = jobs.folder / job_id / name
    inside = path.resolve().is_relative_to(jobs.folder.resolve())
    return path if inside and path.is_file() else None


def job_ids(jobs: Jobs, name: str) -> list[str]:
    """Return the ids of all jobs with a file of that name, newest first."""
    if not jobs.folder.is_dir():
        return []
    made = {folder.name: path for folder in jobs.folder.iterdir() if (path := report(jobs, folder.name, name))}
    # The rest of an id is random: of one second, the file that was written last is the newest.
    return sorted(made, key=lambda job_id: (job_id[:15], made[job_id].stat().st_mtime_ns), reverse=True)


def routes(_: "Service", jobs: Jobs) -> APIRouter:
    """Return the route `/reports/{job_id}`; to include before the page is mounted."""
    router = APIRouter()

    @router.api_route("/reports/{job_id}", methods=["GET", "HEAD"], include_in_schema=False)
    def shown(job_id: str) -> FileResponse:
        if path := report(jobs, job_id):
            return FileResponse(path, media_type="text/html; charset=utf-8", headers=HEADERS)
        raise HTTPException(404, "No such report. The tab Evaluate lists all reports.")

    return router
