"""Many small segments become few, and what they hold stays."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index.layout import SEGMENT_VIDEOS
from retrieval.index.merge import FULL, MAX_SMALL, Size, to_merge


def merged(sizes: list[Size]) -> list[Size]:
    groups = to_merge(sizes)
    gone = {number for group in groups for number in group}
    alive = [sum(sizes[number].alive for number in group) for group in groups]
    return [size for number, size in enumerate(sizes) if number not in gone] + [Size(n, n) for n in alive]


@settings(deadline=None)
@given(st.lists(st.integers(1, SEGMENT_VIDEOS).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))))
def test_no_video_is_lost_and_none_is_in_two_groups(drawn: list[tuple[int, int]]) -> None:
    sizes = [Size(*one) for one in drawn]
    numbers = [number for group in to_merge(sizes) for number in group]
    assert len(numbers) == len(set(numbers)) and set(numbers) <= set(range(len(sizes)))
    after = merged(sizes)
    assert sum(size.alive for size in after) == sum(size.alive for size in sizes)
    assert all(size.alive <= SEGMENT_VIDEOS for size in after)


def test_publishing_one_video_at_a_time_leaves_few_segments_and_writes_each_video_seldom() -> None:
    sizes, written, videos = [Size(40_000, 40_000), Size(30_000, 30_000)], 0, 3_000
    for _ in range(videos):
        before = sizes = [*sizes, Size(1, 1)]
        sizes = merged(sizes)
        written += sum(size.alive for size in sizes if size not in before)
        assert sum(size.alive <= FULL for size in sizes) <= MAX_SMALL
    assert written / videos < 40


def test_a_segment_most_of_whose_videos_are_deleted_is_written_again() -> None:
    assert to_merge([Size(100, 100), Size(100, 49), Size(100, 50)]) == [[1]]


def test_a_first_build_of_a_million_videos_has_few_segments_after_one_merge() -> None:
    after = merged([Size(16_384, 16_384)] * 61 + [Size(576, 576)])
    assert len(after) <= 1_000_000 // SEGMENT_VIDEOS + MAX_SMALL


def test_segments_never_become_too_large() -> None:
    sizes = [Size(n, n) for n in random.Random(0).sample(range(20_000, FULL), 12)]
    while (after := merged(sizes)) != sizes:
        assert max(size.alive for size in after) <= SEGMENT_VIDEOS
        sizes = after
    assert sum(size.alive <= FULL for size in sizes) <= MAX_SMALL
