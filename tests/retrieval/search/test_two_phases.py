"""Two phases score a video as scoring every video does, and find the same best ones."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from benchmarks.two_phase import FILTERS, WEIGHTS, run
from retrieval.embedding.encoder import Encoder
from retrieval.index import dense, rows, vector_part
from retrieval.index.builder import build
from retrieval.index.documents import FIELDS, OVERVIEW, document
from retrieval.index.generation import open_current
from retrieval.index.highest import highest
from retrieval.search import candidates, feedback, parallel, phases, scoring
from retrieval.search.choices import read_choices
from retrieval.search.fusion import METHODS, MODES, Method
from retrieval.search.parallel import in_helper, searching
from retrieval.search.searcher import Searcher
from tests.retrieval.conftest import entry

THINGS = [
    "teapot",
    "bread",
    "train",
    "cat",
    "bicycle",
    "guitar",
    "volcano",
    "lighthouse",
    "penguin",
    "robot",
    "chess",
    "garden",
]
DOES = ["falls", "breaks", "sings", "sleeps", "explodes", "wins", "travels", "dances", "hides", "burns"]
WHERE = ["kitchen", "mountain", "station", "harbour", "museum", "desert", "cellar", "balcony"]
VIDEOS, CANDIDATES, SAMPLE = 160, 40, 50


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Searcher:
    rng = random.Random(3)

    def said() -> str:
        return f"the {rng.choice(THINGS)} {rng.choice(DOES)} in the {rng.choice(WHERE)}"

    entries = [
        entry(
            str(70000 + number),
            said() if number % 3 else "",
            f"user{number % 7}",
            [(0.0, 4.0, said())] if number % 2 else None,
            said() if number % 5 == 0 else "",
            [said() for _ in range(number % 4)],
            posted=f"202{number % 4}-06-15",
            language="en",
        )
        for number in range(VIDEOS)
    ]
    folder = tmp_path_factory.mktemp("two_phases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_part, "SKETCHED_FROM", 1)
        build([document(one) for one in entries], folder, encoder)
        return Searcher(open_current(folder), encoder)


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch, searcher: Searcher) -> None:
    """As in a corpus that is many times as large: candidates and samples are a part of the videos."""
    monkeypatch.setattr(candidates, "EXHAUSTIVE", 0)
    monkeypatch.setattr(candidates, "CANDIDATES", CANDIDATES)
    for module in (rows, scoring):
        monkeypatch.setattr(module, "SAMPLE_VIDEOS", SAMPLE)
    for of_field in searcher.generation.rows.values():
        of_field.__dict__.pop("sample", None)


def test_two_phases_give_the_same_scores_and_nearly_always_the_same_ten(searcher: Searcher) -> None:
    compared = run(searcher, 60)
    assert len(compared) == 1 + len(MODES) + len(WEIGHTS) + len(FILTERS) - 1  # no video has a length
    assert max(one.difference for one in compared["all"]) == 0
    assert np.mean([one.overlap for one in compared["all"]]) >= 0.98


def test_sketches_find_nearly_always_the_same_ten(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "COMPARED", 0)
    monkeypatch.setattr(phases, "POOL", 50)
    monkeypatch.setattr(phases, "SCORED", 60)
    sizes: list[int] = []
    pool_of = phases.FirstPhase.pool

    def pool(*arguments: Any) -> Any:
        found = pool_of(*arguments)
        sizes.extend([] if found is None else [len(found)])
        return found

    monkeypatch.setattr(phases.FirstPhase, "pool", pool)
    compared = run(searcher, 60)
    assert max(one.difference for one in compared["all"]) == 0
    assert np.mean([one.overlap for one in compared["all"]]) >= 0.97
    assert len(sizes) > 20 and min(sizes) <= VIDEOS / 2


@pytest.mark.parametrize("method", METHODS)
def test_a_score_does_not_depend_on_which_other_videos_are_scored(searcher: Searcher, method: Method) -> None:
    among = np.arange(VIDEOS) % 3 == 1
    for weights in ({}, {"transcript": 2.0}, dict.fromkeys(FIELDS, 0.0) | {"cover": 1.0, "comments": 0.5}):
        every = searcher.rank("the penguin sings in the museum", method=method, weights=weights)
        few = searcher.rank("the penguin sings in the museum", method=method, weights=weights, among=among)
        assert few.videos.tolist() == np.flatnonzero(among).tolist()
        np.testing.assert_array_equal(few.scores, every.scores[among])


def test_a_search_that_is_alone_has_another_thread_and_finds_the_same(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, list[int]] = {"vectors": [], "words": []}

    def noting(what: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        def noted(work: Callable[[], Any]) -> Callable[[], Any]:
            begun[what].append(1)
            return in_helper(work)

        return noted

    monkeypatch.setattr(parallel, "in_helper", noting("vectors"))
    monkeypatch.setattr(phases, "in_helper", noting("words"))
    monkeypatch.setattr(parallel, "_computing", lambda: 1)
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    monkeypatch.setattr(dense, "HALVED", 1)
    question, expected = "the cat sleeps in the kitchen", {"hybrid": (True, True), "dense": (True, False)}
    for mode in MODES:
        alone = searcher.search(question, mode=mode)
        assert (bool(begun["vectors"]), bool(begun["words"])) == expected.get(mode, (False, False))
        begun = {what: [] for what in begun}
        with searching():  # another one
            assert searcher.search(question, mode=mode).hits == alone.hits
        assert not any(begun.values())
    searcher.order(question)  # what the evaluation takes the time of
    assert begun["vectors"]


def test_numpy_computes_a_search_in_one_thread(searcher: Searcher) -> None:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        Searcher(searcher.generation, *searcher.encoders)
        known = threadpoolctl.threadpool_info()
        found = [of["num_threads"] for of in known if "numpy" in of["filepath"]]  # SciPy and FAISS have others
    assert found and set(found) == {1}


def test_only_candidates_are_scored_and_every_video_if_all_are_needed(searcher: Searcher) -> None:
    assert len(searcher.rank("a robot in the desert", hits=10).videos) == CANDIDATES
    assert len(searcher.rank("a robot in the desert", hits=20).videos) == 3 * 4 * (CANDIDATES // 3)
    assert len(searcher.rank("a robot in the desert").videos) == VIDEOS
    order, _ = searcher.order("a robot in the desert")
    assert len(order) == VIDEOS


def test_pages_far_down_repeat_and_miss_no_video(searcher: Searcher) -> None:
    pages = [searcher.search("a robot in the desert", 7, offset=offset).hits for offset in range(0, VIDEOS, 7)]
    found = [hit.id for page in pages for hit in page]
    assert len(found) == len({*found}) == VIDEOS
    assert [hit.rank for page in pages for hit in page] == list(range(1, VIDEOS + 1))


def test_a_page_far_down_starts_after_the_hits_of_the_pages_before_it(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the first phase is wrong about a video, which then is a candidate of later pages alone."""
    order = searcher.rank("a robot in the desert").order()
    wrong = np.zeros(VIDEOS, np.float32)
    wrong[order] = -np.arange(VIDEOS, dtype=np.float32)
    wrong[order[:3]] = -float(CANDIDATES) - 5
    monkeypatch.setattr(phases.FirstPhase, "best", lambda _first, count, among: highest(wrong, count, among))
    first, second = (
        [hit.id for hit in searcher.search("a robot in the desert", 10, offset=offset).hits] for offset in (0, 10)
    )
    best = {searcher.generation.ids[video] for video in order[:3].tolist()}
    assert not best & {*first} and not {*first} & {*second}
    assert best <= {*second}


def test_of_equal_scores_the_first_videos_are_candidates() -> None:
    scores = np.zeros(1000, np.float32)
    scores[[900, 950]] = 1.0
    among = np.arange(1000) % 2 == 0
    found = candidates.candidates(lambda count: highest(scores, count, among), among, 2)
    assert found.videos.tolist() == [*range(0, 2 * (CANDIDATES - 2), 2), 900, 950]


def test_the_highest_scores_are_those_that_sorting_all_finds() -> None:
    rng = np.random.default_rng(5)
    for count in (0, 1, 7, 40, 500):
        scores, among = rng.integers(0, 9, 200).astype(np.float32), rng.random(200) < 0.7
        scores[rng.random(200) < 0.1] = np.nan
        scores[rng.random(200) < 0.1] = -np.inf
        allowed = np.flatnonzero(among & ~np.isnan(scores))
        best = allowed[np.argsort(-scores[allowed], kind="stable")[:count]]
        assert highest(scores, count, among).tolist() == np.sort(best).tolist()


def test_few_videos_that_meet_the_conditions_are_all_scored(searcher: Searcher) -> None:
    answer = searcher.search("a robot by:@user3", VIDEOS)
    assert answer.total == len(answer.hits) == len(range(3, VIDEOS, 7))


def test_a_small_corpus_is_scored_whole(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "EXHAUSTIVE", VIDEOS)
    assert len(searcher.rank("a robot in the desert", hits=10).videos) == VIDEOS


def test_without_the_whole_video_those_that_have_only_fields_of_low_weight_are_found(searcher: Searcher) -> None:
    weights = dict.fromkeys(FIELDS, 1.0) | {OVERVIEW: 0.0, "transcript": 2.0}
    for question in ("the volcano explodes on the mountain", "a cat hides in the cellar"):
        every, few = (searcher.rank(question, mode="dense", weights=weights, hits=hits) for hits in (None, 10))
        assert len(np.intersect1d(few.order()[:10], every.order()[:10])) >= 9
        silent = ~searcher.generation.rows["transcript"].present
        assert silent[few.order()[:10]].any()


def test_choices_bring_videos_to_the_front_that_were_no_candidates(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = read_choices("70001,-70002,70031,-70044")
    few = searcher.search("the bread travels", 10, choices=choices)
    monkeypatch.setattr(feedback, "SIMILAR", 10)  # so that CANDIDATES is how many are compared with each
    several = searcher.search("the bread travels", 10, choices=choices)
    without = searcher.rank("the bread travels", hits=10).videos.tolist()
    assert any(searcher.generation.positions[hit.id] not in without for hit in several.hits)
    monkeypatch.setattr(candidates, "EXHAUSTIVE", VIDEOS)
    every = searcher.search("the bread travels", 10, choices=choices)
    assert [hit.id for hit in few.hits] == [hit.id for hit in every.hits]
    assert [hit.score for hit in few.hits] == pytest.approx([hit.score for hit in every.hits], abs=1e-6)
    for hit in few.hits:
        assert sum(reason.contribution for reason in hit.explanation) + hit.feedback == pytest.approx(
            hit.score, abs=1e-6
        )
