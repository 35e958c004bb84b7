"""A job -> what a tab shows of it: its steps, its progress, its last lines, and a Stop button."""

from typing import Any

import gradio as gr

from ingest.catalog import Catalog, CatalogError
from page.html import clock, notice, text
from page.jobs import Job, Jobs, Progress

TICK_S = 1.0
STATES = {"running": "running", "finished": "finished", "failed": "failed", "stopped": "stopped"}


class JobPanel:
    """The components that show the last job of a tab. `values()` returns their values, in the order of `outputs`."""

    def __init__(self, jobs: Jobs, tab: str) -> None:
        self.jobs, self.tab = jobs, tab
        self.about = gr.HTML("", apply_default_css=False, elem_classes="tab-html")
        with gr.Row(elem_classes="actions"):
            self.stop = gr.Button(
                "Stop",
                variant="stop",
                size="sm",
                scale=0,
                min_width=120,
                visible=False,
                elem_id=f"stop-{tab.lower()}",
            )
        with gr.Accordion("Output", open=False, visible=False) as self.output:
            self.lines = gr.Textbox(
                label="Last lines of output", lines=8, max_lines=8, interactive=False, elem_classes="lines"
            )
        self.timer = gr.Timer(TICK_S, active=False)
        self.outputs: list[Any] = [self.about, self.stop, self.output, self.lines, self.timer]
        self.stop.click(self.stopped, outputs=self.stop, api_visibility="private", show_progress="hidden")

    @property
    def running(self) -> bool:
        job = self.jobs.latest(self.tab)
        return bool(job and job.running)

    def values(self) -> list[Any]:
        job = self.jobs.latest(self.tab)
        if job is None:
            return ["", gr.Button(visible=False), gr.Accordion(visible=False), "", gr.Timer(active=False)]
        return [
            job_html(job, self._progress(job)),
            gr.Button("Stop", visible=job.running, interactive=True),
            gr.Accordion(visible=True),
            "\n".join(job.lines),
            gr.Timer(active=job.running),
        ]

    def refused(self, error: Exception) -> list[Any]:
        """Return the values that say why a job was not started. A running job of this tab stays below."""
        _, *rest = self.values()
        job = self.jobs.latest(self.tab)
        below = job_html(job, self._progress(job)) if job else ""
        return [notice("Not started", str(error), "problem") + below, *rest]

    def stopped(self) -> Any:
        self.jobs.stop()
        return gr.Button("Stopping …", interactive=False)

    def _progress(self, job: Job) -> Progress | None:
        """What the command says; of reading media, which says nothing for long, what the ledger says."""
        if not job.running or job.progress or job.steps[job.step].arguments[:2] != ("ingest", "run"):
            return job.progress
        try:
            with Catalog(self.jobs.data) as catalog:
                due = catalog.ledger.due_counts()
        except CatalogError:
            return None
        left = sum(due.values())
        job.most_due = max(job.most_due, left)
        what = ", ".join(f"{stage} {n:,}" for stage, n in due.items() if n)
        return Progress(f"left to do: {what or 'nothing'}", job.most_due - left, job.most_due)


def job_html(job: Job, progress: Progress | None) -> str:
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
        label = text(job.steps[job.step].title)
        if progress and progress.total:
            share = f"{progress.done:,} of {progress.total:,}{' · ' if progress.times else ''}{progress.times}"
            bar = (
                f'<progress aria-label="{label}" max="{progress.total}" value="{progress.done}"></progress>'
                f"<p class=muted>{text(progress.what)} · {text(share)}</p>"
            )
        else:
            bar = f'<progress aria-label="{label}"></progress>'
    why = f"<p class=why>{text(job.message)}</p>" if job.message else ""
    ended = "" if job.running else ' role="status"'
    return (
        f'<section class="job {job.state}" aria-label="Job"><p{ended}><strong>{text(job.title)}</strong> '
        f'<span class="state">{STATES[job.state]}, {clock(job.seconds)}</span></p>{steps}{bar}{why}</section>'
    )
