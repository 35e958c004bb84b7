"""Many searches at once."""

import threading

from fastapi.testclient import TestClient

from retrieval.server.api import create_app
from retrieval.server.concurrency import Queue
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem


def test_searches_beyond_the_queue_are_refused_with_retry_after(built: Folders) -> None:
    with TestClient(create_app(*built, queue=Queue(at_once=1, waiting=2))) as client:
        client.get("/api/search?q=warm")
        answers = []
        askers = [
            threading.Thread(target=lambda: answers.append(client.get("/api/search", params={"q": "loaf " * 150})))
            for _ in range(24)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= 3 and set(statuses) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "2" and "Try again" in problem(refused, 503)
