"""Choices of videos refine a question: exactly, in order, undoably, and with what they add in the score."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding.encoder import Encoder
from retrieval.errors import BadChoices
from retrieval.index.builder import build
from retrieval.index.documents import OVERVIEW, plain_document
from retrieval.index.generation import open_current
from retrieval.search.choices import MAX_CHOICES, Choice, read_choices
from retrieval.search.feedback import Refinement, log_chance
from retrieval.search.searcher import Searcher

SUBJECTS = {
    "1": ["bread rises in the oven", "a sourdough loaf", "kneading dough for pizza", "a baker scores the crust"],
    "2": ["a train crosses the alps", "night trains to vienna", "the railway bridge", "a steam locomotive"],
    "3": ["a cat on the shelf", "kittens in a box", "the cat steals fish", "a cat hates cucumbers"],
    "4": ["fixing a bicycle chain", "a flat tyre", "the bike lane", "cycling in the rain"],
}
VIDEOS = {f"{subject}000{n}": text for subject, texts in SUBJECTS.items() for n, text in enumerate(texts)}
TARGET = "30000"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Searcher:
    folder = tmp_path_factory.mktemp("feedback")
    build([plain_document(video, "", text) for video, text in VIDEOS.items()], folder, encoder)
    return Searcher(open_current(folder), encoder)


def test_a_video_of_the_same_subject_brings_the_others_to_the_front(searcher: Searcher) -> None:
    before = searcher.search("something funny", 16)
    after = searcher.search("something funny", 16, choices=read_choices("30001,-40000"))
    assert {hit.id for hit in after.hits[:3]} == {"30000", "30002", "30003"}
    assert {hit.id for hit in before.hits[:3]} != {hit.id for hit in after.hits[:3]}
    assert after.hits[-1].id.startswith("4")
    assert [one.video_id for one in after.choices] == ["30001", "40000"]


def test_chosen_videos_are_not_among_the_hits(searcher: Searcher) -> None:
    answer = searcher.search("a cat on a train", 16, choices=read_choices("20000,-30000"))
    assert answer.total == 14 and not {"20000", "30000"} & {hit.id for hit in answer.hits}


def test_reasons_and_feedback_add_up_to_the_score(searcher: Searcher) -> None:
    answer = searcher.search("a cat on a train", 16, choices=read_choices("20001,-30001"))
    for hit in answer.hits:
        assert sum(reason.contribution for reason in hit.explanation) + hit.feedback == pytest.approx(hit.score)
    assert any(hit.feedback > 0.5 for hit in answer.hits) and any(hit.feedback < -0.5 for hit in answer.hits)


def test_without_the_last_choice_the_answer_is_the_one_before(searcher: Searcher) -> None:
    one = searcher.search("rain", choices=read_choices("40001"))
    searcher.search("rain", choices=read_choices("40001,-20001"))
    again = searcher.search("rain", choices=read_choices("40001"))
    assert [(hit.id, hit.score) for hit in one.hits] == [(hit.id, hit.score) for hit in again.hits]


def test_every_video_is_scored_as_the_formula_says(searcher: Searcher) -> None:
    generation, everything = searcher.generation, np.arange(len(VIDEOS))
    scores = np.linspace(1.0, 0.0, len(VIDEOS))
    refinement = Refinement(generation, everything, scores)
    refinement.choose(2)
    index, rows = generation.dense[0][OVERVIEW], generation.rows[OVERVIEW]
    vectors = np.stack([index.vector(rows.of(video)[0]) for video in range(len(VIDEOS))]).astype(np.float64)
    shown = [video for video in range(10) if video != 2]
    cosines = vectors[[2, *shown]] @ vectors.T
    spread = cosines.std(axis=1).mean()
    standard = (cosines - cosines.mean()) / spread
    width = standard.std(axis=1).mean()
    expected = np.sum([np.log(2 / (1 + np.exp(-(standard[0] - other) / width))) for other in standard[1:]], axis=0)
    np.testing.assert_allclose(refinement.added, expected, atol=1e-4)


def test_a_video_as_similar_to_all_on_show_keeps_its_score() -> None:
    similarities = np.array([[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]])
    nearer, farther = log_chance(similarities, True, 0.4), log_chance(similarities, False, 0.4)
    assert nearer[0] == pytest.approx(0.0) and nearer[1] > 0 > nearer[2]
    np.testing.assert_allclose(farther, nearer[[0, 2, 1]])


def test_a_choice_of_the_same_subject_brings_the_last_of_all_to_the_front(searcher: Searcher) -> None:
    generation = searcher.generation
    target = generation.positions[TARGET]
    scores = np.where(np.arange(len(VIDEOS)) == target, -1.0, 0.0)  # the last of all
    refinement = Refinement(generation, np.arange(len(VIDEOS)), scores)
    assert refinement.order()[-1] == target
    index, rows = generation.dense[0][OVERVIEW], generation.rows[OVERVIEW]
    near = index.all_best(index.vector(rows.of(target)[0])).cosines
    refinement.choose(max(refinement.order()[:10].tolist(), key=lambda video: float(near[video])))
    assert target in refinement.order()[:3]


def test_choices_of_unknown_videos_and_without_vectors_change_nothing(
    searcher: Searcher, tmp_path: Path, encoder: Encoder
) -> None:
    plain = searcher.search("rain")
    unknown = searcher.search("rain", choices=[Choice(video_id="99999")])
    assert [hit.id for hit in unknown.hits] == [hit.id for hit in plain.hits]
    build([plain_document(video, "", text) for video, text in VIDEOS.items()], tmp_path)
    answer = Searcher(open_current(tmp_path)).search("rain", choices=[Choice(video_id="20001")])
    assert "Your choices of videos change nothing: this index has no vectors." in answer.notes


def test_choices_are_read_in_order_and_the_last_of_a_video_counts() -> None:
    assert read_choices(" 70001, -70002,70003 ,-70001,") == [
        Choice(video_id="70002", nearer=False),
        Choice(video_id="70003"),
        Choice(video_id="70001", nearer=False),
    ]


@pytest.mark.parametrize(
    "value", ["x", "1' or 1", "--71000", "71000 71001", ",".join(f"{10000 + n}" for n in range(51))]
)
def test_choices_that_cannot_be_read_are_refused(value: str) -> None:
    with pytest.raises(BadChoices):
        read_choices(value)
    assert len(read_choices(",".join(str(10000 + n) for n in range(MAX_CHOICES)))) == MAX_CHOICES
