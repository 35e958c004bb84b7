"""Additions -> how far they are and what came of them, as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from page.adding import Addition
from page.html import clock, link, text
from page.uploads import FOLDER, Left

WORK = {  # stages as `add` names them -> what the person reads
    "import": "Reading your files",
    "short links": "Following short links",
    "download": "Fetching from the site",
    "ocr": "Reading pictures",
    "transcribe": "Transcribing speech",
    "read": "Reading videos",
    "index": "Indexing",
}
FAILED_WORK = {"download": "not fetched", "ocr": "pictures not read", "transcribe": "speech not transcribed"}
MAX_NAMED = 500  # failures that are listed; more would only slow the browser down


def brief(shown: Sequence[Addition]) -> str:
    """Return the state of the newest addition in a few words, or nothing."""
    if not shown:
        return ""
    addition = shown[0]
    if addition.state == "running":
        return f"{_work(addition)}{_counts(addition)}"
    return {"waiting": "Waiting", "finished": "Added", "failed": "Not added", "stopped": "Stopped"}[addition.state]


def status_html(shown: Sequence[Addition], left: Sequence[Left]) -> str:
    """Return all additions and interrupted uploads."""
    return "".join(map(_left_html, left)) + "".join(map(_addition_html, shown))


def _addition_html(addition: Addition) -> str:
    state = addition.state
    head = f"<h3>{text(addition.title)}</h3>"
    if state == "waiting":
        inner = f"<p>Waits until the job before it is done.</p>{_button('stop', addition.id, 'Do not add')}"
    elif state == "running":
        inner = _progress_html(addition)
    else:
        inner = _ended_html(addition)
    return f'<section class="addition {state}" data-id="{text(addition.id)}">{head}{inner}</section>'


def _progress_html(addition: Addition) -> str:
    assert addition.job
    shown, left_s = addition.job.progress, addition.job.seconds_left
    if shown and shown.stage == "index":
        shown, left_s = None, None  # it counts nothing of its own
    length = f' max="{shown.total}" value="{min(shown.done, shown.total)}"' if shown and shown.total else ""
    left = f", about {_duration(left_s)} left" if left_s is not None else ""
    failed = f", {shown.failed:,} failed" if shown and shown.failed else ""
    return (
        f'<progress aria-label="{text(addition.title)}"{length}></progress>'
        f"<p><b>{_work(addition)}</b>{_counts(addition)}{failed}{left}</p>"
        '<p class="muted">You can close this window and go on searching. Each video can be found as soon as it is'
        f" indexed.</p>{_button('stop', addition.id, 'Stop')}"
    )


def _ended_html(addition: Addition) -> str:
    assert addition.job
    report, after = addition.report, f'<p class="muted">It took {clock(addition.job.seconds)}.</p>'
    if addition.state == "stopped":
        again = _button("resume", addition.id, "Go on")
        return f"<p>Stopped. What was added until then can be found.</p>{again}{_summary_html(report)}"
    if addition.state == "failed":
        again = _button("resume", addition.id, "Try again")
        return f'<p class="bad">{text(addition.job.message)}</p>{_summary_html(report)}{again}'
    return f"{_summary_html(report)}{_failures_html(addition)}{after}"


def _summary_html(report: Mapping[str, Any]) -> str:
    """Return the counts of a report as one sentence."""
    if not report:
        return ""
    videos, found = int(report.get("videos", 0)), int(report.get("searchable", 0))
    if not videos:
        return "<p><b>No video was added.</b></p>"
    parts = [f"<b>{found:,} of {videos:,} {'video' if videos == 1 else 'videos'} can be found</b>"]
    for name, words in (
        ("incomplete", "of them not completely read"),
        ("gone", "gone from the site"),
        ("unreadable", "failed"),
        ("due", "still to be read"),
    ):
        if number := int(report.get(name, 0)):
            parts.append(f"{number:,} {words}")
    new = int(report.get("new", 0))
    known = f" {new:,} {'is' if new == 1 else 'are'} new." if 0 < new < videos else "" if new else " None is new."
    skipped = ", ".join(f"{int(one['count']):,} {text(str(one['what']))}" for one in report.get("skipped", []))
    return f"<p>{', '.join(parts)}.{known}</p>" + (f'<p class="muted">Not videos: {skipped}.</p>' if skipped else "")


def _failures_html(addition: Addition) -> str:
    """Return every failure with the name of its file, or the link of its video, and the reason."""
    lines = [
        f"<b>{_own_name(addition, str(one['file']))}</b> {text(str(one['reason']))}" for one in _problems(addition)
    ]
    for one in addition.report.get("failures", []):
        name = str(one.get("name") or one["video_id"])
        shown = link(str(one.get("link", "")), text(name)) or text(name)
        work = FAILED_WORK.get(str(one["stage"]), str(one["stage"]))
        lines.append(f"<b>{shown}</b> {text(work)}: {text(str(one['error']))}")
    if not lines:
        return ""
    more = f"<li>and {len(lines) - MAX_NAMED:,} more</li>" if len(lines) > MAX_NAMED else ""
    items = "".join(f"<li>{line}</li>" for line in lines[:MAX_NAMED])
    heading = "1 failure" if len(lines) == 1 else f"{len(lines):,} failures"
    retry = '<p class="muted">To try them again, use “Retry failed” in the tab Library.</p>'
    return f"<details><summary>{heading}</summary><ul>{items}{more}</ul>{retry}</details>"


def _problems(addition: Addition) -> list[dict[str, Any]]:
    return list(addition.report.get("problems", []))


def _own_name(addition: Addition, file: str) -> str:
    """Return the name that the person gave a file: its path below the folder of the upload."""
    _, upload, rest = file.partition(f"{FOLDER}/{addition.id}/files")
    return text(rest.lstrip("/") or ("All files" if upload else file))


def _left_html(left: Left) -> str:
    files = "1 file" if left.files == 1 else f"{left.files:,} files"
    return (
        f'<section class="addition left" data-id="{text(left.id)}"><h3>An upload was interrupted</h3>'
        f"<p>{files}, {left.bytes / 1e6:,.1f} MB, had arrived.</p>"
        f"{_button('resume', left.id, 'Add them')} {_button('discard', left.id, 'Delete them')}</section>"
    )


def _button(name: str, upload_id: str, label: str) -> str:
    return f'<button type="button" data-{name}="{text(upload_id)}">{label}</button>'


def _work(addition: Addition) -> str:
    progress = addition.job.progress if addition.job else None
    return WORK.get(progress.stage, text(progress.stage.capitalize())) if progress else "Starting"


def _counts(addition: Addition) -> str:
    progress = addition.job.progress if addition.job else None
    if progress is None or progress.stage == "index" or not (progress.total or progress.done):
        return ""
    steps = " steps" if progress.stage in FAILED_WORK else ""  # a video is fetched, read and transcribed
    return f": {progress.done:,} of {progress.total:,}{steps}" if progress.total else f": {progress.done:,}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
