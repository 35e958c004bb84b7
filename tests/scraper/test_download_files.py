"""Where a downloaded file is written: never outside its folder, and never half."""

import os
import random
import re
from pathlib import Path

import pytest

from scraper import download
from scraper.download import DownloadError, Fetcher, Rules, sweep
from tests.scraper.faulty_answers import picture, video
from tests.scraper.faulty_server import FaultyServer
from tests.scraper.fetching import get


def test_a_symbolic_link_at_the_target_is_replaced_not_followed(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "cover.jpg").symlink_to(tmp_path / "precious")
    path = get(server, tmp_path / "cover", "/cover")
    assert not path.is_symlink()
    assert path.read_bytes() == picture()
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_folder_behind_a_symbolic_link_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "data"
    (outside / "1").mkdir(parents=True)
    (root / "media" / "1").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    (tmp_path / "data2").symlink_to(root)
    link = server.https("/cover")
    for fetcher, target in (
        (Fetcher(server.rules), root / "linked" / "cover"),
        (Fetcher(server.rules, root=root), root / "linked" / "1" / "cover"),
        (Fetcher(server.rules, root=root), root / "media" / ".." / "linked" / "cover"),
        (Fetcher(server.rules, root=root), outside / "cover"),
    ):
        with pytest.raises(DownloadError, match="target"):
            fetcher.fetch([link], target, "cover")
    assert server.asked == []
    assert list(outside.rglob("cover*")) == []
    at_home = Fetcher(server.rules, root=tmp_path / "data2")  # the data folder may be one
    assert at_home.fetch([link], tmp_path / "data2" / "media" / "1" / "cover", "cover").path.is_file()


def test_part_files_of_killed_runs_are_removed(tmp_path: Path) -> None:
    for name in (".cover.0123456789abcdef.part", "cover.jpg", ".hidden", ".frame.part"):  # the last is another stage's
        (tmp_path / name).write_bytes(b"x")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".frame.part", ".hidden", "cover.jpg"]
    sweep(tmp_path / "not there")


PIECES = [
    "..",
    "/",
    "\\",
    "%2e%2e",
    "%2f",
    "\0",
    "%00",
    "a",
    "cover",
    "~",
    "C:",
    "\u202e",
    "\U0001f4a9",
    "\ud800",
    "$(id)",
]
PIECES += [
    "x" * 300,
    " ",
    "\n",
    ".",
    "-",
    "é",
    "localhost",
    "@",
    "#",
    "?x-expires=1",
    "[::1]",
    ":80",
    "tiktok.com",
    "&",
]


def test_fuzzed_links_and_targets_write_no_file_outside_the_folder(server: FaultyServer, tmp_path: Path) -> None:
    rolled = random.Random(3)
    folder = tmp_path / "media" / "12345"
    folder.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    fetcher = Fetcher(Rules(hosts=("localhost",), local=True), root=folder)
    came = 0
    for _ in range(1000):
        made = "".join(rolled.choices(PIECES, k=rolled.randint(1, 5)))
        name = rolled.choice(["cover", "".join(rolled.choices(PIECES, k=rolled.randint(1, 4)))])
        link = rolled.choice([server.https("/" + made), f"https://{made}/cover", made, server.https("/cover")])
        try:
            path = fetcher.fetch([link], folder / name, "cover").path
            came += 1
            assert path.parent == folder
        except (DownloadError, FileNotFoundError):
            pass
    assert came > 100
    assert (tmp_path / "precious").read_text() == "precious"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == [tmp_path / "precious"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.jpg", path.name) for path in folder.iterdir())


def test_a_damaged_video_is_not_kept(server: FaultyServer, tmp_path: Path) -> None:
    server.answers["/cut-video"] = lambda t: t.head().send(video()[:-500])
    with pytest.raises(DownloadError, match="broken"):
        get(server, tmp_path / "video", "/cut-video", kind="video")
    assert list(tmp_path.iterdir()) == []
    assert server.counts["/cut-video"] == download.BROKEN_TRIES


def test_files_are_readable_by_others_and_flushed_with_their_folder(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    path = get(server, tmp_path / "cover", "/cover")
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]
    assert path.stat().st_mode & 0o444 == 0o444
