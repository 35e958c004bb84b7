"""Jobs run real commands in real processes: progress, output, errors, and no processes left after Stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from page.job_panel import job_html, progress_html
from page.jobs import Job, JobError, Jobs, Progress, Step, typed_path
from tests.conftest import REPOSITORY

WAIT_S = 60.0
# a command with a worker process; neither ends, and it prints the worker's process id
STUBBORN = """
import signal, subprocess, sys, time
if {ignore}: signal.signal(signal.SIGINT, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("worker", worker.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "data", tmp_path / "indexes")
    yield jobs
    jobs.close()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Step]:
    """Return a function that makes a command of a piece of Python."""

    def make(code: str) -> Step:
        (tmp_path / "made.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return Step("Made", ("made",))

    return make


def run(jobs: Jobs, *steps: Step) -> Job:
    job = jobs.start("Library", "A job", lambda _: steps)
    jobs.wait(WAIT_S)
    return job


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def dead(process: int) -> bool:
    return not alive(process)


def worker_of(job: Job) -> int:
    until(lambda: any(line.startswith("worker ") for line in job.lines))
    return int(next(line for line in job.lines if line.startswith("worker ")).split()[1])


def test_a_command_runs_and_its_output_is_kept(jobs: Jobs, sample_corpus: Path) -> None:
    data = str(jobs.data)
    job = run(jobs, Step("Import", ("ingest", "import", str(sample_corpus / "info"), "--data", data)))
    assert job.state == "finished"
    assert any("new" in line for line in job.lines)
    assert (jobs.data / "catalog.sqlite").is_file()


def test_a_failed_command_gives_the_reason_and_the_next_is_not_run(jobs: Jobs, tmp_path: Path) -> None:
    build = Step("Build", ("retrieval", "build", "--data", str(tmp_path), "--indexes", str(tmp_path)))
    job = run(jobs, build, Step("Never", ("ingest", "status")))
    assert (job.state, job.step) == ("failed", 0)
    assert job.message.startswith("no catalog in")
    assert not any("Never" in line for line in job.lines)


def test_failed_items_do_not_stop_the_next_command(jobs: Jobs, module: Callable[[str], Step]) -> None:
    some_failed = module("print('ocr: 1 done, 1 failed, 0 absent'); raise SystemExit(1)")
    job = run(jobs, some_failed, Step("Version", ("ingest", "--version")))
    assert (job.state, job.step) == ("finished", 1)
    assert "ocr: 1 done, 1 failed, 0 absent" in job.lines


def test_a_second_job_is_refused_while_one_is_running(jobs: Jobs, module: Callable[[str], Step]) -> None:
    job = jobs.start("Library", "The first", lambda _: [module(STUBBORN.format(ignore=False))])
    with pytest.raises(JobError, match="“The first” is running"):
        jobs.start("Evaluate", "The second", lambda _: [])
    jobs.close()
    assert job.state == "stopped"
    assert run(jobs, module("print('free again')")).state == "finished"


def test_stop_ends_a_command_and_its_workers(jobs: Jobs, module: Callable[[str], Step]) -> None:
    job = jobs.start("Library", "A job", lambda _: [module(STUBBORN.format(ignore=False))])
    worker = worker_of(job)
    jobs.close()
    assert job.state == "stopped"
    assert not job.message
    assert not alive(worker)


def test_a_command_that_ignores_the_interrupt_is_killed(
    jobs: Jobs, module: Callable[[str], Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.start("Library", "A job", lambda _: [module(STUBBORN.format(ignore=True))])
    worker = worker_of(job)
    begun = time.monotonic()
    jobs.close()
    assert job.state == "stopped"
    assert time.monotonic() - begun > 5, "it had time to end"
    until(lambda: not alive(worker))


def test_jobs_end_with_the_server_however_it_ends(tmp_path: Path, module: Callable[[str], Step]) -> None:
    module(STUBBORN.format(ignore=False))
    server = f"""
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell makes background processes ignore it
from page.jobs import Jobs, Step
jobs = Jobs(Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))
job = jobs.start("Library", "A job", lambda _: [Step("Made", ("made",))])
while len(job.lines) < 2: time.sleep(0.02)
print(job.lines[-1].split()[1], flush=True)
time.sleep(600)
"""
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
            assert process.stdout
            worker = int(process.stdout.readline())
            assert alive(worker)
            os.kill(process.pid, number)
            process.wait(WAIT_S)
        until(partial(dead, worker))


def test_lines_of_json_become_the_progress_of_a_job(jobs: Jobs, module: Callable[[str], Step]) -> None:
    code = """
import sys, time
from ingest.progress import Progress
with Progress("ocr", 8, "json") as progress:
    progress.advance(2)
    time.sleep(0.6)
    progress.advance(1, "failed")
    print("worker 0", flush=True)
    time.sleep(600)
"""
    job = jobs.start("Library", "A job", lambda _: [module(code)])
    until(lambda: job.progress and job.progress.done == 3)
    assert job.progress == Progress(stage="ocr", done=3, total=8, failed=1)
    assert "OCR: 3 of 8, 1 failed" in job_html(job)
    jobs.close()
    assert not any(line.startswith("{") for line in job.lines)


@pytest.mark.parametrize(
    "line",
    ['{"a": 1}', '{"stage": "ocr", "done": "<b>", "total": 1, "failed": 0}', "{", '{"stage": "ocr", "done": 1}', "[1]"],
)
def test_other_lines_of_json_stay_lines(jobs: Jobs, module: Callable[[str], Step], line: str) -> None:
    job = run(jobs, module(f"print({line!r})"))
    assert job.progress is None
    assert job.lines[-1] == line


def test_progress_without_a_known_total_counts_what_is_done() -> None:
    html = progress_html("Import", Progress(stage="<b>", done=1200, total=None, failed=0))
    assert "max=" not in html and "&lt;b&gt;: 1,200</p>" in html


def test_output_is_bounded_and_harmless_and_has_no_traceback(jobs: Jobs, module: Callable[[str], Step]) -> None:
    job = run(jobs, module("print('x' * 10**6); print('\\x1b[31m' * 9)\nfor n in range(999): print(n)\n1 / 0"))
    assert job.state == "failed"
    assert len(job.lines) <= 200
    assert max(map(len, job.lines)) <= 500
    assert all(line.isprintable() for line in job.lines)
    assert job.lines[-1] == "ZeroDivisionError: division by zero"
    assert not any("Traceback" in line or "File " in line for line in job.lines)


def test_an_answer_goes_to_its_file(jobs: Jobs, tmp_path: Path, module: Callable[[str], Step]) -> None:
    made = module("import sys; print('the answer'); print('a word', file=sys.stderr)")
    job = run(jobs, Step("Made", made.arguments, answer=tmp_path / "new" / "answer.txt"))
    assert (tmp_path / "new" / "answer.txt").read_text() == "the answer\n"
    assert "a word" in job.lines


def test_jobs_run_at_low_priority(jobs: Jobs, module: Callable[[str], Step]) -> None:
    job = run(jobs, module("import os; print('nice', os.nice(0))"))
    assert job.lines[-1] == f"nice {min(os.nice(0) + 10, 19)}"


@pytest.mark.parametrize("typed", ["", "   ", "/no/such/place", "a" * 5000, "nul\0", "~nobody-at-all/x"])
def test_a_missing_path_is_a_plain_message(typed: str) -> None:
    with pytest.raises(JobError, match=r"path of|There is no"):
        typed_path(typed, "a folder")


def test_a_path_that_looks_like_an_option_stays_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "--data").mkdir()
    assert typed_path(" --data ", "a folder") == tmp_path / "--data"
