"""What is mounted of Gradio, and the headers of every answer."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

import app
from ingest.settings import Corpus
from retrieval.server.headers import SAFE_HEADERS

UNUSED = (
    "/gradio_api/upload",
    "/gradio_api/upload_progress",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file/etc/passwd",
    "/gradio_api/proxy=http://127.0.0.1/",
    "/gradio_api/stream/x/1/2/playlist.m3u8",
    "/gradio_api/deep_link",
    "/gradio_api/vibe-code/",
    "/gradio_api/vibe-edit/",
    "/gradio_api/custom_component/x/client/component/index.js",
    "/gradio_api/component_server",
    "/gradio_api/process_recording",
    "/gradio_api/run-history/records",
    "/gradio_api/runs",
    "/gradio_api/dev/reload",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/call/search",
    "/gradio_api/run/search",
    "/gradio_api/cancel",
    "/gradio_api/login_check",
    "/login",
    "/logout",
    "/monitoring",
    "/monitoring/summary",
    "/svelte/x.js",
    "/pwa_icon",
    "//gradio_api/upload",
    "/gradio_api/queue/join/../../upload",
    "/gradio_api/%75pload",
)
USED = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/gradio_api/app_id")


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
    return TestClient(served, "http://localhost", raise_server_exceptions=False, root_path=below)


@pytest.mark.parametrize("path", UNUSED)
def test_what_the_page_does_not_use_of_gradio_is_not_there(page: TestClient, path: str) -> None:
    for answer in (page.get(path), page.post(path, files={"files": ("a.txt", b"x")})):
        assert answer.status_code == 404, path


@pytest.mark.parametrize("path", USED)
def test_what_the_page_uses_of_gradio_is_there(page: TestClient, path: str) -> None:
    assert page.get(path).status_code == 200


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
