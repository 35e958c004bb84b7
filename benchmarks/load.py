"""A running server asked by many at once: answers a second, median and 95th percentile, and what failed.

python benchmarks/load.py --queries queries.json --server http://127.0.0.1:7860 --users 50 --seconds 60

With `--meanwhile COMMAND --times 10` the command (a build, say, which publishes a new generation) runs ten times, one
after the other, and the users ask until it has, or for `--seconds` where that is longer.
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
class Seen:
    """What came back: (status, seconds) of each request, and how many answers each generation gave."""

    requests: list[tuple[str, float]] = field(default_factory=list)
    generations: Counter[str] = field(default_factory=Counter)


async def user(client: httpx.AsyncClient, texts: list[str], first: int, done: asyncio.Event, seen: Seen) -> None:
    """Ask one question after the other without a pause until `done`."""
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


async def over_and_over(command: str, times: int) -> list[float]:
    """Run `command` that often, one after the other; the seconds each took. A failed one is an error."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        running = await asyncio.create_subprocess_exec(*shlex.split(command), stdout=asyncio.subprocess.DEVNULL)
        if await running.wait():
            raise SystemExit(f"{command} ended with {running.returncode}")
        taken.append(round(time.perf_counter() - began, 1))
    return taken


async def load(server: str, texts: list[str], users: int, seconds: float, command: str, times: int) -> dict[str, Any]:
    """What `users` who ask all the time for `seconds`, or until `command` has run `times`, are answered."""
    seen, done = Seen(), asyncio.Event()
    limits = httpx.Limits(max_connections=users)
    async with httpx.AsyncClient(base_url=server, timeout=60, limits=limits) as client:
        (await client.get("/api/search", params={"q": texts[0]})).raise_for_status()
        began = time.perf_counter()
        asking = [asyncio.create_task(user(client, texts, n * 7, done, seen)) for n in range(users)]
        taken, _ = await asyncio.gather(over_and_over(command, times), asyncio.sleep(seconds))
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
    server: Annotated[str, typer.Option(help="Where `python app.py` runs.")] = "http://127.0.0.1:7860",
    users: Annotated[int, typer.Option(help="How many ask at once.")] = 50,
    seconds: Annotated[float, typer.Option(help="How long.")] = 60.0,
    meanwhile: Annotated[str, typer.Option(help="A command to run beside it.")] = "",
    times: Annotated[int, typer.Option(help="How often to run that command.", min=1)] = 1,
) -> None:
    """Ask a running server by many users at once."""
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))]
    typer.echo(
        json.dumps(asyncio.run(load(server, texts, users, seconds, meanwhile, times if meanwhile else 0)), indent=1)
    )


if __name__ == "__main__":
    typer.run(main)
