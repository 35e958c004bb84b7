"""Faults of the disk and of clients while a corpus is served: a full disk, a read-only disk, half-open connections."""

import contextlib
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.flips import Corpus
from tests.faults.half_open import CONNECTIONS, HALF_HEADERS, OPEN_FILES, hold
from tests.faults.trial import Trial

ROOM_BYTES = 4 << 20  # that a disk has besides the catalog, before it is filled
ANSWER_S = 1.0  # others are answered within this
MAX_LOG_BYTES = 1 << 20


def full_disk(corpus: Corpus, folder: Path) -> Iterator[Trial]:
    """Fill the disk of the catalog under a running server, and then start a second server on it."""
    what = "searching while the disk is full"
    with disk_with_copy(corpus, folder) as mounted:
        if not mounted:
            print(f"{what}: not tried, no right to mount a file system", file=sys.stderr)
            return
        log = corpus.indexes.parent / "full.log"
        with log.open("wb") as err:
            with corpus.program.served(folder / "data", corpus.indexes, err) as address:
                ask(address, search(corpus.questions[0]))
                fill(folder / "fill")
                yield from reading(what, address, corpus, "full")
                yield writing(address, corpus, ("full", "space", "room"))
            with corpus.program.served(folder / "data", corpus.indexes, err) as address:
                yield from reading(f"{what}, server started then", address, corpus, "full")
        yield no_traceback(what, log)


def read_only(corpus: Corpus, folder: Path) -> Iterator[Trial]:
    """Serve a catalog from a read-only disk, and run the commands that only read."""
    what = "searching on a read-only disk"
    with disk_with_copy(corpus, folder) as mounted:
        if not mounted:
            print(f"{what}: not tried, no right to mount a file system", file=sys.stderr)
            return
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        log = corpus.indexes.parent / "read-only.log"
        with log.open("wb") as err, corpus.program.served(folder / "data", corpus.indexes, err) as address:
            yield from reading(what, address, corpus, "")
            yield writing(address, corpus, ("read-only", "read only", "cannot be written"))
        yield no_traceback(what, log)
        for name in ("status", "generations"):
            done = corpus.program.run(name, "--data", folder / "data", "--indexes", corpus.indexes)
            held = done.code == 0 and not done.traceback
            yield Trial("commands that read, on a read-only disk", held, f"exit code {done.code}", done.last_line)


def half_open(corpus: Corpus, folder: Path) -> Iterator[Trial]:
    """Hold connections that never end their request, and ask from another address."""
    what = f"{CONNECTIONS:,} half-sent requests, {OPEN_FILES:,} open files at most"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "half-open.log"
    with log.open("wb") as err, corpus.program.served(corpus.data, corpus.indexes, err, OPEN_FILES) as address:
        ask(address, search(corpus.questions[0]))
        for seconds in hold(address, HALF_HEADERS, "127.0.0.2").answers_s:
            in_time = seconds is not None and seconds <= ANSWER_S
            yield Trial(f"{what}: others are answered", in_time, "answered" if in_time else "late or not at all")
    size = log.stat().st_size
    yield Trial(f"{what}: the log", size <= MAX_LOG_BYTES, "under 1 MB" if size <= MAX_LOG_BYTES else f"{size:,} bytes")


SERVED: dict[str, Callable[[Corpus, Path], Iterator[Trial]]] = {
    "full": full_disk,
    "read-only": read_only,
    "half-open": half_open,
}


@contextlib.contextmanager
def disk_with_copy(corpus: Corpus, folder: Path) -> Iterator[bool]:
    """Mount a small disk in memory, with a copy of the data folder. Yield whether that was possible."""
    size = sum(path.stat().st_size for path in corpus.data.glob("*.sqlite")) + ROOM_BYTES
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = (
        subprocess.run(command, capture_output=True, check=False).returncode == 0 if shutil.which("mount") else False
    )
    try:
        if mounted:
            shutil.copytree(corpus.data, folder / "data")
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def search(question: str) -> str:
    return f"/api/search?q={urllib.parse.quote(question)}"


def ask(address: str, path: str, body: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def reading(what: str, address: str, corpus: Corpus, cause: str) -> Iterator[Trial]:
    """Ask questions and for the page: all are answered. Health, if it is not well, names the cause."""
    first = [hits[0][0] for hits in json.loads(corpus.answers) if hits]
    for question, video in zip(corpus.questions[:5], first, strict=False):
        status, text = ask(address, search(question))
        yield Trial(what, status == 200 and video in text, f"status {status}", text[:200])
    for path in ("/", f"/api/videos/{first[0]}"):
        status, text = ask(address, path)
        yield Trial(what, status == 200, f"status {status}", text[:200])
    status, text = ask(address, "/api/health")
    advice = "import" not in text and (status == 200 or not cause or cause in text)
    yield Trial(f"{what}: health", advice, "right" if advice else "advises to import, or hides the cause", text[:300])


def writing(address: str, corpus: Corpus, causes: tuple[str, ...]) -> Trial:
    """Save a judgement, which has to be refused with the cause."""
    video = json.loads(corpus.answers)[0][0][0]
    status, text = ask(address, "/api/judgements", {"query": "a question " * 80, "video_id": video})
    right = status >= 500 and any(cause in text.lower() for cause in causes)
    return Trial("a judgement that cannot be saved is refused with the cause", right, f"status {status}", text[:300])


def no_traceback(what: str, log: Path) -> Trial:
    clean = "Traceback" not in log.read_text(errors="replace")
    return Trial(f"{what}: the log", clean, "no traceback" if clean else "traceback")
