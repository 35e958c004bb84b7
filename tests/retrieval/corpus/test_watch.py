"""Files that appear in a folder are taken once they are complete."""

from collections.abc import Callable
from pathlib import Path

from retrieval.corpus.files import files_in
from retrieval.corpus.watch import changes, sources_of


def test_a_file_is_taken_once_it_no_longer_grows(tmp_path: Path) -> None:
    (tmp_path / "old.mp4").write_bytes(b"old")
    steps: list[Callable[[], object]] = [
        lambda: (tmp_path / "a.mp4").write_bytes(b"1"),
        lambda: (tmp_path / "a.mp4").write_bytes(b"12"),
        lambda: (tmp_path / "b.mp4.part").write_bytes(b"1"),  # a.mp4 is complete
        lambda: (tmp_path / "c.CRDOWNLOAD").write_bytes(b"1"),
        lambda: (tmp_path / "b.mp4.part").rename(tmp_path / "b.mp4"),
        lambda: (tmp_path / ".hidden.mp4").write_bytes(b"1"),  # b.mp4 is complete
        lambda: (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4"),
        lambda: (tmp_path / "old.mp4").write_bytes(b"changed"),
        lambda: None,
    ]
    taken = []
    done = iter(steps)

    def sleep(seconds: float) -> None:
        next(done)()

    batches = changes([tmp_path], files_in([tmp_path]), sleep=sleep)
    for _ in range(3):
        taken.append([path.name for path in next(batches)])
    assert taken == [["a.mp4"], ["b.mp4"], ["old.mp4"]]


def test_files_in_new_folders_are_found_and_missing_folders_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "sub" / "deeper" / "a.mp4").write_bytes(b"1")
    assert [path.name for path in files_in([tmp_path, tmp_path / "gone"])] == ["a.mp4"]


def test_a_media_file_is_read_with_the_metadata_beside_it(tmp_path: Path) -> None:
    names = ("a.mp4", "a.info.json", "b.mp4", "b.mp4.json", "c.mp4", "d.en.vtt", "d.info.json")
    paths = {name: tmp_path / name for name in names}
    for path in paths.values():
        path.write_bytes(b"1")
    assert [path.name for path in sources_of([paths[name] for name in ("a.mp4", "b.mp4", "c.mp4", "d.en.vtt")])] == [
        *("a.info.json", "b.mp4.json", "c.mp4", "d.info.json")
    ]
