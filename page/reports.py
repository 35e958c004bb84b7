"""Reports that jobs have made -> pages of their own, by the job's id: what the tab Evaluate shows in a frame."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from page.jobs import Jobs

if TYPE_CHECKING:
    from retrieval.server.service import Service

REPORT = "report.html"
ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")  # as page/jobs.py makes them
# It is one file with its plots and styles inside and no script; links to the videos open in a tab of their own.
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
    """The report of a job, or another file of that name; None where that is no id or the job has made none."""
    if not ID.fullmatch(job_id):
        return None
    path = jobs.folder / job_id / name
    inside = path.resolve().is_relative_to(jobs.folder.resolve())
    return path if inside and path.is_file() else None


def kept(jobs: Jobs, name: str) -> list[str]:
    """The ids of all jobs that have left a file of that name, newest first."""
    if not jobs.folder.is_dir():
        return []
    return sorted((folder.name for folder in jobs.folder.iterdir() if report(jobs, folder.name, name)), reverse=True)


def routes(_: "Service", jobs: Jobs) -> APIRouter:
    """`/reports/{job_id}`; to be included before the page is mounted."""
    router = APIRouter()

    @router.api_route("/reports/{job_id}", methods=["GET", "HEAD"], include_in_schema=False)
    def shown(job_id: str) -> FileResponse:
        if path := report(jobs, job_id):
            return FileResponse(path, media_type="text/html; charset=utf-8", headers=HEADERS)
        raise HTTPException(404, "no such report is kept; the tab Evaluate lists those that are")

    return router
