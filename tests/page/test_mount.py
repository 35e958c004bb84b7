"""What is mounted, wrong addresses, and the headers of every answer."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import app
from ingest.settings import Corpus
from page import gradio_engine
from page.bundle import address
from retrieval.server.headers import SAFE_HEADERS

USED = ("/", "/favicon.ico", "/robots.txt", address("page.css"), address("page.js"), address("mark.svg"))


@pytest.fixture(scope="module", params=["one corpus", "the second of two corpora", "below a path of a proxy"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A client of the page, in each way that it may be served."""
    folder = tmp_path_factory.mktemp("empty")
    if request.param == "the second of two corpora":
        corpora = [Corpus(name=name, data=folder / name, indexes=folder / f"{name}-i") for name in ("one", "two")]
        client = TestClient(app.create_several(corpora, {}), "http://localhost", raise_server_exceptions=False)
        client.base_url = client.base_url.join("/corpus/two")
        return client
    below = "/videos" if request.param == "below a path of a proxy" else ""
    served = app.create(Path(folder), folder / "indexes", base=below)
    return TestClient(served, f"http://localhost{below}", raise_server_exceptions=False, root_path=below)


@pytest.mark.parametrize("path", USED)
def test_the_parts_of_the_page_are_there(page: TestClient, path: str) -> None:
    assert page.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/no-such-page", "/page/assets/0/page.js", "/reports/1", "/gradio/gradio_api/upload", "/gradio/config"]
)
def test_a_wrong_address_gets_a_page_that_leads_back(page: TestClient, path: str) -> None:
    answer = page.get(path, headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 404 and "There is nothing at this address" in answer.text
    leads = re.findall(r'<a class="button[^"]*" href="([^"]*)"', answer.text)
    below = page.base_url.path.rstrip("/") + str(page.app_state.get("root_path", ""))
    assert leads[0] in (f"{below}/", "/videos/")
    assert page.get(path).json()["status"] == 404, "programs get a problem detail"


FILE = {"path": str(Path(__file__)), "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [FILE]},
        {"data": [{"q": FILE}]},
        {"data": [{"q": "x"}, FILE]},
        {"data": [{"q": "x"}], "event_data": FILE},
        {"data": [{"q": "x"}], "fn_index": 5},
        {"data": [{"q": "x"}], "session_hash": "x"},
        {"data": [None]},
        {"data": []},
        {},
    ],
)
def test_gradio_gets_nothing_but_the_settings_of_one_search(
    page: TestClient, body: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    answer = page.post(f"{gradio_engine.PATH}{gradio_engine.ANSWER}", json=body)
    assert answer.status_code == 422 and answer.json()["status"] == 422
    assert not list(tmp_path.rglob("*.py")), "a file of this machine was copied"


def test_a_question_is_posted(page: TestClient) -> None:
    answer = page.get(f"{gradio_engine.PATH}{gradio_engine.ANSWER}")
    assert answer.status_code == 405 and answer.headers["Allow"] == "POST"


def test_an_unknown_address_of_the_api_is_a_problem_detail_for_everybody(page: TestClient) -> None:
    answer = page.get("/api/nothing", headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_runs_no_script_but_its_own(page: TestClient) -> None:
    policy = page.get("/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "default-src 'self';" in policy
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=", page.get("/").text)


@pytest.mark.parametrize("path", ["/", "/no-such-page", "/api/health", "/api/nothing", "/media/1/cover", "/metrics"])
def test_every_answer_has_safe_headers(page: TestClient, path: str) -> None:
    headers = page.get(path).headers
    assert {name: headers.get(name) for name in SAFE_HEADERS} == SAFE_HEADERS
    assert "Content-Security-Policy" in headers


def test_a_refused_request_and_a_fault_of_the_program_have_safe_headers(tmp_path: Path) -> None:
    served = app.create(tmp_path, tmp_path / "indexes")

    @served.get("/broken")
    def broken() -> None:
        raise RuntimeError

    served.router.routes.insert(0, served.router.routes.pop())
    client = TestClient(served, "http://localhost", raise_server_exceptions=False)
    refused = client.post("/api/judgements", headers={"Origin": "http://other.example"})
    fault = client.get("/broken")
    assert (refused.status_code, fault.status_code) == (403, 500)
    for answer in (refused, fault):
        assert {name: answer.headers.get(name) for name in SAFE_HEADERS} == SAFE_HEADERS
