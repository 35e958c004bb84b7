"""The clauses of long questions: how they are cut, and what they add to the scores."""

import numpy as np
import pytest

from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.search import clauses as module
from retrieval.search.attribution import whole_video_shares
from retrieval.search.clauses import LONG_WORDS, MAX_CLAUSES, clauses
from retrieval.search.searcher import Searcher

RAMBLING = (
    "ok so my sister sent me this one when I was on the train, I think, or maybe it was raining where I was, and there"
    " is an animal, somebody's pet, it pushes something made of china from its place. honestly the best thing that week"
)


@pytest.mark.parametrize("script", ["word ", "слово ", "शब्द ", "كلمة "])
@pytest.mark.parametrize("end", [", ", ". ", "? ", "; ", "\n", "، ", "। "])
def test_a_long_question_is_cut_at_commas_and_ends_of_sentences(script: str, end: str) -> None:
    part = (script * 20).strip()
    found = clauses(f"{part}{end}other {part}")
    assert [clause.rstrip(".?;।") for clause in found] == [part, f"other {part}"]


def test_a_question_in_a_script_without_spaces_is_cut_as_well() -> None:
    parts = [
        "たしか去年の冬に電車の中で見たんだけど",
        "会社に入ったばかりの人が言いがちな言い方が並んでいて",
        "声は入っていなくて写真を何枚もめくるやつ",
    ]
    assert clauses("、".join(parts) + "。") == [*parts[:2], f"{parts[2]}。"]


def test_a_short_question_and_one_without_an_end_are_not_cut() -> None:
    assert clauses("a cat, a teapot, a shelf") == []
    assert clauses("word " * LONG_WORDS) == [] and clauses("") == [] and clauses(", , ,") == []


def test_short_clauses_belong_to_the_one_before_and_the_longest_are_kept() -> None:
    found = clauses(f"{'so ' * 30}, I think, {'then ' * 6}")
    assert found[0].endswith("so, I think") and len(found) == 2
    many = clauses(", ".join(f"clause number {n} has some words" for n in range(20)) + ", " + "long " * 9)
    assert len(many) == MAX_CLAUSES and "long long" in many[-1]


def test_a_clause_that_is_near_a_video_brings_it_forward(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    with_clauses = searcher.rank(RAMBLING)
    monkeypatch.setattr(module, "WEIGHT", 0.0)
    without = searcher.rank(RAMBLING)
    gained = with_clauses.scores - without.scores
    cat = searcher.generation.positions["70001"]
    assert gained[cat] == gained.max() > 0
    assert np.ptp(with_clauses.keyword - without.keyword) == 0
    short = searcher.rank("a pet pushes china from its place")
    monkeypatch.undo()
    assert (searcher.rank("a pet pushes china from its place").scores == short.scores).all()


def test_the_reasons_add_up_with_clauses_and_so_do_the_shares_of_the_passages(searcher: Searcher) -> None:
    for hit in searcher.search(RAMBLING, 10).hits:
        assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
    ranking = searcher.rank(RAMBLING)
    assert ranking.clauses[0] is not None and np.abs(ranking.clauses[0].contributions).max() > 0.01
    every = range(len(searcher.generation.ids))
    for video, (shares, _) in zip(every, whole_video_shares(searcher.generation, ranking, every, 0), strict=True):
        whole = ranking.dense[0, FIELDS.index(OVERVIEW), video]
        assert sum(share.contribution for share in shares) == pytest.approx(whole, abs=1e-6)


def test_the_score_of_a_video_does_not_depend_on_the_others(searcher: Searcher) -> None:
    every = searcher.rank(RAMBLING)
    one = np.zeros(len(searcher.generation.ids), dtype=bool)
    one[3] = True
    assert searcher.rank(RAMBLING, among=one).scores[0] == every.scores[3]
