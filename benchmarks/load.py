"""Load on a running server: answers per second, median and 95th percentile, and failures.

python benchmarks/load.py --queries queries.json --server http://127.0.0.1:7860 --users 50 --seconds 60

Each question is asked once before. With `--meanwhile COMMAND --times 10` the command (such as a build, which publishes
a new generation) runs ten times in a row. The users search until it has finished, but at least for `--seconds`.
"""

import asyncio
import json
import shlex
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer


@dataclass
class Responses:
    """The responses: (status, seconds) of each request, and the number of answers by generation."""

    requests: list[tuple[str, float]] = field(default_factory=list)
    generations: Counter[str] = field(default_factory=Counter)


async def user(client: httpx.AsyncClient, texts: list[str], first: int, done: asyncio.Event, seen: Responses) -> None:
    """Send one question after the other without a pause until `done`."""
    number = first
    while not done.is_set():
        began = time.perf_counter()
        try:
            answer = await client.get("/api/search", params={"q": texts[number % len(texts)]})
            status = str(answer.status_code)
            if answer.is_success:
                seen.generations[answer.json()["generation"]] += 1
        except httpx.HTTPError as error:
            status = type(error).__name__
        seen.requests.append((status, time.perf_counter() - began))
        number += 1


async def run_repeatedly(command: str, times: int) -> list[float]:
    """Run `command` several times in a row, and return the seconds of each run. A failure is an error."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        running = await asyncio.create_subprocess_exec(*shlex.split(command), stdout=asyncio.subprocess.DEVNULL)
        if await running.wait():
            raise SystemExit(f"{command} ended with {running.returncode}")
        taken.append(round(time.perf_counter() - began, 1))
    return taken


async def load(server: str, texts: list[str], users: int, seconds: float, command: str, times: int) -> dict[str, Any]:
    """Return the figures of `users` who search without a pause for `seconds`, or until all runs of `command` end."""
    seen, done = Responses(), asyncio.Event()
    limits = httpx.Limits(max_connections=users)
    async with httpx.AsyncClient(base_url=server, timeout=60, limits=limits) as client:
        for text in texts:  # once: a server that has just started loads and reads much at its first questions
            (await client.get("/api/search", params={"q": text})).raise_for_status()
        began = time.perf_counter()
        asking = [asyncio.create_task(user(client, texts, n * 7, done, seen)) for n in range(users)]
        taken, _ = await asyncio.gather(run_repeatedly(command, times), asyncio.sleep(seconds))
        done.set()
        await asyncio.gather(*asking)
        lasted = time.perf_counter() - began
    answered = [taken for status, taken in seen.requests if status == "200"]
    return {
        "users": users,
        "seconds": round(lasted, 1),
        "answered": len(answered),
        "per_second": round(len(answered) / lasted, 1),
        "median_ms": round(statistics.median(answered) * 1000, 1),
        "p95_ms": round(statistics.quantiles(answered, n=20)[-1] * 1000, 1),
        "by_status": dict(Counter(status for status, _ in seen.requests)),
        "generations": len(seen.generations),
        "meanwhile_seconds": taken,
    }


def main(
    queries: Annotated[Path, typer.Option(help="Questions to ask in turn: a JSON list of {text}.")],
    server: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:7860",
    users: Annotated[int, typer.Option(help="Number of users at the same time.")] = 50,
    seconds: Annotated[float, typer.Option(help="Duration.")] = 60.0,
    meanwhile: Annotated[str, typer.Option(help="A command to run at the same time.")] = "",
    times: Annotated[int, typer.Option(help="Number of runs of that command.", min=1)] = 1,
) -> None:
    """Send searches of many users to a running server."""
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))]
    typer.echo(
        json.dumps(asyncio.run(load(server, texts, users, seconds, meanwhile, times if meanwhile else 0)), indent=1)
    )


if __name__ == "__main__":
    typer.run(main)
