"""An index with two encoders: one that reads English only, and one that reads every language."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ingest.models.weights import WeightsError
from ingest.settings import Settings, load_settings
from retrieval.commands.options import chosen_encoders
from retrieval.corpus.build import costs_of_new_encoders
from retrieval.embedding.encoder import KeywordOnly
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import GenerationError
from retrieval.index.builder import build
from retrieval.index.documents import Document, Passage, plain_document
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE
from retrieval.index.manifest import FusionWeights, Manifest
from retrieval.index.publish import index_encoders, reweight
from retrieval.search import encoders as loading
from retrieval.search.fusion import METHODS, Method, part_names
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder

ENGLISH = FakeEncoder("sentence-transformers/all-MiniLM-L6-v2", dimension=48)
EVERY = FakeEncoder("intfloat/multilingual-e5-small", dimension=64)
QUESTION = "the cat that pushed a teapot off the shelf"
FOREIGN = "die Katze, die eine Teekanne vom Regal gestoßen hat"


@pytest.fixture(scope="module")
def both(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    build(documents, folder, ENGLISH, EVERY)
    return folder


@pytest.fixture(scope="module")
def searcher(both: Path) -> Searcher:
    return Searcher(open_current(both), ENGLISH, EVERY)


def test_the_manifest_names_both_encoders_and_what_they_read(both: Path) -> None:
    manifest = open_current(both).manifest
    assert manifest.encoder == f"{ENGLISH.name} + {EVERY.name}"
    assert [used.language for used in manifest.encoders] == ["en", ""]
    assert [used.dimension for used in manifest.encoders] == [48, 64]
    assert manifest.encoded == sum(used.encoded for used in manifest.encoders) > 0
    assert index_encoders(both) == (ENGLISH.name, EVERY.name)


@pytest.mark.parametrize("question", [QUESTION, FOREIGN, "loaf"])
@pytest.mark.parametrize("method", METHODS)
def test_contributions_add_up_and_name_their_encoder(searcher: Searcher, question: str, method: Method) -> None:
    answer = searcher.search(question, 6, method=method)
    for hit in answer.hits:
        assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
        assert all((reason.encoder != "") == (reason.retriever == "dense") for reason in hit.explanation)
    named = Counter(reason.encoder for hit in answer.hits for reason in hit.explanation if reason.encoder)
    assert set(named) == ({EVERY.name} if question == FOREIGN else {ENGLISH.name, EVERY.name})


def test_the_score_is_the_weighted_sum_of_the_parts(searcher: Searcher) -> None:
    ranking, names = searcher.rank(QUESTION), part_names([ENGLISH.name, EVERY.name])
    assert set(ranking.parts) == set(names) and len(names) == 5
    weights = searcher.generation.manifest.weights
    total = sum(weights.of_part(name) * ranking.parts[name] for name in names)
    np.testing.assert_allclose(total, ranking.scores, atol=1e-9)


def test_an_encoder_that_does_not_read_the_question_leaves_its_weight_to_the_other(searcher: Searcher) -> None:
    foreign, alone = searcher.rank(FOREIGN), searcher.rank(QUESTION)
    assert not foreign.dense[0].any() and foreign.dense[1].any() and alone.dense[0].any()
    assert foreign.best[0] == {}
    used = searcher.generation.manifest.encoders
    assert loading.factors(used, [True, True], "de") == [0, 2]
    assert loading.factors(used, [True, True], "en") == loading.factors(used, [True, True], "") == [1, 1]
    assert loading.factors(used, [True, False], "de") == [2, 0]  # better one that reads little than none


def test_vectors_of_the_encoder_that_was_there_are_kept(documents: list[Document], tmp_path: Path) -> None:
    first = build(documents, tmp_path, ENGLISH)
    second = build(documents, tmp_path, ENGLISH, EVERY)
    assert [used.encoded for used in second.encoders] == [0, first.encoded]


def test_an_index_of_the_first_format_gets_both_encoders_but_keeps_another_choice(
    documents: list[Document], tmp_path: Path
) -> None:
    name = build(documents, tmp_path, ENGLISH).name
    assert index_encoders(tmp_path) == (ENGLISH.name,)
    manifest = tmp_path / "generations" / name / "manifest.json"
    manifest.write_text(f'{{"format": 2, "encoder": "{ENGLISH.name}"}}')
    assert index_encoders(tmp_path) == ()
    assert chosen_encoders(Settings(indexes=tmp_path)) == (ENGLISH.name,)  # what the tests have set
    manifest.write_text('{"format": 2, "encoder": "someone/other"}')
    assert index_encoders(tmp_path) == ("someone/other",)
    with pytest.raises(GenerationError, match="has format 2, not"):
        open_current(tmp_path)


def test_without_one_encoder_the_other_answers_and_a_note_says_so(
    both: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(used: object) -> FakeEncoder:
        if getattr(used, "name", "") == EVERY.name:
            raise WeightsError("no weights here")
        return ENGLISH

    monkeypatch.setattr(loading, "load", load)
    partial = Searcher.open(both)
    assert partial.missing == [EVERY.name] and not partial.keyword_only
    answer = partial.search(QUESTION)
    assert answer.mode == "hybrid" and answer.hits[0].id == searcher.search(QUESTION).hits[0].id
    assert answer.notes == [f"Searched without the model {EVERY.name}, which could not be loaded."]
    assert {reason.encoder for hit in answer.hits for reason in hit.explanation} == {ENGLISH.name, ""}
    assert partial.search(QUESTION, mode="keyword").notes == []
    with pytest.raises(WeightsError, match="no weights here"):
        Searcher.open(both, complete=True)


def test_without_any_encoder_only_words_count(searcher: Searcher) -> None:
    without = Searcher(searcher.generation, *(KeywordOnly(e.name, e.key, "gone") for e in (ENGLISH, EVERY)))
    [note] = without.search(QUESTION).notes
    assert note == f"Keyword search only: the models {ENGLISH.name} and {EVERY.name} could not be loaded."


def test_encoders_in_another_order_are_refused(searcher: Searcher) -> None:
    with pytest.raises(GenerationError, match=f"build --encoder {ENGLISH.name} --encoder {EVERY.name}"):
        Searcher(searcher.generation, EVERY, ENGLISH)


def test_similar_videos_are_those_that_both_encoders_find_near(searcher: Searcher) -> None:
    hits = searcher.similar("70001")
    assert len(hits) == 5 and "70001" not in {hit.id for hit in hits}
    for hit in hits:
        rows = [searcher.generation.rows["overview"].of(searcher.generation.positions[v])[0] for v in ("70001", hit.id)]
        indexes = [dense["overview"] for dense in searcher.generation.dense]
        assert hit.score == pytest.approx(
            np.mean([index.vector(rows[0]) @ index.vector(rows[1]) for index in indexes]), abs=1e-5
        )


def test_learned_weights_are_kept_for_these_two_encoders_only(documents: list[Document], tmp_path: Path) -> None:
    build(documents, tmp_path, ENGLISH, EVERY)
    learned = FusionWeights().with_parts({f"dense_retriever:{EVERY.name}": 0.7, "stems": 0.6})
    assert (learned.of_encoder(EVERY.name), learned.of_encoder(ENGLISH.name), learned.stems) == (0.7, 1.5, 0.6)
    reweight(tmp_path, learned)
    assert build(documents, tmp_path, ENGLISH, EVERY).weights == learned
    assert build(documents, tmp_path, EVERY).weights == FusionWeights()


def test_a_new_encoder_with_much_to_do_says_how_much_and_how_to_keep_one(tmp_path: Path) -> None:
    many = [Document(str(n), {"music": f"song {n}"}, {"music": [Passage(f"song {n}")]}) for n in range(2100)]
    VectorCache(tmp_path / CACHE_FILE).encode(ENGLISH, [f"song {n}" for n in range(2100)])
    [sentence] = costs_of_new_encoders(many, tmp_path, [ENGLISH, EVERY])
    assert sentence == (
        f"2,100 texts are encoded by {EVERY.name}, which this index did not have: about 1 min, once."
        f" `build --encoder {ENGLISH.name}` keeps one encoder and encodes nothing."
    )
    assert list(costs_of_new_encoders(many, tmp_path, [ENGLISH])) == []
    assert list(costs_of_new_encoders(many[:100], tmp_path, [ENGLISH, EVERY])) == []


def test_a_cache_of_an_earlier_version_says_what_the_parts_of_whole_videos_cost(tmp_path: Path) -> None:
    many = [plain_document(str(n), "", f"song {n}") for n in range(2100)]
    VectorCache(tmp_path / CACHE_FILE).encode(ENGLISH, [f"song {n}" for n in range(2100)])
    assert list(costs_of_new_encoders(many, tmp_path, [ENGLISH])) == [
        f"2,100 whole videos are encoded by {ENGLISH.name} again, to keep what each passage adds to them:"
        " about 1 min, once."
    ]
    build(many, tmp_path, ENGLISH)
    assert list(costs_of_new_encoders(many, tmp_path, [ENGLISH])) == []


def test_the_setting_takes_one_name_or_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_ENCODER", "all-MiniLM-L6-v2 + multilingual-e5-small")
    assert load_settings().encoder == ("all-MiniLM-L6-v2", "multilingual-e5-small")
    assert chosen_encoders(load_settings(indexes=tmp_path)) == (ENGLISH.name, EVERY.name)
    assert load_settings(encoder=["all-mpnet-base-v2"]).encoder == ("all-mpnet-base-v2",)
    (tmp_path / "a+b").mkdir()
    assert load_settings(encoder=[str(tmp_path / "a+b"), "c"]).encoder == (str(tmp_path / "a+b"), "c")
    monkeypatch.delenv("TIKTOK_RETRIEVAL_ENCODER")
    assert load_settings().encoder == (ENGLISH.name, EVERY.name) and not load_settings().encoder_given
    for wrong in ("a+", "+", "", "a+a"):
        with pytest.raises(Exception, match="encoder"):
            load_settings(encoder=wrong)


def test_manifests_are_read_as_they_were_written(both: Path) -> None:
    manifest = open_current(both).manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
