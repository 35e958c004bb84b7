"""A job -> what a tab shows of it: its steps, its progress, its last lines, and a Stop button."""

from typing import Any

import gradio as gr

from page.html import STAGE_NAMES, clock, notice, text
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
            job_html(job),
            gr.Button("Stop", visible=job.running, interactive=True),
            gr.Accordion(visible=True),
            "\n".join(job.lines),
            gr.Timer(active=job.running),
        ]

    def refused(self, error: Exception) -> list[Any]:
        """Return the values that say why a job was not started. A running job of this tab stays below."""
        _, *rest = self.values()
        job = self.jobs.latest(self.tab)
        below = job_html(job) if job else ""
        return [notice("Not started", str(error), "problem") + below, *rest]

    def stopped(self) -> Any:
        self.jobs.stop()
        return gr.Button("Stopping …", interactive=False)


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
    why = f"<p class=why>{text(job.message)}</p>" if job.message else ""
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
