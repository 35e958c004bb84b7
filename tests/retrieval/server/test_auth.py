"""Access to the API: tokens, passwords, host names, other sites, and safe defaults."""

import base64

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import app
from retrieval.server.api import create_app
from retrieval.server.auth import Access
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem
from tests.tiny_corpus import FALCON


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        (basic("ann", "päss:word"), 200),
        (basic("ann", "wrong"), 401),
        (basic("bob", "päss:word"), 401),
        (basic("anybody", "s3cret"), 200),
        (basic("", ""), 401),
        ("Basic not-base64", 401),
        ("Digest x", 401),
    ],
)
def test_only_the_token_or_password_gives_access(built: Folders, authorization: str, status: int) -> None:
    access = Access(token="s3cret", user="ann", password="päss:word")
    client = TestClient(create_app(*built, access))
    headers = {"Authorization": authorization.encode()} if authorization else {}
    for path in ("/api/search?q=loaf", f"/media/{FALCON}/cover", "/openapi.json", "/metrics"):
        answer = client.get(path, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Basic") and problem(answer, 401)
    assert client.get("/api/health").status_code == 200


def test_a_request_for_another_host_name_is_refused(built: Folders) -> None:
    client = TestClient(create_app(*built, Access(hosts=("127.0.0.1", "localhost", "::1"))))
    for host, status in (
        ("127.0.0.1:7860", 200),
        ("LOCALHOST", 200),
        ("[::1]:1", 200),
        ("evil.example", 421),
        ("", 421),
    ):
        assert client.get("/api/health", headers={"Host": host}).status_code == status


def test_a_proxy_may_have_another_name_if_it_is_named(built: Folders) -> None:
    access = Access(hosts=("localhost", "my.name"), origins=("http://my.name:8080",))
    client = TestClient(create_app(*built, access))
    for headers, status in (
        ({"Host": "my.name"}, 200),
        ({"Host": "localhost", "X-Forwarded-Host": "my.name:8080"}, 200),
        ({"Host": "localhost", "X-Forwarded-Host": "evil.example"}, 421),
        ({"Host": "localhost", "X-Forwarded-Host": "my.name, evil.example"}, 421),
        ({"Host": "evil.example", "X-Forwarded-Host": "my.name"}, 421),
    ):
        assert client.get("/api/health", headers=headers).status_code == status
    assert "--origin" in client.get("/", headers={"Host": "evil.example"}).json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://my.name:8080"}, 404),
        ({"Origin": "https://my.name:8443", "X-Forwarded-Host": "my.name:8443"}, 404),
        ({"Origin": "http://my.name"}, 403),  # another port is another site
        ({"Origin": "http://other.example"}, 403),
        ({"Origin": "http://my.name:8080", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_only_pages_at_the_addresses_of_the_proxy_change_anything(
    built: Folders, headers: dict[str, str], status: int
) -> None:
    access = Access(hosts=("localhost", "my.name"), origins=("http://my.name:8080",))
    client = TestClient(create_app(*built, access))
    assert client.delete("/api/judgements/1", headers={"Host": "localhost", **headers}).status_code == status


def test_only_named_sites_may_ask(built: Folders) -> None:
    asked = {"Origin": "https://friend.example"}
    closed, opened = (TestClient(create_app(*built, origins=o)) for o in ((), ("https://friend.example",)))
    assert "access-control-allow-origin" not in closed.get("/api/health", headers=asked).headers
    assert opened.get("/api/health", headers=asked).headers["access-control-allow-origin"] == "https://friend.example"
    preflight = {**asked, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    guarded = TestClient(create_app(*built, Access(token="s3cret"), origins=("https://friend.example",)))
    assert guarded.options("/api/search", headers=preflight).status_code == 200
    other = opened.get("/api/health", headers={"Origin": "https://else.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-anyone"),
        (["--user", "ann"], "go together"),
        (["--password", "x"], "go together"),
    ],
)
def test_the_server_does_not_listen_to_others_without_access_control(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app.serve_alone, arguments)
    assert result.exit_code == 2 and said in result.output
