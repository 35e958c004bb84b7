"""Adding videos from the page: drag and drop, pickers, links, cancel, a server that dies, and twenty own videos."""

import contextlib
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scraper.local_ids import local_id
from tests.conftest import REPOSITORY
from tests.e2e.actions import api, ask, card, visit
from tests.e2e.conftest import Serve, Trouble, free_port

JOB_MS = 180_000
WALRUS, GEESE = "7200000000000000001", "7200000000000000002"
RECORDS = [
    {"id": WALRUS, "creator_username": "walrus.band", "description": "a walrus plays the accordion"},
    {"id": GEESE, "creator_username": "geese", "description": "two geese argue about a bicycle"},
]


def drag(page: Page, *paths: Path, drop: bool = True) -> None:
    """Drag files and folders onto the page as a person does, from outside of the browser."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", *(["drop"] if drop else [])):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})


@pytest.fixture(scope="module")
def empty(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server without any video."""
    folder = tmp_path_factory.mktemp("empty")
    return serve(folder / "data", folder / "indexes")


def forgive_refusals(trouble: Trouble) -> None:
    """Forget what the browser logs about requests without an index (503) and refused ones (422)."""
    trouble.errors[:] = [error for error in trouble.errors if "503" not in error and "422" not in error]


def test_an_empty_page_offers_three_ways_and_a_dropped_folder_is_found(
    page: Page, trouble: Trouble, empty: str, tmp_path: Path
) -> None:
    visit(page, empty)
    page.get_by_role("button", name="Add your TikTok data export").click()
    expect(page.get_by_text("Download your data")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Paste links").click()
    expect(page.get_by_label("Links to videos")).to_be_focused()
    page.keyboard.type("https://example.org/no-video")
    page.get_by_role("button", name="Add links").click()
    expect(page.get_by_text("is not a link to TikTok")).to_be_visible()
    posts = re.compile("/page/add$")
    page.route(posts, lambda one: one.fulfill(json={}) if one.request.method == "POST" else one.continue_())
    page.get_by_label("Links to videos").fill("https://example.org/no-video\n" * 2_000)
    with page.expect_request(re.compile(r"/file\?name=pasted\+links\.txt")):  # too long for one request of text
        page.get_by_role("button", name="Add links").click()
    expect(page.get_by_label("Links to videos")).to_have_value("")
    expect(page.locator("#add-now section")).to_have_count(0)  # it has arrived
    page.unroute(posts)
    page.keyboard.press("Escape")

    folder = tmp_path / "my <b>videos</b>"
    (folder / "deeper").mkdir(parents=True)
    (folder / "batch.json").write_text(json.dumps(RECORDS[:1]))
    (folder / "deeper" / "more.json").write_text(json.dumps(RECORDS[1:]))
    (folder / "fake.mp4").write_text("<script>alert(1)</script> is no video")
    (folder / "letter.docx").write_text("x")
    (folder / ".hidden.json").write_text("[]")
    drag(page, folder, drop=False)
    expect(page.get_by_text("Drop files, folders or zips to add them")).to_be_visible()
    drag(page, folder)
    expect(page.get_by_text("2 files not taken")).to_be_visible()
    expect(page.get_by_text("2 of 2 videos can be found")).to_be_visible(timeout=JOB_MS)
    page.get_by_text("2 files not taken").click()
    expect(page.get_by_text("“fake.mp4” is a web page, not a video or picture.")).to_be_visible()
    page.keyboard.press("Escape")
    ask(page, "geese bicycle")
    expect(card(page, GEESE)).to_be_visible()
    forgive_refusals(trouble)


def test_files_and_folders_are_picked_with_the_keyboard(page: Page, trouble: Trouble, empty: str) -> None:
    visit(page, empty)
    page.get_by_role("button", name="Add videos").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Add videos")).to_be_visible()
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Choose files").press("Enter")
    chosen.value.set_files({"name": "letter.docx", "mimeType": "", "buffer": b"x"})
    expect(page.get_by_text("None of these files can be added.")).to_be_visible()
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Choose a folder").press("Enter")
    assert chosen.value.element.get_attribute("webkitdirectory") is not None
    forgive_refusals(trouble)


def test_a_copy_is_cancelled_and_leaves_nothing(page: Page, trouble: Trouble, empty: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("no link\n" * 1_000_000)
    visit(page, empty)
    page.context.new_cdp_session(page).send("Network.enable")
    slow = {"offline": False, "latency": 10, "downloadThroughput": -1, "uploadThroughput": 500_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    drag(page, *sorted(tmp_path.glob("*.txt")))
    expect(page.get_by_role("heading", name="Copying 3 files")).to_be_visible()
    expect(page.get_by_role("progressbar", name="0.txt")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Nothing was added.")).to_be_visible()
    assert page.request.get(f"{empty}/page/add").json()["busy"] is False
    forgive_refusals(trouble)


@contextlib.contextmanager
def server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "app.py", "--data", str(folder / "data"), "--indexes", str(folder / "indexes")]
    process = subprocess.Popen([*command, "--port", str(port)], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).close()
                break
            time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait(30)


@pytest.mark.heavy
def test_a_copy_goes_on_after_the_server_was_killed(page: Page, trouble: Trouble, tmp_path: Path) -> None:
    port, files = free_port(), tmp_path / "files"
    files.mkdir()
    (files / "a.json").write_text(json.dumps(RECORDS[:1]))
    (files / "b.txt").write_text("no link\n" * 2_000_000)
    (files / "c.json").write_text(json.dumps(RECORDS[1:]))
    with server(tmp_path, port) as first:
        visit(page, f"http://127.0.0.1:{port}")
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        fast = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        session.send("Network.emulateNetworkConditions", fast | {"uploadThroughput": 2_000_000})
        drag(page, *sorted(files.iterdir()))
        expect(page.get_by_role("progressbar", name="b.txt")).to_be_visible()
        first.send_signal(signal.SIGKILL)
        expect(page.get_by_role("heading", name="The copy was interrupted")).to_be_visible()
    session.send("Network.emulateNetworkConditions", fast)
    with server(tmp_path, port):
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("2 of 2 videos can be found")).to_be_visible(timeout=JOB_MS)
        assert not list((tmp_path / "data" / "uploads").iterdir()), "the folder of the upload is gone"
    trouble.errors.clear()  # requests that failed while there was no server


TWENTY = (
    "7168736099701886213.mp4",
    "kitchen.karla - how it sounds [7168736099701886300].mp4",
    "Download (1).mp4",
    "ssstik.io_1699999999.mp4",
    "Snaptik.app_7168736099701886401.mp4",
    "IMG_4512.mp4",
    "VID-20240303-WA0007.mp4",
    "WhatsApp Video 2024-03-03 at 10.11.12.mp4",
    "e\u0301te\u0301 a\u0300 la plage.mp4",
    "Ünïcode ✨ clip.mp4",
    "FINAL final (2).MP4",
    "tiktok_video.mp4",
    "save_1700000000000.mp4",
    "ScreenRecording_01-02-2024.mp4",
    "クリップ.mp4",
    "my clip 🎬.mp4",
    "x" * 240 + ".mp4",
    "a.b.c.mp4",
    "temp #1.mp4",
    "100%.mp4",
)


@pytest.mark.heavy
@pytest.mark.timeout(1_800)  # reads and transcribes twenty videos
def test_twenty_own_videos_dropped_on_the_page_answer_ten_questions(
    page: Page, trouble: Trouble, serve: Serve, tmp_path: Path
) -> None:
    sample = REPOSITORY / "data" / "sample"
    spoken = [
        query
        for query in json.loads((sample / "queries.json").read_text(encoding="utf-8"))
        if query["remembers"] == "said" and (sample / "videos" / f"{query['target']}.mp4").exists()
    ]
    targets = list(dict.fromkeys(query["target"] for query in spoken))
    others = sorted(path.stem for path in (sample / "videos").glob("*.mp4") if path.stem not in targets)
    folder, ids = tmp_path / "my videos", {}
    folder.mkdir()
    for name, video in zip(TWENTY, [*targets, *others][: len(TWENTY)], strict=True):
        own = Path(shutil.copy(sample / "videos" / f"{video}.mp4", folder / name))
        known = re.search(r"(?<!\d)\d{19}(?!\d)", name)
        ids[video] = known[0] if known else local_id(hashlib.sha256(own.read_bytes()).hexdigest())
    address = serve(tmp_path / "data", tmp_path / "indexes")
    visit(page, address)
    drag(page, *sorted(folder.iterdir()))
    expect(page.get_by_text("20 of 20 videos can be found")).to_be_visible(timeout=1_500_000)
    page.keyboard.press("Escape")
    first = []
    for query in spoken:
        hits = api(address, query["text"], k=1)["hits"]
        first.append(bool(hits) and hits[0]["id"] == ids[query["target"]])
        print("first" if first[-1] else "not first", query["text"])
    assert sum(first) >= 10
    ask(page, spoken[0]["text"])
    expect(card(page, ids[spoken[0]["target"]])).to_be_visible()
    forgive_refusals(trouble)
