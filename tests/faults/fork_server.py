"""A process that has imported the program, and forks for each request: a command then starts in milliseconds.

`ForkServer` starts this file as that process. Requests and outcomes are lines of JSON. PYTHONPATH names the code that
is tested, which may be older than this file: it uses only what both have.
"""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIGHT = ("app", "faiss", "ingest.catalog", "ingest.media")
HEAVY = ("sentence_transformers", "torch", "retrieval.corpus.build", "retrieval.search.searcher")
ENCODING = ("build", "run")  # commands that load the heavy ones
LIMIT_S = 600.0


class ForkServer:
    """The process, as seen from the tests. Close it."""

    def __init__(self, code: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            cwd=code,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._answer()

    def request(self, **request: Any) -> dict[str, Any]:
        """Carry out a request in a fork. Return its exit code, what it printed, and what it printed for errors.

        A fork that takes longer than `limit_s` is killed: its code is negative then. After `ctrl_c_s`, it and the
        processes that it started get Ctrl-C.
        """
        assert self._process.stdin
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))


def main() -> None:
    """Answer requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    load(LIGHT)
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("command", ENCODING)[0] in ENCODING:
            load(HEAVY)
        print(json.dumps(in_child(request)), file=replies, flush=True)


def load(names: Sequence[str]) -> None:
    """Import modules, for all forks that follow."""
    for name in names:
        importlib.import_module(name)


def in_child(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out a request in a child process, as if it were a process of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setsid()
                signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
                for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())):
                    os.dup2(handle, number)
                code = carry_out(request)
            finally:
                os._exit(code)
        code = ended(child, request.get("limit_s", LIMIT_S), request.get("ctrl_c_s", math.inf))
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return {"code": code, "out": texts[0], "err": texts[1]}


def ended(child: int, limit_s: float, ctrl_c_s: float = math.inf) -> int:
    """Wait for a process, or kill it with those that it started. Return its exit code."""
    started = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        waited_s = time.monotonic() - started
        if waited_s > ctrl_c_s:
            os.killpg(child, signal.SIGINT)
            ctrl_c_s = math.inf
        if waited_s > limit_s:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -int(signal.SIGKILL)
        time.sleep(0.002)


def carry_out(request: dict[str, Any]) -> int:
    """Run a command of the program, or ask an index questions. Return the exit code."""
    try:
        if "ask" in request:
            print(json.dumps(answers(Path(request["ask"]), request["queries"])))
            return 0
        if "transcripts" in request:
            put_transcripts(Path(request["data"]), request["transcripts"])
            return 0
        import app

        sys.argv = ["tiktok-retrieval", *request["command"]]
        app.main()
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program has ended; what follows belongs to the test
        sys.stdout.flush()
        sys.stderr.flush()


def answers(indexes: Path, queries: list[str]) -> list[list[tuple[Any, ...]]]:
    """Return the ids, rounded scores and passages of the first ten hits of each question."""
    from retrieval.search.searcher import Searcher

    searcher = Searcher.open(indexes)
    return [
        [(hit.id, round(hit.score, 3), [reason.passage for reason in hit.explanation[:3]]) for hit in answer.hits]
        for answer in (searcher.search(query, k=10) for query in queries)
    ]


def put_transcripts(data: Path, transcripts: dict[str, str]) -> None:
    """Store transcripts by the id of their video, and a judgement of each, as if Whisper and a person had made them."""
    from ingest.catalog import Catalog
    from ingest.catalog.entries import Segment, Text

    with Catalog(data) as catalog:
        for video_id, said in transcripts.items():
            parts = said.split(". ")
            segments = [Segment(2.0 * n, 2.0 * n + 2, part) for n, part in enumerate(parts)]
            catalog.put_text(video_id, "transcript", Text(said, "whisper", "1", "tiny", "en", segments=segments))
            catalog.judgements.add(parts[0], video_id)


if __name__ == "__main__":
    main()
