"""Several corpora on one server: each below its own path, separate, with one encoder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import app
from ingest.catalog import Catalog
from ingest.settings import Corpus
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.server.auth import Access
from scraper.records import Video
from tests.page.fragments import Page, answered
from tests.tiny_corpus import BREAD, make_data, make_index

OTHER = "72000000000000001"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Corpus]:
    folder, encoder = tmp_path_factory.mktemp("corpora"), SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    make_data(folder / "one")
    with Catalog(folder / "two", create=True) as catalog:
        catalog.put_video(Video(id=OTHER, description="a loaf in the study"))
    for name in ("one", "two"):
        make_index(folder / name, folder / f"{name} indexes", encoder)
    one = Corpus(name="Mine", data=folder / "one", indexes=folder / "one indexes")
    return one, Corpus(name="The Study №2", data=folder / "two", indexes=folder / "two indexes")


@pytest.fixture(scope="module")
def client(corpora: tuple[Corpus, Corpus]) -> Iterator[TestClient]:
    with TestClient(app.create_several(corpora, {})) as client:  # `with` starts what each corpus does at its start
        yield client


STUDY = "/corpus/the-study-no-2"


def test_each_corpus_answers_below_its_path_and_the_first_at_the_root(client: TestClient) -> None:
    def best(path: str) -> str:
        return str(client.get(f"{path}/api/search", params={"q": "loaf"}).json()["hits"][0]["id"])

    assert (best(""), best("/corpus/mine"), best(STUDY)) == (BREAD, BREAD, OTHER)
    assert client.get(STUDY, params={"q": "loaf"}).url.path == f"{STUDY}/"
    assert client.get("/corpus/none/api/search").status_code == 404
    address = client.get(f"{STUDY}?q=a", headers={"Host": "other.name"}, follow_redirects=False).headers["location"]
    assert address == "the-study-no-2/?q=a"  # relative: whatever name and path a proxy has


def test_addresses_of_media_lead_to_the_corpus_that_has_them(
    client: TestClient, corpora: tuple[Corpus, Corpus]
) -> None:
    swapped = TestClient(app.create_several(corpora[::-1], {}))
    for one, path in ((client, ""), (swapped, "/corpus/mine")):
        video = one.get(f"{path}/api/search", params={"q": "hollow loaf"}).json()["hits"][0]["video"]
        assert video["cover_url"] == f"{path}/media/{BREAD}/cover"
        assert one.get(video["cover_url"]).headers["content-type"] == "image/jpeg"


def test_judgements_stay_in_their_corpus(client: TestClient) -> None:
    body = {"query": "the study", "video_id": OTHER, "time_s": None, "generation": ""}
    assert client.post(f"{STUDY}/api/judgements", json=body).status_code == 201
    assert client.post("/api/judgements", json=body).status_code == 404
    assert len(client.get(f"{STUDY}/api/judgements").json()) == 1
    assert client.get("/api/judgements").json() == []


def test_the_encoder_is_loaded_once(client: TestClient, corpora: tuple[Corpus, Corpus]) -> None:
    served = app.create_several(corpora, {})
    services = [route.app.state.service for route in served.routes if route.path.startswith("/corpus/")  # type: ignore[attr-defined]
                and hasattr(route, "app") and hasattr(route.app, "state")]  # fmt: skip
    (one,), (two,) = (service.searchers.get().encoders for service in services)
    assert one is two


def test_every_path_needs_the_token(corpora: tuple[Corpus, Corpus]) -> None:
    guarded = TestClient(app.create_several(corpora, {}, Access(token="secret")))
    for path in ("/", "/api/search?q=x", f"{STUDY}/", f"{STUDY}/api/search?q=x", f"{STUDY}/page/videos/{BREAD}"):
        assert guarded.get(path).status_code == 401
        assert guarded.get(path, headers={"Authorization": "Bearer secret"}).status_code == 200
    assert guarded.get(f"{STUDY}/api/health").status_code != 401  # open everywhere, as for one corpus


def test_below_the_path_of_a_proxy_all_addresses_begin_with_it(corpora: tuple[Corpus, Corpus]) -> None:
    """The proxy removes the path from the request, and uvicorn adds it again."""
    one = app.create(corpora[0].data, corpora[0].indexes, base="/videos")
    for served in (one, app.create_several(corpora, {}, root_path="/videos")):
        client = TestClient(served, "http://testserver/videos", root_path="/videos")
        hit = client.get("/api/search", params={"q": "hollow loaf"}).json()["hits"][0]
        assert hit["video"]["cover_url"] == f"/videos/media/{BREAD}/cover"
        answer = Page(answered(client, q="loaf"))
        links = [
            attributes.get(name) for _, attributes in answer.tags for name in ("href", "src") if name in attributes
        ]
        assert not [link for link in links if link and link.startswith("/") and not link.startswith("/videos/")]


def test_moved_folders_are_served_as_before(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    data, indexes = tmp_path / "moved data", tmp_path / "moved indexes"
    shutil.copytree(corpora[0].data, data)
    shutil.copytree(corpora[0].indexes, indexes)
    moved = TestClient(app.create(data, indexes))
    hit = moved.get("/api/search", params={"q": "hollow loaf"}).json()["hits"][0]
    assert hit["id"] == BREAD
    assert moved.get(hit["video"]["video_url"]).status_code == 200
