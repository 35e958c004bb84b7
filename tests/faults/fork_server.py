"""Runs commands in copies of a process that has loaded the libraries. shim.py speaks with it in lines of JSON."""

import json
import os
import signal
import sys
import time

import faiss
import numpy
import sentence_transformers
import torch

import app
import ingest.catalog
import ingest.media
import retrieval.corpus.build
import retrieval.embedding.encoder
import retrieval.index.builder

LOADED = (app, faiss, numpy, torch, ingest, retrieval, sentence_transformers)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            _work(job)
        print(_ended(child, job["timeout_s"]), flush=True)


def _work(job: dict[str, object]) -> None:
    """Run a command as the process of its own that it would be, and end."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out, err = (os.open(str(job[name]), os.O_CREAT | os.O_WRONLY, 0o600) for name in ("out", "err"))
    for number, handle in enumerate((nothing, out, err)):
        os.dup2(handle, number)
    arguments = job["arguments"]
    assert isinstance(arguments, list)
    sys.argv = ["tiktok-retrieval", *arguments]
    code = 0
    try:
        app.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _ended(child: int, timeout_s: float) -> int:
    """Wait for a process. One that takes too long is killed: its code is negative then."""
    deadline = time.monotonic() + timeout_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -int(signal.SIGKILL)
        time.sleep(0.005)


main()
