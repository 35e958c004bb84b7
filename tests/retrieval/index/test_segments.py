"""Components of several segments: deleted videos do not count, and merging gives what building gives."""

import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.embedding.token_sums import TokenSums
from retrieval.index import vocabulary
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import FIELDS, Mark, Passage
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.metadata import MetadataIndex
from retrieval.index.metadata_part import MetadataPart
from retrieval.index.passages import PassagePart, Passages
from retrieval.index.phrase_part import PhrasePart
from retrieval.index.phrases import PhraseIndex
from retrieval.index.rows import PassageRows
from retrieval.index.strings import Strings
from retrieval.index.vector_part import VectorPart
from retrieval.index.video_metadata import VideoMetadata
from retrieval.index.videos import Positions, VideoIds, VideoPart
from retrieval.index.whole_text import Stretch
from retrieval.index.whole_video import SumPart, WholeVideoParts
from tests.retrieval.index.parts import Divided, P, divided, loaded, saved_arrays

PHRASE_FIELDS = ("description", "comments")
WORDS = st.sampled_from(
    ["the", "teapot", "Été", "ete", "été", "ÉTÉ", "回転寿司", "🔥", "off", "shelf", "Schließe", "a"]
)
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)
PHRASE_DOCUMENTS = st.lists(
    st.fixed_dictionaries({}, optional={field: st.lists(TEXTS, max_size=2) for field in PHRASE_FIELDS}),
    min_size=1,
    max_size=7,
)
NAMES = st.sampled_from(["", "ann", "Ann.", "anna", "Żółć", "zolc", "bob", "🐙🐙"])
METADATA = st.builds(
    VideoMetadata,
    username=NAMES,
    nickname=NAMES,
    hashtags=st.lists(st.sampled_from(["Cats", "cats", "CATS", "catsofx", "été"]), max_size=3).map(tuple),
    languages=st.lists(st.sampled_from(["en", "de", "pl"]), max_size=2, unique=True).map(tuple),
    posted=st.sampled_from(["", "2024-02-29", "2023-01-01"]),
    encounters=st.lists(
        st.tuples(
            st.sampled_from(["likes", "collection"]),
            st.sampled_from(["", "2024-03-03T10:00:00"]),
            st.sampled_from(["", "Recipes", "recipes to try"]),
        ),
        max_size=2,
    ).map(tuple),
    duration_s=st.none() | st.floats(0, 100),
    at_least_s=st.floats(0, 100),
    likes=st.none() | st.integers(0, 10**9),
    sources=st.lists(st.sampled_from(["yt-dlp", "File", "file"]), max_size=2).map(tuple),
)
MARKS = st.builds(Mark, at=st.integers(0, 50), start_s=st.floats(0, 9), end_s=st.floats(0, 9))
PASSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(FIELDS),
        st.lists(
            st.builds(Passage, text=TEXTS | st.text(max_size=5), marks=st.lists(MARKS, max_size=2).map(tuple)),
            min_size=1,
            max_size=3,
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=6,
)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check_merge(build: Callable[[int, int], P], fresh: P, cut: Divided) -> None:
    """Compare a merge of segments, saved and mapped again, with what is built without the deleted videos."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(number) for number in range(6)]
        parts = [
            loaded(part, folder, mapped=number == 1)
            for number, (part, folder) in enumerate(zip(cut.parts(build), folders, strict=False))
        ]
        merged = type(fresh).merge(parts, cut.keep())
        assert saved_arrays(merged, folders[4]) == saved_arrays(fresh, folders[5])


def of_alive(mask: Any, cut: Divided) -> list[bool]:
    found: list[bool] = mask[cut.alive].tolist()
    return found


@few
@given(PHRASE_DOCUMENTS, st.data())
def test_phrases_do_not_know_deleted_videos(documents: list[dict[str, list[str]]], data: st.DataObject) -> None:
    cut = data.draw(divided(len(documents)))
    fresh_part = PhrasePart.build(
        [one for one, alive in zip(documents, cut.alive, strict=True) if alive], PHRASE_FIELDS
    )
    fresh = PhraseIndex([fresh_part], np.ones(fresh_part.videos, bool))
    parts = cut.parts(lambda first, end: PhrasePart.build(documents[first:end], PHRASE_FIELDS))
    several = PhraseIndex(parts, cut.alive)
    words = ["the", "teapot", "ete", "off", "回", "司", "🔥", "schliesse", "schließe", "missing"]
    assert several.counts(words).tolist() == fresh.counts(words).tolist()
    assert [several.shown(word) for word in several.known(words)] == [fresh.shown(word) for word in fresh.known(words)]
    assert several.letters().keys() == fresh.letters().keys()
    hidden = [0] if fresh_part.videos else []
    for start in ("", "t", "e", "s", "sh", "🔥"):
        assert several.words_from(start, 3) == fresh.words_from(start, 3)
        of_hidden = np.flatnonzero(cut.alive)[hidden].tolist()
        assert several.words_from(start, 3, of_hidden) == fresh.words_from(start, 3, hidden)
    for phrase in (["the", "teapot"], ["ete"], ["ete", "ete"], ["回", "転"], ["missing"], []):
        for field in ("", *PHRASE_FIELDS):
            met = several.videos_with_phrase(phrase, field)
            assert of_alive(met, cut) == fresh.videos_with_phrase(phrase, field).tolist()
    check_merge(lambda first, end: PhrasePart.build(documents[first:end], PHRASE_FIELDS), fresh_part, cut)


@few
@given(st.lists(METADATA, min_size=1, max_size=7), st.data())
def test_metadata_does_not_know_deleted_videos(videos: list[VideoMetadata], data: st.DataObject) -> None:
    cut = data.draw(divided(len(videos)))
    alive = [one for one, alive in zip(videos, cut.alive, strict=True) if alive]
    fresh = MetadataIndex.of(alive)
    several = MetadataIndex(cut.parts(lambda first, end: MetadataPart.build(videos[first:end])), cut.alive)
    answers = [_answers(index) for index in (several, fresh)]
    assert [answer if isinstance(answer, list) else of_alive(answer, cut) for answer in answers[0]] == [
        answer if isinstance(answer, list) else answer.tolist() for answer in answers[1]
    ]
    assert not any(answer[~cut.alive].any() for answer in answers[0] if not isinstance(answer, list))
    shown = np.array([number % 2 == 0 for number in range(len(alive))], bool)
    of_shown = np.zeros(len(videos), bool)
    of_shown[np.flatnonzero(cut.alive)[shown]] = True
    for start in ("", "a", "c", "z"):
        assert several.creators_from(start, 2, of_shown) == fresh.creators_from(start, 2, shown)
        assert several.tags_from(start, 2, of_shown) == fresh.tags_from(start, 2, shown)
    check_merge(lambda first, end: MetadataPart.build(videos[first:end]), MetadataPart.build(alive), cut)


def _answers(index: MetadataIndex) -> list[Any]:
    met = index.encounters
    dated = met.between(None, None)
    return [
        *(index.by_creator(name) for name in ("ann", "ANNA", "zolc", "🐙🐙", "nobody", "")),
        *(index.by_part_of_name(part) for part in ("nn", "zo", "🐙")),
        *(index.with_tag(tag) for tag in ("cats", "ete", "dogs")),
        *(index.in_language(code) for code in ("en", "de-AT", "fr")),
        index.posted_before("2024-01-01"),
        index.posted_from("2024-01-01"),
        index.has_language,
        *index.as_long_as(10, 50),
        index.as_long_as(30, None)[0],
        *index.liked_by(5, 10**6),
        *(index.from_source(source) for source in ("FILE", "yt-dlp")),
        met.videos(met.in_lists(["likes"])),
        met.videos(met.in_collection("recipes")),
        met.videos_with_time(dated),
        met.latest(dated).astype(np.int64) != np.iinfo(np.int64).min,
        met.summaries,
        met.begins_with("rec"),
        sorted(index.sources().items()),
        index.languages(),
        index.creators(3),
        index.years(),
        index.near_creators("annn"),
        index.near_tags("cat"),
    ]


@few
@given(PASSAGES, st.data())
def test_passages_have_their_texts_and_times(documents: list[dict[str, list[Passage]]], data: st.DataObject) -> None:
    cut = data.draw(divided(len(documents)))
    build: Callable[[int, int], PassagePart] = lambda first, end: PassagePart.build(documents[first:end])  # noqa: E731
    passages = Passages(cut.parts(build))
    for field in FIELDS:
        starts = passages.starts(field)
        for video, one in enumerate(documents):
            assert passages(field, range(starts[video], starts[video + 1])) == one.get(field, [])
    fresh = PassagePart.build([one for one, alive in zip(documents, cut.alive, strict=True) if alive])
    check_merge(build, fresh, cut)


def test_a_changed_video_is_found_by_its_new_number() -> None:
    parts = [VideoPart.build(["7", "8", "9"], [bytes([n]) * 16 for n in range(3)]), VideoPart.build(["8"], [b"x" * 16])]
    ids = VideoIds(parts, np.array([True, False, True, True]))
    positions = Positions(ids)
    assert list(ids) == ["7", "8", "9", "8"] and ids[3] == "8" and ids[-1] == "8" and ids[1:3] == ["8", "9"]
    assert dict(positions) == dict(positions.items()) == {"7": 0, "9": 2, "8": 3}
    assert "10" not in positions and len(positions) == 3
    with pytest.raises(IndexError):
        ids[4]
    check_merge(
        lambda first, end: parts[0] if not first else parts[1],
        VideoPart.build(["7", "9", "8"], [bytes(16), bytes([2]) * 16, b"x" * 16]),
        Divided((3,), ids.alive),
    )


def test_a_word_whose_place_is_damaged_is_not_found() -> None:
    made, _ = vocabulary.Vocabulary.build(["bread"])
    raw, starts = made.strings.parts
    wanted = vocabulary.Wanted.of(["bread"])
    assert made.numbers(wanted).tolist() == [0]
    damaged = Strings(raw, starts + np.array([200, 200], starts.dtype))
    assert vocabulary.Vocabulary(made.hashes, damaged).numbers(wanted).tolist() == [-1]


@pytest.mark.parametrize("bits", [0, 1, 2])
def test_words_with_the_same_hash_are_not_confused(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "hash_of", lambda text: len(text) % (1 << bits))
    words = ["a", "bb", "ccc", "dd", "e", "ff"]
    made, numbers = vocabulary.Vocabulary.build(words)
    assert [made[number] for number in numbers] == words
    assert made.numbers(vocabulary.Wanted.of([*words, "g", "gg"])).tolist() == [*numbers.tolist(), -1, -1]
    others, _ = vocabulary.Vocabulary.build(["ff", "gg", "a"])
    used = np.array([word != "gg" for word in others.strings])
    merged, maps = vocabulary.Vocabulary.merge([made, others], [np.ones(6, bool), used])
    built, _ = vocabulary.Vocabulary.build(words)
    assert list(merged.strings) == list(built.strings)
    assert [merged[number] for number in maps[0]] == list(made.strings)
    kept = [(merged[new], others[old]) for old, new in enumerate(maps[1]) if new != vocabulary.NONE]
    assert len(kept) == 2 and all(new == old for new, old in kept)


@pytest.mark.parametrize("part", [PhrasePart.build([{"comments": ["a b"]}], PHRASE_FIELDS), VideoPart.build(["1"])])
def test_contradicting_arrays_are_refused(part: PhrasePart | VideoPart, tmp_path: Path) -> None:
    if isinstance(part, PhrasePart):
        part.places = part.places + 100
    else:
        part.order = part.order + 1
    with pytest.raises(ValueError, match=r"contradict|not in order"):
        loaded(part, tmp_path)


def test_the_file_is_one_that_safetensors_reads(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    part: Sequence[PassagePart] = [PassagePart.build([{"cover": [Passage("été", (Mark(0, 1.5, 2.0),))]}, {}])]
    part[0].save(tmp_path)
    [path] = tmp_path.iterdir()
    found = load_file(path)
    assert found["times"].tolist() == [[1.5, 2.0]] and found["texts.bytes"].tobytes().decode() == "été"


@few
@given(st.lists(st.none() | st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=6), st.data())
def test_the_parts_of_whole_videos_are_merged(videos: list[list[int] | None], data: st.DataObject) -> None:
    cut = data.draw(divided(len(videos)))
    rng = np.random.default_rng(0)
    sums = [
        None
        if tokens is None
        else TokenSums(np.array(tokens, np.int32), rng.normal(size=(len(tokens), 5)).astype("f2"))
        for tokens in videos
    ]
    stretches = [[Stretch(n, "comments", n) for n in range(len(tokens or ()))] for tokens in videos]
    build: Callable[[int, int], SumPart] = lambda first, end: SumPart.build(stretches[first:end], sums[first:end], 5)  # noqa: E731
    several = WholeVideoParts(cut.parts(build))
    order = rng.permutation(len(sums)).tolist()
    for number, video in enumerate(order):
        parts, found = several.of(order[: number + 1]), sums[video]
        of_video = parts.owners == number
        read = [] if found is None else np.flatnonzero(found.tokens).tolist()
        assert (parts.fields[of_video] == FIELDS.index("comments")).all()
        assert parts.passages[of_video].tolist() == read
        if found is not None:
            assert parts.tokens[of_video].tolist() == found.tokens[read].tolist()
            error = np.abs(parts.sums[of_video] - found.sums[read]).max(initial=0.0)
            assert error <= np.abs(found.sums).max(initial=0.0) / 250
    kept = np.flatnonzero(cut.alive)
    fresh = SumPart.build([stretches[video] for video in kept], [sums[video] for video in kept], 5)
    check_merge(build, fresh, cut)


FIELDS_OF_WORDS = ("description", "transcript")
KEYWORD_DOCUMENTS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {},
            optional={
                field: st.lists(st.sampled_from(["tea", "pot", "Häuser", "🐙", "moon"]), max_size=50).map(" ".join)
                for field in FIELDS_OF_WORDS
            },
        ),
        st.dictionaries(st.sampled_from(FIELDS_OF_WORDS), st.sampled_from(["", "de", "en"])),
    ),
    min_size=1,
    max_size=6,
)


@few
@given(KEYWORD_DOCUMENTS, st.data())
def test_the_words_of_deleted_videos_do_not_count_in_scores(
    documents: list[tuple[dict[str, str], dict[str, str]]], data: st.DataObject
) -> None:
    analyser, cut = data.draw(st.sampled_from(["stems", "char_ngrams", "bigrams"])), data.draw(divided(len(documents)))

    def build(some: Sequence[tuple[dict[str, str], dict[str, str]]]) -> KeywordPart:
        return KeywordPart.build(analyser, [one for one, _ in some], FIELDS_OF_WORDS, [of for _, of in some])

    fresh_part = build([one for one, alive in zip(documents, cut.alive, strict=True) if alive])
    fresh = KeywordIndex([fresh_part], np.ones(fresh_part.videos, bool))
    several = KeywordIndex(cut.parts(lambda first, end: build(documents[first:end])), cut.alive)
    assert several.texts_by_language == fresh.texts_by_language
    assert (several.languages, several.common_languages) == (fresh.languages, fresh.common_languages)
    videos = np.flatnonzero(cut.alive)
    for weights in (np.ones(2), np.array([2.0, 0.0])):
        for question in ("tea pot", "Haus 🐙 octopus", "moon moons zebra"):
            one, other = several.totals(question, weights, "de"), fresh.totals(question, weights, "de")
            np.testing.assert_allclose(one.scores[cut.alive], other.scores, rtol=1e-6)
            assert np.isnan(one.scores[~cut.alive]).all() or one.terms is None
            np.testing.assert_allclose(one.coverage[cut.alive], other.coverage, rtol=1e-6)
            assert one.idfs == other.idfs
            whole = np.arange(fresh.videos)
            np.testing.assert_allclose(several.split(one, videos), fresh.split(other, whole), rtol=1e-6)
            np.testing.assert_array_equal(several.contain(question, videos), fresh.contain(question, whole))
            forms = [form for term in several.query_terms(question) for form in term.all()]
            np.testing.assert_array_equal(several.have(forms), fresh.have(forms))
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ("merged", "built")]
        parts = cut.parts(lambda first, end: build(documents[first:end]))
        merged = KeywordPart.merge(parts, cut.keep())
        assert saved_arrays(merged, folders[0]) == saved_arrays(fresh_part, folders[1])


@few
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_vectors_of_deleted_videos_are_not_compared(counts: list[int], data: st.DataObject) -> None:
    cut = data.draw(divided(len(counts)))
    lengths = np.array(counts, np.int64)
    vectors = np.random.default_rng(0).normal(size=(lengths.sum(), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = np.concatenate([[0], np.cumsum(lengths)])

    def build(first: int, end: int) -> VectorPart:
        return VectorPart.build(dict.fromkeys(FIELDS, vectors[starts[first] : starts[end]]))

    parts, ends = cut.parts(build), [0, *cut.cuts, len(counts)]
    kept_rows = np.repeat(cut.alive, lengths)
    fresh_part = VectorPart.build(dict.fromkeys(FIELDS, vectors[kept_rows]))
    kept_starts = np.concatenate([[0], np.cumsum(lengths[cut.alive])])
    for field in ("comments", "overview"):
        rows = PassageRows(starts, cut.alive)
        several = DenseIndex([part.fields[field] for part in parts], ends, rows)
        fresh = DenseIndex([fresh_part.fields[field]], [0, len(kept_starts) - 1], PassageRows(kept_starts))
        query = np.eye(8, dtype=np.float32)[0]
        best, wanted = several.all_best(query), fresh.all_best(query)
        np.testing.assert_allclose(best.cosines[cut.alive], wanted.cosines)
        np.testing.assert_array_equal(several.best_of_sample(query), several.best(query, rows.sample).cosines)
        assert np.isnan(best.cosines[~cut.alive]).all() and (best.rows[~cut.alive] == -1).all()
        numbered = np.concatenate([np.cumsum(kept_rows) - 1, [-1]])
        np.testing.assert_array_equal(numbered[best.rows[cut.alive]], wanted.rows)
        np.testing.assert_allclose(several.every(1), fresh.every(1))
        np.testing.assert_allclose(several.vectors(range(len(vectors))), vectors, atol=0.01)
    counted = [dict.fromkeys(FIELDS, lengths[first:end]) for first, end in pairwise(ends)]
    merged = VectorPart.merge(parts, cut.keep(), counted)
    for field in FIELDS:
        np.testing.assert_array_equal(merged.fields[field].raw, fresh_part.fields[field].raw)
        np.testing.assert_array_equal(merged.fields[field].scales, fresh_part.fields[field].scales)


def test_a_frequency_above_31_is_kept_in_several_postings() -> None:
    part = KeywordPart.build("stems", [{"a": "tea " * 100}, {"a": "tea"}], ["a"])
    assert (part.packed & 31).tolist() == [31, 31, 31, 7, 1] and part.docs.tolist() == [0, 0, 0, 0, 1]
    index, text = KeywordIndex.of("stems", [{"a": "tea " * 100}, {"a": "tea"}], ["a"]), np.ones(1)
    long, short = index.totals("tea", text).scores.tolist()
    idf, average = np.log(1 + 0.5 / 2.5), 50.5
    assert long == pytest.approx(idf * 2.2 * 100 / (100 + 1.2 * (0.25 + 0.75 * 100 / average)), rel=1e-5)
    assert short == pytest.approx(idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 / average)), rel=1e-5)
