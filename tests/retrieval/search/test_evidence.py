"""The passage that a card shows, and the sentence that says why a video was found."""

import numpy as np
import pytest

from retrieval.index.documents import TEXT_FIELDS
from retrieval.search.cues import cued_fields
from retrieval.search.evidence import nearness_of, quoted
from retrieval.search.searcher import Searcher


def test_the_sentence_says_where_and_when_and_quotes_the_passage(searcher: Searcher) -> None:
    why = searcher.search("he pushed a porcelain teapot off the shelf").hits[0].why
    assert why and why.field == "transcript" and why.start_s == 12.5
    assert why.sentence.startswith("said at 0:12: “He pushed the porcelain teapot off the shelf")
    assert why.others and why.sentence.endswith(f"; {why.others}")


def test_a_question_that_names_the_place_gets_the_passage_from_there(searcher: Searcher) -> None:
    places = {
        text: (why := searcher.search(text).hits[0].why) and why.field
        for text in ("cat and the teapot, somebody commented on purpose", "the song is a sneaky piano, teapot")
    }
    assert list(places.values()) == ["comments", "music"]


def test_a_question_by_words_has_a_sentence_too(searcher: Searcher) -> None:
    hit = searcher.search("porcelain teapot", mode="keyword").hits[0]
    assert hit.why and hit.why.field == "transcript"


def test_only_conditions_have_no_sentence(searcher: Searcher) -> None:
    assert all(hit.why is None for hit in searcher.search("lang:en").hits)


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        ("thumbnail asks whether the ghost pays", {"cover"}),
        ("somebody replied with a pun", {"comments"}),
        ("la canción del vídeo", {"music"}),
        ("a cat on a shelf", set()),
        ("a discovery of covered bridges", set()),
    ],
)
def test_words_that_name_a_place_are_known(question: str, fields: set[str]) -> None:
    assert cued_fields(question) == fields


def test_a_quotation_is_the_sentence_or_as_much_as_fits() -> None:
    text = "Nothing here. It sounds like a brick with opinions! Then he bows."
    at = text.index("brick")
    assert quoted(text, (at, at + 5)) == "It sounds like a brick with opinions!"
    long = "word " * 60 + "brick " + "word " * 60
    at = long.index("brick")
    assert "brick" in quoted(long, (at, at + 5)) and len(quoted(long, (at, at + 5))) <= 92


def test_what_a_person_says_to_remember_counts_by_meaning_and_changes_nothing_by_words(searcher: Searcher) -> None:
    def of_speech(retriever: str, weights: dict[str, float] | None) -> float:
        hit = next(hit for hit in searcher.search("moon and ocean", weights=weights).hits if hit.id == "70004")
        found = [r.contribution for r in hit.explanation if (r.field, r.retriever) == ("transcript", retriever)]
        return sum(found)

    remembered = {"transcript": 2.0}
    assert of_speech("dense", remembered) > 10 * of_speech("dense", None) > 0
    assert of_speech("keyword", remembered) == pytest.approx(of_speech("keyword", None))


def test_the_nearness_of_several_videos_is_that_of_each_alone(searcher: Searcher) -> None:
    ranking = searcher.rank("he pushed a porcelain teapot off the shelf")
    videos = ranking.order()[:4].tolist()
    together, start = nearness_of(searcher.generation, ranking, videos), 0
    nearest = []
    for video in videos:
        alone = nearness_of(searcher.generation, ranking, [video])
        of_video = slice(start, start := start + len(alone.near))
        assert len(alone.near) == sum(len(searcher.generation.rows[field].of(video)) for field in TEXT_FIELDS)
        np.testing.assert_allclose(together.near[of_video], alone.near, atol=1e-4)
        np.testing.assert_allclose(together.apart[of_video], alone.apart, atol=1e-4)
        nearest.append(alone.near.max())
    assert start == len(together.near) and nearest[0] > 2.5 > nearest[-1]


def test_what_is_left_of_a_question_is_without_the_description_of_the_same_video(searcher: Searcher) -> None:
    generation = searcher.generation
    ranking = searcher.rank("a cat knocks the teapot off, and the moon pulls the ocean")
    videos, start = list(reversed(range(len(generation.ids)))), 0
    found, (vector,), (spread,) = nearness_of(generation, ranking, videos), ranking.vectors, generation.spreads
    assert vector is not None
    [wanted] = spread.directions(vector[None])
    for video in videos:
        of_fields = [generation.dense[0][field].vectors(generation.rows[field].of(video)) for field in TEXT_FIELDS]
        directions = spread.directions(np.concatenate(of_fields))
        rest = wanted
        if len(of_fields[0]):  # the description
            rest = wanted - max(0.0, float(directions[0] @ wanted)) * directions[0]
        end = start + len(directions)
        np.testing.assert_allclose(found.near[start:end], spread.deviations(directions, wanted[None])[:, 0], atol=1e-4)
        np.testing.assert_allclose(found.apart[start:end], spread.deviations(directions, rest[None])[:, 0], atol=1e-4)
        start = end
    assert np.abs(found.near - found.apart).max() > 0.5
