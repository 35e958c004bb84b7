"""Videos that are copies of the same one -> one hit, and all of them can still be found."""

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from ingest.catalog.entries import Text
from ingest.catalog.picture_store import FILE_NAME, UNKNOWN, Fingerprint, PictureStore
from ingest.settings import Settings
from retrieval.console import print_answer
from retrieval.corpus import build as corpus
from retrieval.corpus.copies import copies_in, differ, words_of
from retrieval.corpus.erasure import erase
from retrieval.corpus.seen import with_pictures
from retrieval.embedding.encoder import Encoder
from retrieval.index.generation import open_current
from retrieval.index.layout import generations_folder
from retrieval.search.choices import Choice
from retrieval.search.searcher import Searcher
from retrieval.server.api import create_app
from scraper.records import Video

ORIGINAL, REPOST, THIRD, OTHER = (
    "9000000000000000001",
    "9000000000000000002",
    "9000000000000000003",
    "9000000000000000009",
)
QUESTION = "a cat that opens the fridge"
SPOKEN = "look at this clever cat opening the fridge again"
PRINT = Fingerprint(12.0, bytes(range(64)))


def index(folder: Path, encoder: Encoder, spoken: dict[str, str], pairs: list[tuple[str, str, bool]]) -> Searcher:
    """Index videos that look alike."""
    settings = Settings(data=folder / "data", indexes=folder / "indexes")
    with Catalog(settings.data, create=True) as catalog, PictureStore(settings.data, create=True) as store:
        for number, (video_id, text) in enumerate(spoken.items()):
            description = f"a cat opens the fridge {'again ' * number}"
            catalog.put_video(Video(id=video_id, creator_username=f"creator{number}", description=description))
            catalog.put_text(video_id, "transcript", Text(text, "whisper", "1"))
            store.put(video_id, "inputs", "recipe", [], "", PRINT if pairs else UNKNOWN)
        catalog.put_video(Video(id=OTHER, creator_username="somebody", description="a dog and a fridge"))
        store.put_copies([], pairs)
    corpus.build(settings, [encoder])
    with_pictures(settings, None)
    return Searcher(open_current(settings.indexes), encoder)


PAIRS = [(ORIGINAL, REPOST, False), (ORIGINAL, THIRD, True), (REPOST, THIRD, True)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    folder = tmp_path_factory.mktemp("copies")
    index(folder, encoder, dict.fromkeys((ORIGINAL, REPOST, THIRD), SPOKEN), PAIRS)
    return folder


@pytest.fixture(scope="module")
def searcher(made: Path, encoder: Encoder) -> Searcher:
    return Searcher(open_current(made / "indexes"), encoder)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def test_copies_are_one_hit_that_names_the_others(searcher: Searcher) -> None:
    answer = searcher.search(QUESTION)
    first, second = answer.hits
    assert {first.id, *first.copies} == {ORIGINAL, REPOST, THIRD} and len(first.copies) == 2
    assert (second.id, second.copies, second.rank, answer.total) == (OTHER, [], 2, 2)
    order, _ = searcher.order(QUESTION)
    assert first.id == searcher.generation.ids[order[0]]  # the best of them; figures are about all videos
    assert len(order) == 4


def test_pages_have_each_hit_once(searcher: Searcher) -> None:
    assert [searcher.search(QUESTION, 1, offset=n).hits[0].id for n in range(2)] == [
        hit.id for hit in searcher.search(QUESTION).hits
    ]
    assert searcher.search(QUESTION, 1, offset=2).hits == []


def test_a_filter_finds_each_copy(searcher: Searcher) -> None:
    for number, video_id in enumerate((ORIGINAL, REPOST, THIRD)):
        answer = searcher.search(f"fridge creator:creator{number}")
        assert [hit.id for hit in answer.hits] == [video_id] and len(answer.hits[0].copies) == 2
    assert searcher.search("-creator:somebody").total == 3  # only a condition: all videos are listed


def test_a_removed_copy_is_not_named_and_its_copies_are_found(searcher: Searcher) -> None:
    [hit, _] = searcher.search(QUESTION, hidden={REPOST}).hits
    assert {hit.id, *hit.copies} == {ORIGINAL, THIRD}


def test_a_copy_of_a_video_that_was_chosen_is_no_hit(searcher: Searcher) -> None:
    answer = searcher.search(QUESTION, choices=[Choice(video_id=REPOST, nearer=False)])
    assert [hit.id for hit in answer.hits] == [OTHER]


def test_the_terminal_and_the_api_say_how_many_copies_there_are(
    searcher: Searcher, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_answer(searcher.search(QUESTION), made / "data")
    assert "3 copies; the others: 90000" in capsys.readouterr().out
    with TestClient(create_app(made / "data", made / "indexes")) as client:
        first, second = client.get("/api/search", params={"q": QUESTION}).json()["hits"]
    assert len(first["copies"]) == 2 and second["copies"] == []


def test_videos_that_say_other_things_are_no_copies_however_they_look(tmp_path: Path, encoder: Encoder) -> None:
    said = {ORIGINAL: SPOKEN, REPOST: "today we talk about taxes and the rent in large cities", THIRD: "hi"}
    searcher = index(tmp_path, encoder, said, PAIRS)
    hits = {hit.id: hit.copies for hit in searcher.search(QUESTION).hits}
    assert hits in ({REPOST: [], OTHER: [], ORIGINAL: [THIRD]}, {REPOST: [], OTHER: [], THIRD: [ORIGINAL]})


def test_copies_that_another_video_from_their_template_connects_are_copies(tmp_path: Path) -> None:
    said = {
        "10001": "first of all cut the onions in small cubes",
        "10002": "how to change a tyre without any tools",
        "10003": "how to change the tyre without any tool",
        "10004": "",
        "10005": "first of all cut the onion in small cubes",
    }
    with Catalog(tmp_path, create=True) as catalog:
        for video_id, text in said.items():
            catalog.put_video(Video(id=video_id))
            catalog.put_text(video_id, "cover", Text(text, "tesseract", "1"))
        star = [("10001", other, other == "10005") for other in said if other != "10001"]
        assert copies_in(catalog, star) == (("10001", "10004", "10005"), ("10002", "10003"))
        gone = [("10000", other, False) for other in ("10002", "10003")]  # the video between is in no catalog
        assert copies_in(catalog, gone) == (("10002", "10003"),)


def test_texts_without_spaces_contradict_as_well() -> None:
    said = words_of("今日は東京の税金と家賃について話します")
    assert differ(said, words_of("この賢い猫が冷蔵庫を開けるのを見てください"))
    assert not differ(said, words_of("今日は東京の税金や家賃について話します"))


def test_nothing_is_left_of_a_copy_that_is_erased(folder: Path, encoder: Encoder) -> None:
    with Catalog(folder / "data") as catalog:
        catalog.removals.hide([REPOST])
    erase(folder / "data", folder / "indexes", [REPOST])
    left = Searcher(open_current(folder / "indexes"), encoder)
    [hit, _] = left.search(QUESTION).hits
    assert {hit.id, *hit.copies} == {ORIGINAL, THIRD}
    assert PictureStore(folder / "data").copies() == [(ORIGINAL, THIRD, True)]
    files = [path for path in (folder / "indexes").rglob("*") if path.is_file()] + [folder / "data" / FILE_NAME]
    assert not [path for path in files if REPOST.encode() in path.read_bytes()]


def test_later_builds_keep_copies_and_add_new_ones(folder: Path, encoder: Encoder) -> None:
    settings = Settings(data=folder / "data", indexes=folder / "indexes")
    with Catalog(settings.data) as catalog:
        catalog.put_video(Video(id="9000000000000000004", description="a cat and the fridge"))
    corpus.build(settings, [encoder])
    assert len(Searcher(open_current(settings.indexes), encoder).search(QUESTION).hits) == 3
    with PictureStore(settings.data) as store:
        store.put("9000000000000000004", "inputs", "recipe", [], "", PRINT)
        store.put_copies([], [(ORIGINAL, "9000000000000000004", False)])
    assert with_pictures(settings, None) and with_pictures(settings, None) is None
    assert len(Searcher(open_current(settings.indexes), encoder).search(QUESTION).hits[0].copies) == 3
    (settings.data / FILE_NAME).unlink()  # they stay until the pictures are chosen again
    assert with_pictures(settings, None) is None


def test_without_pictures_there_is_no_file_of_copies(tmp_path: Path, encoder: Encoder) -> None:
    searcher = index(tmp_path, encoder, {ORIGINAL: SPOKEN, REPOST: SPOKEN}, [])
    assert len(searcher.search(QUESTION).hits) == 3
    assert not list(generations_folder(tmp_path / "indexes").rglob("copies.json"))
