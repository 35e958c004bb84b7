"""How a node gets the files of a job: a shared folder, an object store that fails now and then, or the lease."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ingest.cluster import media
from ingest.cluster.jobs import Answer, ClusterError, Source
from ingest.cluster.media import Lacking, MediaPlace, Unreachable, make_room
from ingest.cluster.node import NodeWorker, program_version

CONTENT = b"a film of the cat" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass(frozen=True)
class Film:
    path: Path
    sources: tuple[Source, ...]
    output: Path | None = None

    def at(self, places: Mapping[Path, Path]) -> "Film":
        output = places[self.output] if self.output else None
        return replace(self, path=places.get(self.path, self.path), output=output)


def size_of(film: Film, _limit_s: float) -> int:
    if film.output:
        film.output.write_bytes(b"frame")
    return film.path.stat().st_size


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The data folder on the machine with the catalog."""
    (tmp_path / "data" / "media").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def film(root: Path) -> Source:
    path = root / "media" / "cat.mp4"
    path.write_bytes(CONTENT)
    return Source(path, SHA256, len(CONTENT))


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_NODE_MEDIA", str(tmp_path / "kept"))
    monkeypatch.setattr(media, "PAUSE_S", 0.01)
    return tmp_path / "kept"


def worker(place: MediaPlace | None) -> NodeWorker:
    made = NodeWorker(lambda: size_of, place, program_version())
    assert made.prepare() == ""
    return made


def test_a_shared_folder_is_read_where_it_is(root: Path, film: Source, kept: Path) -> None:
    job = Film(film.path, (film,), root / "frame.jpg")
    assert worker(MediaPlace(root)).read(job, 1, {}) == Answer(len(CONTENT), b"frame")
    assert not kept.exists()
    assert not (root / "frame.jpg").exists()  # the machine with the catalog writes it


def test_a_node_without_the_folder_asks_for_the_content_and_checks_it(root: Path, film: Source, kept: Path) -> None:
    film.path.unlink()
    node, job = worker(MediaPlace(root)), Film(film.path, (film,))
    assert node.read(job, 1, {}).lacking == (film.path,)
    assert node.read(job, 1, {SHA256: b"another film"}).lacking == (film.path,)
    assert node.read(job, 1, {SHA256: CONTENT}).result == len(CONTENT)
    assert node.read(job, 1, {}).result == len(CONTENT)  # it has it now
    assert [path.name for path in kept.glob("[!.]*")] == [f"{SHA256}.mp4"]


def test_a_file_of_the_same_size_and_other_content_is_not_taken(root: Path, film: Source) -> None:
    film.path.write_bytes(CONTENT[::-1])
    assert worker(MediaPlace(root)).read(Film(film.path, (film,)), 1, {}).lacking == (film.path,)


def test_a_node_with_another_version_says_so() -> None:
    assert "another version" in NodeWorker(lambda: size_of, None, "0").prepare()


def test_room_is_made_by_deleting_what_was_used_longest_ago(tmp_path: Path) -> None:
    import os

    for number in range(3):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(b"x" * 10)
        os.utime(path, (number, number if number < 2 else time.time()))
    make_room(tmp_path, 15, most_bytes=25)
    assert [path.name for path in tmp_path.iterdir()] == ["2.mp4"]


@pytest.mark.parametrize("address", ["bucket/folder", "ftp://host/folder"])
def test_an_address_that_cannot_be_read_is_an_error_before_the_work(root: Path, address: str) -> None:
    with pytest.raises(ClusterError, match="is no address such as"):
        MediaPlace(root, address).check()


# -- an object store ----------------------------------------------------------------------------------------------

Disturbance = Callable[[str, str, int], str]  # method, path, number of the request of its kind -> what happens to it


class Store:
    """A real S3 server whose answers can be disturbed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: Counter[tuple[str, str]] = Counter()
        self.disturb: Disturbance = lambda *_: ""


@pytest.fixture(scope="module")
def served() -> Iterator[Store]:
    pytest.importorskip("s3fs")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    real = DomainDispatcherApplication(create_backend_app)
    store = Store("")

    def application(environ: dict[str, Any], start: Any) -> Any:
        key = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        store.asked[key] += 1
        match store.disturb(*key, store.asked[key]):
            case "error":
                start("500 Internal Server Error", [("Content-Type", "text/plain")])
                return [b"try again"]
            case "slow":
                time.sleep(3)
        return real(environ, start)

    server = make_server("127.0.0.1", 0, application, threaded=True)
    store.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield store
    server.shutdown()


@pytest.fixture
def store(served: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": served.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(media, "READ_S", 1.0)
    served.disturb = lambda *_: ""
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdirs("tiktoks", exist_ok=True)
    served.asked.clear()
    return served


def test_what_an_object_store_lacks_is_put_there_and_fetched_once(
    store: Store, root: Path, film: Source, kept: Path
) -> None:
    place = MediaPlace(root, "s3://tiktoks/first")
    node, job = worker(place), Film(film.path, (film,))
    assert node.read(job, 1, {}).lacking == (film.path,)
    place.put(film)
    film.path.unlink()  # a node has no such folder
    assert node.read(job, 1, {}).result == worker(place).read(job, 1, {}).result == len(CONTENT)
    assert store.asked["GET", "/tiktoks/first/media/cat.mp4"] == 1
    assert len(list(kept.glob("[!.]*"))) == 1


@pytest.mark.parametrize("trouble", ["error", "slow"])
def test_one_bad_answer_is_asked_again(store: Store, root: Path, film: Source, trouble: str) -> None:
    place = MediaPlace(root, f"s3://tiktoks/{trouble}")
    place.put(film)
    store.disturb = lambda method, _, number: trouble if method == "GET" and number == 1 else ""
    assert worker(place).read(Film(film.path, (film,)), 1, {}).result == len(CONTENT)
    assert store.asked["GET", f"/tiktoks/{trouble}/media/cat.mp4"] == 2


def test_a_store_that_only_answers_errors_is_no_failure_of_the_item(store: Store, root: Path, film: Source) -> None:
    place = MediaPlace(root, "s3://tiktoks/never")
    place.put(film)
    store.disturb = lambda method, *_: "error" if method in ("GET", "HEAD", "PUT") else ""
    assert worker(place).read(Film(film.path, (film,)), 1, {}).unreachable
    with pytest.raises(Unreachable):
        MediaPlace(root, "s3://tiktoks/other").put(film)


def test_another_content_in_the_store_is_not_taken(store: Store, root: Path, film: Source) -> None:
    place = MediaPlace(root, "s3://tiktoks/other-content")
    place.put(film)
    changed = replace(film, sha256=hashlib.sha256(b"?").hexdigest())
    assert worker(place).read(Film(film.path, (changed,)), 1, {}).lacking == (film.path,)
    with pytest.raises(Lacking):
        place.put(changed)
