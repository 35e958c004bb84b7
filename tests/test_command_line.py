"""The command `tiktok-retrieval`: help, exit codes, pipes and encodings, the same for all its commands."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import typer
from filelock import FileLock
from typer.testing import CliRunner

import app
from ingest.catalog import Catalog
from ingest.catalog.entries import Text
from ingest.commands.errors import known_errors
from ingest.commands.group import heed_ctrl_c
from scraper.records import Video
from tests.command_line import ENTRY_POINT, REPOSITORY, environment, run

COMMANDS = dict(typer.main.get_command(app.cli).commands)  # type: ignore[attr-defined]
FOREIGN = "回転寿司 🍣 été ضحك 👩\u200d🍳 می\u200cخندد"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Catalog(tmp_path / "data", create=True) as catalog:
        for video_id in ("10001", "10002"):
            catalog.put_video(Video(id=video_id, description=FOREIGN))
            catalog.fail(video_id, "transcribe", f"no sound in {FOREIGN}", Text(None, "whisper"))
    return tmp_path / "data"


class Stubborn:
    def __del__(self) -> None:
        raise KeyboardInterrupt  # as if a person pressed the keys right now


def test_ctrl_c_is_heeded_in_a_destructor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", heed_ctrl_c)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Stubborn()
        time.sleep(30)
    assert time.monotonic() - began < 20


# -- help ---------------------------------------------------------------------------------------------------------


def test_all_commands_are_there() -> None:
    assert next(iter(COMMANDS)) == "add", "the help begins with what a new user needs"
    filling = {"add", "import", "download", "ocr", "transcribe", "run", "status", "retry", "edit"}
    searching = {"build", "search", "generations", "rollback", "prune", "evaluate", "compare", "tune", "promote"}
    assert {*filling, *searching, "serve"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_examples_and_both_folders(name: str) -> None:
    command = COMMANDS[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--data", "--indexes"} <= options or name == "plan"  # which reads no corpus
    assert command.help and f"tiktok-retrieval {name}" in (command.epilog or "")
    unexplained = [p.name for p in command.params if not getattr(p, "help", None) and not getattr(p, "hidden", False)]
    assert unexplained == []


@pytest.mark.parametrize("arguments", [["-h"], *([name, "--help"] for name in ("import", "search", "serve"))], ids=str)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, app\n"
        "try:\n    app.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'faiss', 'gradio', 'fastapi', 'uvicorn', 'numpy',"
        " 'scipy', 'av', 'PIL', 'tqdm', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = run(*arguments, program=[sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: tiktok-retrieval")
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_and_completion() -> None:
    assert run("--version").stdout.startswith("tiktok-retrieval ")
    assert {"--install-completion", "--show-completion"} <= set(run("--help").stdout.split())
    script = run(env={"_TIKTOK_RETRIEVAL_COMPLETE": "source_bash"}).stdout  # what these options install and show
    assert "_TIKTOK_RETRIEVAL_COMPLETE" in script
    words = {"COMP_WORDS": "tiktok-retrieval sea", "COMP_CWORD": "1"}
    assert run(env={"_TIKTOK_RETRIEVAL_COMPLETE": "complete_bash", **words}).stdout.split() == ["search"]


@pytest.mark.parametrize(
    ("program", "arguments", "usage"),
    [
        (["-m", "ingest"], ["-h"], "Usage: python -m ingest [OPTIONS] COMMAND"),
        (["-m", "ingest"], ["status", "-h"], "Usage: python -m ingest status"),
        (["-m", "retrieval"], ["-h"], "Usage: python -m retrieval [OPTIONS] COMMAND"),
        (["app.py"], ["-h"], "Usage: python app.py [OPTIONS]"),
    ],
)
def test_the_former_spellings_still_work(program: list[str], arguments: list[str], usage: str) -> None:
    done = run(*arguments, program=[sys.executable, *program])
    assert done.returncode == 0 and done.stdout.startswith(usage)


def test_the_main_help_names_exit_codes_and_default_folders() -> None:
    shown = run("--help", env={"XDG_DATA_HOME": "/somewhere"}).stdout
    assert all(f"\n    {code} " in shown for code in (0, 1, 2, 3, 130, 141))
    assert "/somewhere/tiktok-retrieval/data and /somewhere/tiktok-retrieval/indexes" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_written_for_people(name: str) -> None:
    shown = CliRunner().invoke(app.cli, [name, "-h"]).output
    assert shown.startswith("Usage: ")
    assert not re.search(r"[<>{][A-Za-z_]|default: \(|list\[|\b(str|int|Path)\b|[0-9x]<=", shown), shown


def test_help_shows_limits_and_defaults_in_words() -> None:
    shown = " ".join(CliRunner().invoke(app.cli, ["ocr", "-h"]).output.split())
    assert "[default: 8; 0 to 100]" in shown and "[default: one per core; at least 1]" in shown
    assert "--progress auto|json|off" in shown
    assert "  SOURCE...  " in CliRunner().invoke(app.cli, ["import", "-h"]).output


# -- exit codes ---------------------------------------------------------------------------------------------------


def test_success_is_0(data: Path) -> None:
    assert run("status", "--data", data).returncode == 0


@pytest.mark.parametrize("command", ["status", "search x", "serve", "build", "import x", "generations"])
@pytest.mark.parametrize("name", ["FRAMES", "PORT"])
def test_a_bad_environment_variable_is_one_line_and_exit_code_2(command: str, name: str) -> None:
    done = run(*command.split(), env={f"TIKTOK_RETRIEVAL_{name}": "abc"})
    assert done.returncode == 2 and done.stdout == ""
    assert f"TIKTOK_RETRIEVAL_{name} in the environment" in done.stderr and "'abc'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("statis", "Did you mean 'status'"),
        ("status --nowhere", "No such option: --nowhere"),
        ("ocr --frames 101", "--frames"),
        ("ocr --ocr-engine eyes", "eyes"),
        ("retry --stage build", "build"),
        ("run --report no/such/folder.json", "there is no folder"),
        ("search x --mode both", "both"),
        ("search x -w speach=1", "speach"),
        ("evaluate", "--queries"),
        ("evaluate --queries q.json --encoder x", "--encoder"),
        ("compare bm25", "--queries"),
        ("compare --queries q.json", "MODEL"),
        ("promote bm25", "--mode keyword"),
        ("serve --user me", "--password"),
        ("serve --host 0.0.0.0", "--allow-anyone"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: str, message: str) -> None:
    done = run(*arguments.split(" "))
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr and "Traceback" not in done.stderr


def test_an_interrupted_command_is_exit_code_130() -> None:
    command = [*ENTRY_POINT, "tune", "--queries", "/dev/stdin"]
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell makes background processes ignore it
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=listen,
    )
    assert process.stdin
    process.stdin.write(b" " * 1_000_000)  # more than a pipe holds: when this returns, the command reads
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode().splitlines() == ["Stopped."]


@pytest.mark.parametrize(
    ("command", "resumes"), [("ocr", True), ("compare", True), ("search", False), ("serve", False)]
)
def test_an_interrupted_command_says_whether_it_resumes(
    command: str, resumes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as end, known_errors(resumes=COMMANDS[command].resumes):
        raise KeyboardInterrupt
    assert end.value.exit_code == 130
    assert capsys.readouterr().err.startswith("Stopped.")
    assert COMMANDS[command].resumes == resumes


@pytest.mark.parametrize(
    ("lock", "command"),
    [("data/.ocr.lock", "ocr"), ("indexes/.build.lock", "prune"), ("indexes/.build.lock", "rollback")],
)
def test_a_lock_that_another_process_holds_is_exit_code_3(data: Path, lock: str, command: str) -> None:
    (data.parent / "indexes").mkdir()
    with FileLock(data.parent / lock):
        done = run(command, "--data", data, "--indexes", data.parent / "indexes")
    assert done.returncode == 3
    assert "nother" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_database_that_another_process_writes_is_exit_code_3(data: Path) -> None:
    db = sqlite3.connect(data / "catalog.sqlite", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    script = "import app, ingest.catalog.database as d; d.BUSY_TIMEOUT_S = 0.1\n"
    script += "d.Database.__init__.__kwdefaults__['busy_s'] = 0.1\n"
    script += "from ingest.catalog.store import Catalog; Catalog.__init__.__kwdefaults__['busy_s'] = 0.1\n"
    script += "app.main()"
    done = run("retry", "--data", data, program=[sys.executable, "-c", script])
    db.execute("ROLLBACK")
    db.close()
    assert done.returncode == 3, done.stderr
    assert "nother process is writing" in done.stderr and len(done.stderr.splitlines()) == 1


# -- pipes and encodings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", ["status --failures", "status --json", "--help", "status -h", "--version", "compare --list"]
)
def test_a_closed_pipe_is_exit_code_141_without_a_message(data: Path, arguments: str) -> None:
    folder = ["--data", str(data)] if arguments.startswith("status --") else []
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*ENTRY_POINT, *arguments.split(), *folder],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(),
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="starts a shell")
@pytest.mark.parametrize("arguments", ["status", "status --json", "--help"])
def test_a_command_works_without_stdout(data: Path, arguments: str) -> None:
    folder = ["--data", str(data)] if arguments.startswith("status") else []
    done = run(*ENTRY_POINT, *arguments.split(), *folder, program=["sh", "-c", '"$@" >&-', "sh"])
    assert done.returncode == 0 and done.stderr == ""


def test_a_full_disk_is_one_line_and_exit_code_1(data: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*ENTRY_POINT, "status", "--data", str(data)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("error: the disk of ")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(params=["iso-8859-1", "cp1252", "gbk", "ascii", "utf-8"])
def encoding(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_a_terminal_that_is_not_utf_8_shows_what_it_can(data: Path, encoding: str) -> None:
    done = run("status", "--failures", "--data", data, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert done.returncode == 0 and done.stderr == ""
    shown = f"no sound in {FOREIGN}".encode(encoding, "replace").decode(encoding)
    assert shown in done.stdout


def test_json_is_complete_in_every_encoding(data: Path, encoding: str) -> None:
    done = run("status", "--failures", "--json", "--data", data, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    answer = json.loads(done.stdout)
    assert answer["failures"][0]["error"] == f"no sound in {FOREIGN}"
    assert (FOREIGN in done.stdout) == (encoding == "utf-8")
