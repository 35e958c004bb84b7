"""Videos with pictures and a toy vision model -> found by what they show, with the second and the picture."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from ingest.catalog import Catalog
from ingest.catalog.picture_store import FILE_NAME, PictureStore
from ingest.media import MediaError
from ingest.settings import Settings
from ingest.stages.pictures import run_pictures
from retrieval.commands.search import search_by, with_picture
from retrieval.console import print_answer
from retrieval.corpus import build as corpus
from retrieval.corpus.backup import back_up
from retrieval.corpus.erasure import erase
from retrieval.corpus.restore import restore
from retrieval.corpus.seen import see, with_pictures
from retrieval.embedding.cache_file import text_key
from retrieval.embedding.cached_pictures import picture_text
from retrieval.embedding.encoder import Encoder, Vectors
from retrieval.embedding.vision import VisionEncoder
from retrieval.errors import GenerationError, NoVision
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE, current_name, generations_folder
from retrieval.index.publish import prune, reweight, rollback
from retrieval.index.seen import names_of_parts
from retrieval.index.verified import check_file
from retrieval.search.searcher import Searcher
from retrieval.server import updater as updating
from retrieval.server.api import create_app
from retrieval.server.searchers import Searchers
from retrieval.server.shell_question import ShellQuestion
from retrieval.server.updater import Updater
from tests.retrieval.seen_corpus import QUESTION, ROLLER_COASTER, SAMPLE, TOY, add_video, make_seen_data, questions

LOOKED = {"seen": 2.0}


@pytest.fixture(scope="module")
def vision() -> VisionEncoder:
    return VisionEncoder(str(TOY))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder, vision: VisionEncoder) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    make_seen_data(folder / "data")
    settings = _settings(folder)
    corpus.build(settings, [encoder])
    with_pictures(settings, lambda: vision)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def unsee(indexes: Path) -> None:
    """Take the pictures out of an index."""
    see(indexes.parent / "data", indexes, None, drop=True)


def _settings(folder: Path) -> Settings:
    return Settings(data=folder / "data", indexes=folder / "indexes")


def _is_in(content: bytes, folder: Path) -> bool:
    return any(content in path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def searcher(made: Path, encoder: Encoder) -> Searcher:
    return Searcher(open_current(made / "indexes"), encoder)


def test_what_is_only_drawn_is_found_with_its_picture_and_second(searcher: Searcher, made: Path) -> None:
    answer = searcher.search(QUESTION, weights=LOOKED)
    first = answer.hits[0]
    assert first.id == ROLLER_COASTER and answer.good and first.good
    reason = next(reason for reason in first.explanation if reason.field == "seen")
    assert reason.retriever == "vision" and reason.contribution > 0 and reason.start_s is not None
    assert first.why and first.why.field == "seen" and first.why.sentence.startswith("what it shows at 0:0")
    with PictureStore(made / "data") as store:
        assert store.webp(reason.picture)


@pytest.mark.parametrize("weights", [None, LOOKED, {"seen": 0.5}, {"seen": 0.0}])
@pytest.mark.parametrize("method", ["zscore", "dbsf", "rrf"])
def test_contributions_add_up_to_the_score(searcher: Searcher, weights: dict[str, float] | None, method: str) -> None:
    for hit in searcher.search("a bed under the stars", 20, weights=weights, method=method).hits:  # type: ignore[arg-type]
        assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)


def test_most_questions_about_what_is_drawn_are_answered(searcher: Searcher) -> None:
    def ranks(weights: dict[str, float]) -> list[int]:
        orders = [searcher.order(one["text"], weights=weights)[0] for one in questions()]
        places = [searcher.generation.positions[one["target"]] for one in questions()]
        return [1 + order.tolist().index(place) for order, place in zip(orders, places, strict=True)]

    with_it, without = ranks(LOOKED), ranks({"seen": 0.0})
    assert np.mean([1 / rank for rank in with_it]) > 0.7
    assert np.mean([1 / rank for rank in with_it]) > 2 * np.mean([1 / rank for rank in without])


def test_words_decide_as_before_without_pictures_and_in_keyword_mode(
    folder: Path, encoder: Encoder, searcher: Searcher
) -> None:
    unsee(folder / "indexes")
    plain = Searcher(open_current(folder / "indexes"), encoder)
    assert plain.vision is None and plain.generation.seen is None
    for mode in ("hybrid", "dense", "keyword"):
        before = plain.rank("my video number 3", mode=mode)
        off = searcher.rank("my video number 3", mode=mode, weights={"seen": 0.0})
        np.testing.assert_array_equal(before.scores, off.scores)
    keyword = searcher.rank("my video number 3", mode="keyword")
    assert keyword.seen is None


def test_pictures_are_encoded_once_and_only_new_ones_are_published(folder: Path, vision: VisionEncoder) -> None:
    data, indexes = folder / "data", folder / "indexes"
    assert see(data, indexes, vision) is None and with_pictures(_settings(folder), lambda: vision) is None
    before = open_current(indexes).manifest
    with Catalog(data) as catalog:
        add_video(catalog, "9000000000000000012", "a pan")
    assert with_pictures(_settings(folder), lambda: vision) is None  # the texts of the video are in no generation yet
    assert current_name(indexes) == before.name


def test_a_new_video_and_joined_segments_keep_the_pictures_of_all(
    folder: Path, encoder: Encoder, vision: VisionEncoder
) -> None:
    data, indexes = folder / "data", folder / "indexes"
    pictures = sum(entry.pictures for entry in open_current(indexes).manifest.seen)
    with Catalog(data) as catalog:
        add_video(catalog, "9000000000000000012", "a pancake on the ceiling")
    corpus.build(_settings(folder), [encoder])
    built = open_current(indexes).manifest
    assert sum(entry.pictures for entry in built.seen) == pictures and len(built.seen) == len(built.segments) == 2
    with_pictures(_settings(folder), lambda: vision)
    assert sum(entry.pictures for entry in open_current(indexes).manifest.seen) == pictures + 1
    reweight(indexes, built.weights)
    assert sum(entry.pictures for entry in open_current(indexes).manifest.seen) == pictures + 1
    rollback(indexes, built.name)
    assert Searcher(open_current(indexes), encoder).search(QUESTION, weights=LOOKED).hits[0].id == ROLLER_COASTER
    unsee(indexes)
    prune(indexes, keep=1)
    assert not names_of_parts(indexes)


def test_nothing_is_left_of_an_erased_video(folder: Path, encoder: Encoder) -> None:
    data, indexes = folder / "data", folder / "indexes"
    shown = PictureStore(data).shown()[ROLLER_COASTER]
    with PictureStore(data) as store:
        webp = [store.webp(one.sha256) or b"" for one in shown]
    with Catalog(data) as catalog:
        catalog.removals.hide([ROLLER_COASTER])
    erase(data, indexes, [ROLLER_COASTER])
    searcher = Searcher(open_current(indexes), encoder)
    assert searcher.generation.seen is not None and len(searcher.search(QUESTION, 30, weights=LOOKED).hits) == 19
    assert ROLLER_COASTER not in PictureStore(data).shown()
    left = [content[100:200] for content in webp]
    left += [bytes.fromhex(one.sha256) for one in shown] + [text_key(picture_text(one.sha256)) for one in shown]
    assert not any(_is_in(part, folder) for part in left)
    assert _is_in(text_key(picture_text(PictureStore(data).shown()["9000000000000000018"][0].sha256)), folder)


def test_a_damaged_file_of_pictures_is_noticed_and_made_again(
    folder: Path, encoder: Encoder, vision: VisionEncoder
) -> None:
    indexes = folder / "indexes"
    (entry,) = open_current(indexes).manifest.seen
    path = indexes / "seen" / f"{entry.name}.safetensors"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)
    with pytest.raises(GenerationError, match="cannot be loaded"):
        open_current(indexes)
    see(folder / "data", indexes, vision)
    check_file(path, entry.sha256)
    assert Searcher(open_current(indexes), encoder).search(QUESTION, weights=LOOKED).hits[0].id == ROLLER_COASTER


def test_pictures_that_are_gone_are_left_out_and_words_still_find_their_videos(
    folder: Path, encoder: Encoder, vision: VisionEncoder
) -> None:
    (folder / "data" / FILE_NAME).unlink()
    for suffix in ("-wal", "-shm"):
        (folder / "data" / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
    see(folder / "data", folder / "indexes", vision)
    searcher = Searcher(open_current(folder / "indexes"), encoder)
    assert searcher.search("my video number 3", 1).hits[0].explanation
    assert all(reason.field != "seen" for hit in searcher.search(QUESTION).hits for reason in hit.explanation)


def test_a_model_that_is_gone_is_named_and_words_are_searched(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    copied = tmp_path / "my_model"
    shutil.copytree(TOY, copied)
    see(folder / "data", folder / "indexes", VisionEncoder(str(copied)))
    shutil.rmtree(copied)
    generation = open_current(folder / "indexes")
    used = generation.manifest.vision
    assert used
    generation.manifest = generation.manifest.model_copy(update={"vision": used.model_copy(update={"key": "other"})})
    answer = Searcher(generation, encoder).search("my video number 3")
    assert answer.hits and any("Searched without pictures" in note for note in answer.notes)


def test_the_api_shows_the_picture_that_was_found(made: Path) -> None:
    with TestClient(create_app(made / "data", made / "indexes")) as client:
        assert client.get("/api/facets").json()["vision"]
        hit = client.get("/api/search", params={"q": QUESTION, "w": "seen:2"}).json()["hits"][0]
        reason = next(one for one in hit["explanation"] if one["field"] == "seen")
        assert hit["why"]["thumbnail_url"] == reason["thumbnail_url"] and reason["start_s"] is not None
        picture = client.get(reason["thumbnail_url"])
        assert picture.headers["content-type"] == "image/webp" and picture.content[:4] == b"RIFF"
        other = reason["thumbnail_url"].replace(ROLLER_COASTER, "9000000000000000018")
        assert client.get(other).status_code == 404
        assert client.get(reason["thumbnail_url"][:-1] + "!").status_code == 422


def test_a_corpus_without_a_vision_model_loads_none_and_offers_nothing(folder: Path) -> None:
    unsee(folder / "indexes")
    with TestClient(create_app(folder / "data", folder / "indexes")) as client:
        assert not client.get("/api/facets").json()["vision"]
        hits = client.get("/api/search", params={"q": QUESTION, "w": "seen:2"}).json()["hits"]
    assert all(reason["field"] != "seen" for hit in hits for reason in hit["explanation"])
    assert generations_folder(folder / "indexes").is_dir() and (folder / "indexes" / CACHE_FILE).is_file()


def test_a_backup_has_what_the_videos_show(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    back_up(folder / "data", folder / "indexes", tmp_path / "a.zip")
    restore(tmp_path / "a.zip", tmp_path / "data", tmp_path / "indexes")
    restored = Searcher(open_current(tmp_path / "indexes"), encoder)
    assert restored.search(QUESTION, weights=LOOKED).hits[0].id == ROLLER_COASTER
    with TestClient(create_app(tmp_path / "data", tmp_path / "indexes")) as client:
        hit = client.get("/api/search", params={"q": QUESTION, "w": "seen:2"}).json()["hits"][0]
    assert hit["why"]["thumbnail_url"] is None  # the pictures are made again from the media


def _asked(query: str = "") -> ShellQuestion:
    return ShellQuestion(
        query=query,
        k=5,
        offset=0,
        mode="hybrid",
        weights={},
        method="zscore",
        filters={},
        sort="relevance",
        exact=False,
    )


def test_a_cropped_screenshot_finds_its_video_and_the_terminal_shows_why(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(SAMPLE / "coverphotos" / "9000000000000000018.jpg") as cover:
        cover.crop((20, 60, 340, 600)).save(tmp_path / "shot.png")
    settings = Settings(data=made / "data", indexes=made / "indexes", ocr_engine="tesseract")
    answer = search_by(with_picture(_asked(), tmp_path / "shot.png", settings), settings, None)
    assert answer.hits[0].id == "9000000000000000018" and answer.good and not answer.notes
    print_answer(answer, made / "data")
    assert "What it shows (vision" in capsys.readouterr().out
    with_words = search_by(with_picture(_asked("my video number 3"), tmp_path / "shot.png", settings), settings, None)
    assert {reason.retriever for reason in with_words.hits[0].explanation} > {"vision"}


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 300])
def test_a_hostile_picture_to_search_by_is_refused_with_a_sentence(made: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shot.png").write_bytes(content)
    with pytest.raises(MediaError, match="image"):
        with_picture(_asked(), tmp_path / "shot.png", _settings(made))


def test_an_index_without_pictures_says_how_to_get_them(folder: Path, tmp_path: Path) -> None:
    unsee(folder / "indexes")
    with pytest.raises(NoVision, match="build --vision"):
        with_picture(_asked(), tmp_path / "any.png", _settings(folder))


def test_a_server_indexes_pictures_that_are_chosen_while_it_runs(folder: Path, vision: VisionEncoder) -> None:
    data, indexes = folder / "data", folder / "indexes"
    searchers = Searchers(indexes)
    searchers.get()
    updater = Updater(data, indexes, searchers)
    updater.update()
    before = open_current(indexes).manifest
    with Catalog(data) as catalog:
        add_video(catalog, "9000000000000000012", "a pancake on the ceiling")
        run_pictures(catalog, processes=1)
    updater.update()
    after = open_current(indexes).manifest
    assert after.videos == before.videos + 1 and after.seen[0] == before.seen[0] and len(after.seen) == 2
    assert searchers.get().generation.name == after.name and searchers.get().vision
    updater.update()
    assert current_name(indexes) == after.name


def test_many_new_pictures_are_left_to_a_build(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(updating, "MAX_NEW_PICTURES", 0)
    searchers = Searchers(folder / "indexes")
    searchers.get()
    updater = Updater(folder / "data", folder / "indexes", searchers)
    updater.update()
    with Catalog(folder / "data") as catalog:
        add_video(catalog, "9000000000000000012", "a pancake on the ceiling")
        run_pictures(catalog, processes=1)
    updater.update()
    assert "1 pictures are new or changed: run `tiktok-retrieval build`" in caplog.text


def test_without_a_vision_model_none_of_its_modules_is_imported(folder: Path) -> None:
    unsee(folder / "indexes")
    script = (
        "import sys; from pathlib import Path\n"
        "from ingest.settings import Settings; from retrieval.corpus.seen import with_pictures\n"
        "from retrieval.search.searcher import Searcher\n"
        "import retrieval.corpus.add, retrieval.server.api, retrieval.server.updater\n"
        f"folder = Path({str(folder)!r})\n"
        "with_pictures(Settings(data=folder / 'data', indexes=folder / 'indexes'), None)\n"
        "answer = Searcher.open(folder / 'indexes').search('my video number 3')\n"
        "assert answer.hits\n"
        "found = [name for name in sys.modules if name.startswith('retrieval.embedding.vision')]\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_the_question_is_encoded_for_pictures_while_it_is_for_texts(
    folder: Path, encoder: Encoder, vision: VisionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = Searcher(open_current(folder / "indexes"), encoder)
    both = threading.Barrier(2, timeout=60)  # each waits for the other

    def meeting(encode: Callable[[str], Vectors]) -> Callable[[str], Vectors]:
        def encoded(text: str) -> Vectors:
            both.wait()
            return encode(text)

        return encoded

    assert searcher.vision
    monkeypatch.setattr(searcher.vision, "query", meeting(searcher.vision.query))
    monkeypatch.setattr(encoder, "query", meeting(encoder.query))
    assert searcher.search(QUESTION, weights=LOOKED).hits[0].id == ROLLER_COASTER


def test_pictures_have_no_part_in_a_question_that_the_model_does_not_read_unless_they_are_asked_for(
    searcher: Searcher,
) -> None:
    german = "eine Achterbahn und ein blauer Ball unter den Sternen"
    assert searcher.vision and searcher.vision.language == "en"
    assert searcher.rank(german).seen is None and searcher.rank(QUESTION).seen is not None
    assert searcher.rank(german, weights=LOOKED).seen is not None
