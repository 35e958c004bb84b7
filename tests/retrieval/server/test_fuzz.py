"""Generated requests to every operation that the API describes."""

import os
import shutil
import time
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from retrieval.server.api import create_app
from tests.retrieval.server.conftest import Folders

QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


OPERATIONS = (
    "GET /api/search",
    "GET /api/suggest",
    "GET /api/export",
    "GET /api/videos/{video_id}/transcript.{form}",
    "GET /api/facets",
    "GET /api/videos/{video_id}",
    "GET /api/videos/{video_id}/similar",
    "DELETE /api/videos/{video_id}",
    "POST /api/videos/{video_id}/undo",
    "GET /api/generations",
    "GET /api/judgements",
    "POST /api/judgements",
    "DELETE /api/judgements/{number}",
    "GET /api/judgements/queries",
    "GET /api/library",
    "POST /api/pictures",
    "GET /api/pictures/{picture_id}",
    "DELETE /api/pictures/{picture_id}",
    "GET /api/stats",
    "GET /api/health",
    "GET /media/{video_id}/{kind}",
    "GET /media/{video_id}/thumbnail",
    "GET /media/{video_id}/frames",
    "GET /media/{video_id}/seen/{sha256}",
)


@pytest.fixture(scope="module")
def description(built: Folders, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The API's description of itself, as schemathesis reads it; over copies, because judgements are stored."""
    copies = tmp_path_factory.mktemp("fuzz")
    data, indexes = (shutil.copytree(folder, copies / folder.name) for folder in built)
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(data, indexes))


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_causes_an_internal_error(description: Any, label: str) -> None:
    send_generated(description, label, QUICK)


@pytest.mark.faults
@pytest.mark.timeout(1_200)
def test_ten_minutes_of_requests_cause_no_internal_error(description: Any) -> None:
    until = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "600"))
    while time.monotonic() < until:
        for label in OPERATIONS:
            send_generated(description, label, QUICK)


def send_generated(description: Any, label: str, how: settings) -> None:
    """Send generated requests to one operation, and check that each answer is one that the API describes."""
    (operation,) = [one for result in description.get_all_operations() if (one := result.ok()).label == label]

    @how
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call()
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    send()


def test_every_operation_is_tried(description: Any) -> None:
    assert {result.ok().label for result in description.get_all_operations()} == set(OPERATIONS)
