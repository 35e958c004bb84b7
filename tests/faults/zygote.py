"""A process that has imported the program, and forks for each request: a command then starts in milliseconds.

It reads requests as JSON lines from stdin and writes outcomes as JSON lines to stdout. It is run as a file, with
PYTHONPATH naming the code that is tested, which may be older than this file: it uses only what both have.
"""

import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

HEAVY = ("app", "torch", "faiss", "sentence_transformers", "retrieval.search.searcher", "retrieval.corpus.build")


def main() -> None:
    """Answer requests until stdin ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for name in HEAVY:
        importlib.import_module(name)
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(in_child(json.loads(line))), file=replies, flush=True)


def in_child(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out a request in a child process. Return its exit code, its output, and what it prints for errors."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os._exit(carry_out(request))
        status = os.waitpid(child, 0)[1]
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


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
