"""Measurements and comparisons that the tab Evaluate starts: real commands on a real index, and how they are shown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from page.evaluate_tab import COMPARE, MEASURE, QUICK, TAB, job_steps
from page.evaluation_view import evaluation_html, judgements_html, report_html
from page.jobs import Job, JobError, Jobs, Step
from page.reports import REPORT, job_ids, routes
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.server.service import Service
from scraper.records import Video
from tests.tiny_corpus import BREAD, HOSTILE, make_data, make_index

WAIT_S = 120.0
HOSTILE_QUESTION = "<img src=x onerror=alert(1)> haunted toaster"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("evaluate")
    make_data(data)
    make_index(data, data / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    queries = [{"text": "loaf hollow drum", "target": BREAD}, {"text": HOSTILE_QUESTION, "target": HOSTILE}]
    (data / "queries.json").write_text(json.dumps(queries))
    return data


@pytest.fixture(scope="module")
def service(made: Path) -> Service:
    return Service(made, made / "indexes")


@pytest.fixture(scope="module")
def jobs(made: Path) -> Iterator[Jobs]:
    jobs = Jobs(made, made / "indexes")
    yield jobs
    jobs.close()


def run(service: Service, jobs: Jobs, title: str, *models: str) -> Job:
    job = jobs.start(TAB, title, job_steps(service, jobs, title, str(jobs.data / "queries.json"), models))
    jobs.wait(WAIT_S)
    assert job.state == "finished", list(job.lines)
    return job


@pytest.fixture(scope="module")
def compared(service: Service, jobs: Jobs) -> Job:
    return run(service, jobs, COMPARE, "bm25")


@pytest.fixture(scope="module")
def client(service: Service, jobs: Jobs) -> TestClient:
    app = FastAPI()
    app.include_router(routes(service, jobs))
    return TestClient(app)


def test_judgements_are_shown_as_text_measured_and_deleted(service: Service, jobs: Jobs) -> None:
    with pytest.raises(JobError, match="no judgements yet"):
        job_steps(service, jobs, MEASURE, None, [])
    number = service.judge(HOSTILE_QUESTION, HOSTILE).id
    html = judgements_html(service)
    assert "1 judgement, each" in html
    assert "&lt;img src=x onerror=alert(1)&gt; haunted toaster" in html
    assert "<img" not in html
    job = jobs.start(TAB, MEASURE, job_steps(service, jobs, MEASURE, None, []))
    jobs.wait(WAIT_S)
    assert job.state == "finished"
    assert "1 query, 7 videos" in evaluation_html(jobs)
    service.delete_judgement(number)
    assert "No judgements yet" in judgements_html(service)
    assert not service.judgements()


def test_the_figures_of_a_measurement_are_shown_by_mode_and_query(service: Service, jobs: Jobs) -> None:
    run(service, jobs, MEASURE)
    html = evaluation_html(jobs)
    assert "2 queries, 7 videos" in html
    assert re.search(r"Hybrid</th><td data-value=1\.0>1\.000", html)
    assert "Success@10" in html
    assert "loaf hollow drum" in html
    assert "&lt;img src=x" in html
    assert "<img" not in html


def test_a_few_questions_start_no_process_and_more_do(
    service: Service, jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steps(count: int) -> list[Step]:
        asked = [{"text": f"loaf {number}", "target": BREAD} for number in range(count)]
        (tmp_path / "queries.json").write_text(json.dumps(asked))
        return list(job_steps(service, jobs, MEASURE, str(tmp_path / "queries.json"), [])("20990101-000000-00000000"))

    assert [bool(step.work) for step in steps(QUICK) + steps(QUICK + 1)] == [True, False]
    monkeypatch.setattr("subprocess.Popen", None)
    run(service, jobs, MEASURE)


def test_with_few_questions_the_verdict_says_so_and_the_figures_are_folded(service: Service, jobs: Jobs) -> None:
    run(service, jobs, MEASURE)
    html = evaluation_html(jobs)
    assert re.search(r'class="verdict">[^<]*2 questions are too few to tell', html)
    assert html.index("<details><summary>Figures of 2 queries") < html.index("Measures")
    assert "seed 20220801" in html


def test_a_judgement_whose_video_is_not_indexed_yet_affects_only_itself(service: Service, jobs: Jobs) -> None:
    with Catalog(service.data) as catalog:
        catalog.put_video(Video(id="7200000000000000001", description="new"))
    numbers = [service.judge("loaf hollow drum", BREAD).id, service.judge("new", "7200000000000000001").id]
    try:
        job = jobs.start(TAB, MEASURE, job_steps(service, jobs, MEASURE, None, []))
        jobs.wait(WAIT_S)
        assert job.state == "finished"
        html = evaluation_html(jobs)
        assert "1 query, 7 videos" in html and "not in the index: 1. They are left out" in html
        service.delete_judgement(numbers[0])
        alone = jobs.start(TAB, MEASURE, job_steps(service, jobs, MEASURE, None, []))
        jobs.wait(WAIT_S)
        assert alone.state == "failed" and "Build the index" in alone.message
    finally:
        for number in numbers:
            service.delete_judgement(number)


def test_figures_of_an_earlier_version_are_shown(jobs: Jobs) -> None:
    old = jobs.folder / "20991231-235959-00000000"
    old.mkdir(parents=True)
    modes = {mode: {"RR": rr, "mean_rank": 1 / rr} for mode, rr in (("hybrid", 1.0), ("dense", 0.5))}
    asked = [{"id": "1", "text": "loaf", "target": BREAD, "rank": 1, "ranks": {"hybrid": 1}}]
    made = {"generation": "g", "encoder": "e", "videos": 7, "measures": modes["hybrid"], "modes": modes}
    (old / "evaluation.json").write_text(json.dumps(made | {"queries": asked}))
    try:
        assert "generation g" in evaluation_html(jobs)
    finally:
        (old / "evaluation.json").unlink()


def test_a_later_server_shows_the_figures_as_well(service: Service, jobs: Jobs) -> None:
    run(service, jobs, MEASURE)
    assert evaluation_html(Jobs(jobs.data, jobs.indexes)) == evaluation_html(jobs)


def test_an_unfinished_measurement_is_skipped(service: Service, jobs: Jobs) -> None:
    run(service, jobs, MEASURE)
    shown = evaluation_html(jobs)
    stopped = jobs.folder / "29991231-235959-00000000"
    stopped.mkdir()
    (stopped / "evaluation.json").write_text("")
    assert shown == evaluation_html(jobs)


def test_a_comparison_leaves_a_report_that_is_shown_in_a_frame_without_scripts(jobs: Jobs, compared: Job) -> None:
    assert job_ids(jobs, REPORT) == [compared.id]
    frame = report_html(jobs, compared.id)
    assert f'src="reports/{compared.id}"' in frame
    assert "allow-scripts" not in frame
    assert "allow-same-origin" not in frame
    assert 'class="verdict">The model bm25 has the highest RR' in frame and 'aria-label="Models"' in frame


def test_a_report_is_served_with_a_policy_that_allows_no_scripts(client: TestClient, compared: Job) -> None:
    answer = client.get(f"/reports/{compared.id}")
    assert answer.status_code == 200
    assert "Which embedding model" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "frame-ancestors 'self'" in policy
    assert client.head(f"/reports/{compared.id}").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "20990101-000000-00000000",
        "..",
        "%2e%2e%2fqueries.json",
        "../../catalog.sqlite",
        "..%5c..",
        "secret",
        "20200101-000000-abcdef01",  # a link that leads outside
    ],
)
def test_only_reports_of_jobs_are_served(client: TestClient, jobs: Jobs, compared: Job, name: str) -> None:
    (jobs.folder / "secret").mkdir(exist_ok=True)
    (jobs.folder / "secret" / REPORT).write_text("no")
    outside = jobs.data / "outside"
    outside.mkdir(exist_ok=True)
    (outside / REPORT).write_text("no")
    link = jobs.folder / "20200101-000000-abcdef01"
    if not link.exists():
        link.symlink_to(outside)
    assert client.get(f"/reports/{name}").status_code == 404


def test_invalid_input_is_refused_before_a_job_starts(service: Service, jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="There is no"):
        job_steps(service, jobs, MEASURE, str(tmp_path / "missing.json"), [])
    with pytest.raises(JobError, match="is a folder"):
        job_steps(service, jobs, MEASURE, str(tmp_path), [])
    with pytest.raises(JobError, match="at least one model"):
        job_steps(service, jobs, COMPARE, str(jobs.data / "queries.json"), [])


def test_a_file_without_queries_fails_with_a_plain_message(service: Service, jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"not": "a list"}')
    job = jobs.start(TAB, MEASURE, job_steps(service, jobs, MEASURE, str(tmp_path / "none.json"), []))
    jobs.wait(WAIT_S)
    assert job.state == "failed"
    assert "is not a list of questions" in job.message
