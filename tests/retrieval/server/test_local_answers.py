"""`tiktok-retrieval search` asks the server that runs with the same folders, and answers the same without it."""

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import CHALLENGE, WELCOME, Listener  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

import app
from ingest.settings import load_settings
from retrieval.commands.ask_server import ALIVE_S, SLOW, ask_server
from retrieval.index.layout import CURRENT
from retrieval.search.answer import Answer
from retrieval.server.api import create_app
from retrieval.server.local_address import FAMILY, LocalAddress, address_file, program_version, write_address
from retrieval.server.shell_question import ShellQuestion
from tests.command_line import environment
from tests.tiny_corpus import KETTLE

Folders = tuple[Path, Path]
OPTIONS = (
    ("kettle",),
    ("kettle", "-k", "2", "--mode", "keyword", "-w", "comments=0"),
    ("kettle loaf -dog", "--sort", "newest", "--json"),
    ("by:@tea.physics", "--offset", "0", "--json"),
    ("ketttle", "--exact", "--json"),
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_MODELS", str(address_file(tmp_path, tmp_path).parent.parent / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def server(folders: Folders) -> Iterator[TestClient]:
    with TestClient(create_app(*folders, local_answers=True)) as client:
        client.get("/api/search", params={"q": "warm"})
        yield client


def search(folders: Folders, *arguments: str) -> Result:
    return CliRunner().invoke(app.cli, ["search", *arguments, "--data", str(folders[0]), "--indexes", str(folders[1])])


def ask(folders: Folders, word: str) -> Answer | None:
    question = ShellQuestion(
        query=word, k=3, offset=0, mode="hybrid", weights={}, method="zscore", filters={}, sort="relevance", exact=False
    )
    return ask_server(question, load_settings(data=folders[0], indexes=folders[1]))


def answered(client: TestClient) -> int:
    found = re.search(r"^\S*search\S*_count\S* (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


def without_times(shown: str) -> Any:
    return {**json.loads(shown), "timings_ms": {}} if shown.startswith("{") else shown


def test_the_answer_of_a_server_is_printed_as_that_of_the_command(server: TestClient, folders: Folders) -> None:
    before = answered(server)
    asked = [search(folders, *arguments) for arguments in OPTIONS]
    assert answered(server) == before + len(OPTIONS)
    alone = [search(folders, *arguments, "--no-server") for arguments in OPTIONS]
    assert answered(server) == before + len(OPTIONS)
    for one, other in zip(asked, alone, strict=True):
        assert (one.exit_code, without_times(one.stdout)) == (0, without_times(other.stdout))
        assert one.stderr == other.stderr == ""


def test_a_removed_video_is_in_no_answer(server: TestClient, folders: Folders) -> None:
    assert KETTLE in search(folders, "kettle", "--json").stdout
    assert server.delete(f"/api/videos/{KETTLE}").is_success
    before = answered(server)
    assert KETTLE not in search(folders, "kettle", "--json").stdout
    assert answered(server) == before + 1


def test_only_the_user_can_read_the_address_and_it_goes_with_the_server(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = address_file(*folders)
    with tempfile.TemporaryDirectory() as folder, monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", folder)
        with TestClient(create_app(*folders, local_answers=True)):
            for made in Path(folder).iterdir():
                assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert not list(Path(folder).iterdir())
    with TestClient(create_app(*folders, local_answers=True)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists()
    with TestClient(create_app(*folders)):
        assert not file.exists()


def test_the_server_of_other_folders_is_not_asked(server: TestClient, folders: Folders, tmp_path: Path) -> None:
    before = answered(server)
    assert search((tmp_path / "elsewhere", folders[1]), "kettle").exit_code == 0
    assert search((folders[0], tmp_path / "elsewhere"), "kettle").exit_code == 1
    assert answered(server) == before


def test_the_address_of_a_killed_server_is_no_obstacle(folders: Folders) -> None:
    with TestClient(create_app(*folders, local_answers=True)):
        left = address_file(*folders).read_text(encoding="utf-8")
    address_file(*folders).write_text(left, encoding="utf-8")
    found = search(folders, "kettle")
    assert (KETTLE in found.stdout, found.stderr) == (True, "")


@pytest.mark.parametrize("content", ["", "{", '{"address": 1}', '{"address": "/nowhere", "key": "x", "program": ""}'])
def test_a_damaged_address_is_no_obstacle(folders: Folders, content: str) -> None:
    address_file(*folders).parent.mkdir(parents=True)
    address_file(*folders).write_text(content, encoding="utf-8")
    assert search(folders, "kettle").exit_code == 0


def test_another_program_at_the_address_is_not_believed(folders: Folders) -> None:
    with TestClient(create_app(*folders, local_answers=True)):
        right = LocalAddress.model_validate_json(address_file(*folders).read_bytes())
        write_address(address_file(*folders), right.model_copy(update={"key": "00" * 32}))
        found = search(folders, "kettle")
    assert (KETTLE in found.stdout, found.stderr) == (True, "")


def test_a_program_that_says_something_else_is_not_believed(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    with Listener(None, FAMILY) as other:

        def talk() -> None:
            with other.accept() as client:
                client.send_bytes(b"HTTP/1.1 400 Bad Request")

        threading.Thread(target=talk, daemon=True).start()
        address = LocalAddress(address=str(other.address), key="00" * 32, program=program_version())
        write_address(address_file(*folders), address)
        found = search(folders, "kettle")
    assert (KETTLE in found.stdout, found.stderr, failed) == (True, "", [])


def test_two_commands_do_not_prove_the_key_to_each_other(folders: Folders) -> None:
    """A program that has taken the address of a killed server sends the challenge of one command to another one."""
    asked: list[bytes] = []
    with Listener(None, FAMILY) as hostile:

        def relay() -> None:
            with contextlib.suppress(EOFError, OSError), hostile.accept() as first, hostile.accept() as second:
                first.send_bytes(CHALLENGE + b"0" * 20)
                first.recv_bytes()
                first.send_bytes(WELCOME)
                second.send_bytes(first.recv_bytes())
                first.send_bytes(second.recv_bytes())
                first.recv_bytes()
                first.send_bytes(WELCOME)
                asked.append(first.recv_bytes())

        relaying = threading.Thread(target=relay, daemon=True)
        relaying.start()
        address = LocalAddress(address=str(hostile.address), key="00" * 32, program=program_version())
        write_address(address_file(*folders), address)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda word: ask(folders, word), ["kettle", "loaf"]))
        relaying.join(10)
    assert (answers, asked) == ([None, None], [])


@pytest.mark.skipif(os.name != "posix", reason="files of Windows have no user ids")
def test_an_address_that_another_user_wrote_is_not_used(
    server: TestClient, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.geteuid()
    before = answered(server)
    assert ask(folders, "kettle") is not None
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert ask(folders, "kettle") is None
    assert answered(server) == before + 1


def test_a_server_that_does_not_answer_is_waited_for_a_second(folders: Folders) -> None:
    with Listener(None, FAMILY) as silent:  # nothing accepts: a process that was stopped
        address = LocalAddress(address=str(silent.address), key="00" * 32, program=program_version())
        write_address(address_file(*folders), address)
        began = time.perf_counter()
        alone = search(folders, "kettle", "--no-server")
        between = time.perf_counter()
        found = search(folders, "kettle")
        waited = time.perf_counter() - between - (between - began)
    assert (found.stdout, found.stderr) == (alone.stdout, f"{SLOW}\n")
    assert waited < ALIVE_S + 5


def test_a_server_that_answers_from_an_older_generation_is_not_asked(server: TestClient, folders: Folders) -> None:
    (folders[1] / CURRENT).write_text("20200101T000000Z-0000\n", encoding="utf-8")
    assert server.get("/api/search", params={"q": "kettle"}).is_success
    found, alone = search(folders, "kettle"), search(folders, "kettle", "--no-server")
    assert (found.exit_code, found.stderr) == (alone.exit_code, alone.stderr)
    assert found.exit_code == 1


def test_many_commands_at_once_each_get_their_answer(server: TestClient, folders: Folders) -> None:
    def right(word: str) -> bool:
        found = ask(folders, word)
        return found is None or found.query == word  # None: it searches by itself

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(right, ["kettle", "sourdough", "railway", "sock"] * 10))


def test_a_search_without_a_server_does_not_load_torch(folders: Folders) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
import app
found = CliRunner().invoke(app.cli, ["search", "ketttle", "--data", {str(folders[0])!r}, "--indexes", {str(folders[1])!r}])
assert found.exit_code == 0, found.output
loaded = {{"torch", "transformers", "sentence_transformers", "sklearn", "pandas", "fastapi", "gradio"}} & set(sys.modules)
assert not loaded, loaded
"""  # noqa: E501
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
