from ingest.catalog.entries import Segment
from ingest.ocr.merge import join


def test_a_line_that_repeats_across_frames_is_kept_once_with_its_seconds() -> None:
    text, segments = join(
        [],
        [
            (0.0, 2.0, [("POV: my cat", 0.7), ("day one", 0.9)]),
            (3.0, 4.0, [("P0V: my cat", 0.5)]),
            (5.0, 9.0, [("POV: my cat", 0.95), ("told you", 0.9)]),
        ],
    )
    assert text == "POV: my cat\nday one\ntold you"
    assert segments == [Segment(0.0, 9.0, "POV: my cat"), Segment(0.0, 2.0, "day one"), Segment(5.0, 9.0, "told you")]


def test_a_line_of_the_cover_gets_its_time_from_the_video() -> None:
    text, segments = join([[("WAIT FOR IT", 0.9), ("my channel", 0.9)]], [(4.0, 6.0, [("WAIT FOR lT", 0.6)])])
    assert text == "WAIT FOR IT\nmy channel"
    assert segments == [Segment(4.0, 6.0, "WAIT FOR IT")]


def test_a_line_on_one_frame_must_be_confident_one_on_several_need_not() -> None:
    frames = [(0.0, 1.0, [("leaves of grass", 0.5), ("io", 0.99)]), (2.0, 3.0, [("wait for it", 0.5)])]
    assert join([], frames) == ("", [])
    assert join([], [*frames, (4.0, 5.0, [("wait for it", 0.6)])]) == (
        "wait for it",
        [Segment(2.0, 5.0, "wait for it")],
    )


def test_the_entries_of_a_list_stay_separate() -> None:
    entries = [(f"best cat number {n}", 0.9) for n in range(3)]
    assert join([entries], [])[0].count("\n") == 2
    text, segments = join([], [(0.0, 1.0, entries), (2.0, 3.0, entries)])
    assert text.count("\n") == 2 and [segment.end_s for segment in segments] == [3.0] * 3


def test_equal_slides_are_read_once() -> None:
    assert join([[("one", 0.9)], [("one", 0.9), ("two", 0.9)]], []) == ("one\ntwo", [])
    assert join([], []) == ("", [])


def test_lines_that_differ_in_a_number_are_different_lines() -> None:
    frames = [(float(n), n + 1.0, [(f"hack number {n} of my kitchen", 0.9)]) for n in range(1, 4)]
    assert join([], frames)[0].count("\n") == 2
    assert join([[("part 1", 0.9)]], [(0.0, 1.0, [("part 2", 0.9)])])[0] == "part 1\npart 2"
