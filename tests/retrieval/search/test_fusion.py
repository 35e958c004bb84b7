import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.errors import BadWeights
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS
from retrieval.search.fusion import (
    Method,
    Normaliser,
    Scores,
    fuse_dense,
    fuse_keyword,
    parse_weights,
    rank_positions,
    weighted_mean,
)

VIDEOS = 50
RANDOM = np.random.default_rng(7)


def dense(cosines: dict[str, Scores], weights: dict[str, float], method: Method) -> Scores:
    everything = np.arange(len(next(iter(cosines.values()))))
    normal = {field: Normaliser(method, of).dense(of, everything) for field, of in cosines.items()}
    contributions = fuse_dense(normal, weights)
    about = weighted_mean({field: of.astype(np.float32) for field, of in normal.items()}, weights)
    np.testing.assert_allclose(contributions.sum(axis=0)[~np.isnan(about)], about[~np.isnan(about)], atol=1e-5)
    return contributions


def keyword(split: Scores, method: Method) -> Scores:
    scores = split.sum(axis=0)
    return fuse_keyword(split, Normaliser(method, scores).keyword(scores, np.arange(len(scores))))


@pytest.fixture
def cosines() -> NDArray[np.float64]:
    return RANDOM.normal(0.3, 0.1, VIDEOS)


@pytest.fixture
def split() -> NDArray[np.float64]:
    return RANDOM.gamma(1.0, 2.0, (len(TEXT_FIELDS), VIDEOS)) * (RANDOM.random((len(TEXT_FIELDS), VIDEOS)) < 0.3)


def ranx_fusion(
    columns: list[NDArray[np.float64]], norm: str | None, method: str, **params: object
) -> dict[str, float]:
    import ranx

    runs = [ranx.Run({"q": {f"v{n:02}": float(score) for n, score in enumerate(column)}}) for column in columns]
    fused = ranx.fuse(runs=runs, norm=norm, method=method, params=params)
    return {str(name): float(score) for name, score in fused.run["q"].items()}


def test_zscore_fusion_agrees_with_ranx_up_to_a_constant(
    cosines: NDArray[np.float64], split: NDArray[np.float64]
) -> None:
    ours = dense({OVERVIEW: cosines}, {OVERVIEW: 1.0}, "zscore").sum(0) + 0.5 * keyword(split, "zscore").sum(0)
    theirs = ranx_fusion([cosines, split.sum(axis=0)], "zmuv", "wsum", weights=(1.0, 0.5))
    difference = np.array([ours[n] - theirs[f"v{n:02}"] for n in range(VIDEOS)])
    # the keyword mode keeps its zero where it is, which moves every score of a query alike
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)


def test_rrf_agrees_with_ranx(cosines: NDArray[np.float64]) -> None:
    matching = RANDOM.gamma(2.0, 2.0, (len(TEXT_FIELDS), VIDEOS))
    ours = dense({OVERVIEW: cosines}, {OVERVIEW: 1.0}, "rrf").sum(0) + keyword(matching, "rrf").sum(0)
    theirs = ranx_fusion([cosines, matching.sum(axis=0)], None, "rrf", k=60)
    np.testing.assert_allclose(ours, [theirs[f"v{n:02}"] for n in range(VIDEOS)], atol=1e-9)


def test_dbsf_maps_three_deviations_around_the_mean_to_zero_and_one(cosines: NDArray[np.float64]) -> None:
    ours = dense({OVERVIEW: cosines}, {OVERVIEW: 1.0}, "dbsf").sum(axis=0)
    low, high = cosines.mean() - 3 * cosines.std(), cosines.mean() + 3 * cosines.std()
    np.testing.assert_allclose(ours, np.clip((cosines - low) / (high - low), 0, 1))


@pytest.mark.parametrize("method", ["zscore", "dbsf", "rrf"])
def test_the_weight_of_a_missing_field_goes_to_the_others(method: Method) -> None:
    overview = np.array([0.9, 0.5, 0.1, 0.3])
    cover = np.array([0.8, np.nan, 0.2, 0.5])
    fused = dense({OVERVIEW: overview, "cover": cover}, {OVERVIEW: 1.0, "cover": 3.0}, method)
    alone = dense({OVERVIEW: overview}, {OVERVIEW: 1.0}, method)
    assert fused[FIELDS.index("cover"), 1] == 0
    assert fused[:, 1].sum() == pytest.approx(alone[:, 1].sum())
    assert fused[FIELDS.index(OVERVIEW), 0] == pytest.approx(alone[FIELDS.index(OVERVIEW), 0] / 4)


def test_a_video_without_any_weighted_field_gets_the_lowest_score() -> None:
    fused = dense({"cover": np.array([0.8, np.nan, 0.2])}, {"cover": 1.0}, "zscore").sum(axis=0)
    assert fused[1] == fused.min() == fused[2]


@pytest.mark.parametrize("videos", [1, 4, 7])  # at 7, the deviation of equal numbers is not quite 0
def test_equal_scores_are_fused_without_dividing_by_zero(videos: int) -> None:
    by_vectors = dense({OVERVIEW: np.full(videos, 0.1)}, {OVERVIEW: 1.0}, "zscore")
    assert by_vectors.sum(axis=0).tolist() == [0.1] * videos
    by_words = keyword(np.full((len(TEXT_FIELDS), videos), 0.1), "zscore")
    np.testing.assert_allclose(by_words.sum(axis=0), 1.0)
    assert not keyword(np.zeros((len(TEXT_FIELDS), videos)), "zscore").any()


@pytest.mark.parametrize("method", ["zscore", "dbsf", "rrf"])
def test_a_keyword_score_is_divided_among_fields_as_by_bm25f(split: NDArray[np.float64], method: Method) -> None:
    fused = keyword(split, method)[: len(TEXT_FIELDS)]
    matched = split.sum(axis=0) > 0
    np.testing.assert_allclose(
        fused[:, matched] / fused[:, matched].sum(axis=0), split[:, matched] / split[:, matched].sum(axis=0)
    )
    assert not fused[:, ~matched].any()


def test_ranks_keep_the_order_of_ties_and_put_missing_scores_last() -> None:
    assert rank_positions(np.array([0.5, np.nan, 0.9, 0.5])).tolist() == [2, 4, 1, 3]


@pytest.mark.parametrize(
    "assignments",
    [
        ["transcript=2", "comments=0"],
        ["transcript:2,comments:0"],
        "speech = 2, comments: 0,",
        ["Speech=1", "speech=2,comments=0"],
    ],
)
def test_weights_are_read_in_both_spellings_by_name_or_identifier(assignments: str | list[str]) -> None:
    assert parse_weights(assignments) == {"transcript": 2.0, "comments": 0.0}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("voice=1", "no field 'voice'; the fields are description, creator, music, onscreen, speech, comments, whole"),
        ("onscreen", "the weight of onscreen must be a number from 0 to 5"),
        ("cover=x", "number from 0 to 5"),
        ("cover=-1", "number from 0 to 5"),
        ("cover:5.1", "number from 0 to 5"),
        ("cover=nan", "number from 0 to 5"),
        (",".join(f"{field}=0" for field in FIELDS), "every field is switched off"),
    ],
)
def test_bad_weights_are_named(assignment: str, message: str) -> None:
    with pytest.raises(BadWeights, match=message):
        parse_weights(assignment)
