"""Requests to the API, and checks of its answers."""

from typing import Any

from fastapi.testclient import TestClient


def search(client: TestClient, query: str, **parameters: Any) -> dict[str, Any]:
    response = client.get("/api/search", params={"q": query, **parameters})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def problem(response: Any, status: int) -> str:
    """The detail of a problem, after checking that it is one."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] and body["type"] == "about:blank"
    return str(body["detail"])


def without_packs(problems: list[str]) -> list[str]:
    """Problems without advice on Tesseract's packs, which depends on the machine."""
    return [one for one in problems if "apt-get install tesseract" not in one]
