"""A job -> what a tab shows of it: its steps, its progress, its last lines, and a Stop button."""

from typing import Any

from fastapi import APIRouter

from page.html import STAGE_NAMES, clock, text
from page.jobs import Job, Jobs, Progress

SAME_COMMAND = "run the same command again"  # which a page has no place for
AGAIN = ("Library", "Evaluate")  # tabs whose jobs begin with the press of a button
STATES = {"running": "running", "finished": "finished", "failed": "failed", "stopped": "stopped"}


def job_panel(tab: str) -> str:
    """Return the place where a tab shows its last job, before it arrives."""
    return (
        f'<div class="job-panel" data-jobs="{tab}"><div class="about tab-html"></div>'
        '<p class="actions"><button type="button" data-stop hidden>Stop</button></p>'
        '<details class="output" hidden><summary>Output</summary>'
        '<pre tabindex="0" aria-label="Last lines of output"></pre></details></div>'
    )


def routes(jobs: Jobs) -> APIRouter:
    """Return the routes that show the last job of a tab, and stop the running job."""
    router = APIRouter(include_in_schema=False)

    @router.get("/page/jobs/{tab}")
    def shown(tab: str) -> dict[str, Any]:
        job = jobs.latest(tab)
        if job is None:
            return {"running": False, "html": "", "lines": ""}
        return {"running": job.running, "html": job_html(job), "lines": "\n".join(list(job.lines))}

    @router.delete("/page/jobs", status_code=202)
    def stop() -> None:
        jobs.stop()

    return router


def job_html(job: Job) -> str:
    """Return a job as HTML."""
    steps = ""
    if len(job.steps) > 1:
        kinds = [
            "done" if number < job.step or job.state == "finished" else job.state if number == job.step else "ahead"
            for number in range(len(job.steps))
        ]
        steps = "".join(
            f'<li class="{kind}"{" aria-current=step" if kind == "running" else ""}>{text(step.title)}</li>'
            for kind, step in zip(kinds, job.steps, strict=True)
        )
        steps = f"<ol>{steps}</ol>"
    bar = ""
    if job.running:
        bar = progress_html(job.steps[job.step].title, job.progress)
    why = f"<p class=why>{text(job.message.replace(SAME_COMMAND, 'press “Try again”'))}</p>" if job.message else ""
    if job.state in ("failed", "stopped") and job.tab in AGAIN:
        why += f'<p class="actions"><button type="button" data-job="{text(job.title)}">Try again</button></p>'
    ended = "" if job.running else ' role="status"'
    return (
        f'<section class="job {job.state}" aria-label="Job"><p{ended}><strong>{text(job.title)}</strong> '
        f'<span class="state">{STATES[job.state]}, {clock(job.seconds)}</span></p>{steps}{bar}{why}</section>'
    )


def progress_html(title: str, progress: Progress | None) -> str:
    """Return a bar, and how many items are done; the bar has no length if the total is not known."""
    if progress is None:
        return f'<progress aria-label="{text(title)}"></progress>'
    total = f' max="{progress.total}" value="{progress.done}"' if progress.total else ""
    of = f" of {progress.total:,}" if progress.total else ""
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    stage = STAGE_NAMES.get(progress.stage, progress.stage.capitalize())
    return (
        f'<progress aria-label="{text(title)}"{total}></progress>'
        f"<p class=muted>{text(stage)}: {progress.done:,}{of}{failed}</p>"
    )
