"""What holds for all addresses of the API: methods, paths that do not exist, and the description."""

from fastapi.testclient import TestClient

from retrieval.server.schemas import SearchAnswer
from tests.retrieval.server.requests import problem
from tests.tiny_corpus import BREAD


def test_an_unknown_path_is_a_problem_detail(client: TestClient) -> None:
    for path in ("/api/nothing", "/media/x", "/elsewhere"):
        problem(client.get(path), 404)


def test_another_method_is_refused_with_the_allowed_ones(client: TestClient) -> None:
    for path in ("/api/search?q=x", "/api/health", f"/api/videos/{BREAD}/similar", f"/media/{BREAD}/video"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = client.request(method, path)
            assert "GET" in problem(response, 405) and response.headers["allow"] == "GET, HEAD"
    problem(client.post("/api/nothing"), 404)


def test_head_has_the_headers_of_get(client: TestClient) -> None:
    for path in ("/api/health", "/api/search?q=loaf&lane=keyword", f"/api/videos/{BREAD}"):
        assert client.head(path).status_code == client.get(path).status_code == 200
    head, whole = client.head(f"/media/{BREAD}/video"), client.get(f"/media/{BREAD}/video")
    assert head.status_code == 200 and not head.content
    for name in ("content-type", "content-length", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    assert client.head("/media/1/video").status_code == client.head("/api/nothing").status_code == 404


def test_the_description_has_every_address_and_a_valid_example(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/search",
        "/api/suggest",
        "/api/facets",
        "/api/videos/{video_id}",
        "/api/videos/{video_id}/similar",
        "/api/videos/{video_id}/undo",
        "/api/videos/{video_id}/transcript.{form}",
        "/api/export",
        "/api/generations",
        "/api/judgements",
        "/api/judgements/queries",
        "/api/judgements/{number}",
        "/api/library",
        "/api/pictures",
        "/api/pictures/{picture_id}",
        "/api/stats",
        "/api/health",
        "/media/{video_id}/{kind}",
        "/media/{video_id}/thumbnail",
        "/media/{video_id}/frames",
        "/media/{video_id}/seen/{sha256}",
    }
    operation = described["paths"]["/api/search"]["get"]
    assert all(parameter["description"] for parameter in operation["parameters"])
    assert set(operation["responses"]) == {"200", "404", "409", "422", "503"}
    assert "application/problem+json" in operation["responses"]["503"]["content"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert SearchAnswer.model_validate(example).model_dump(mode="json", exclude_none=True) == example
