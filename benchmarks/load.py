"""A running server asked by many at once: answers a second, median and 95th percentile, and what failed.

python benchmarks/load.py --queries queries.json --server http://127.0.0.1:7860 --users 50 --seconds 60
"""

import asyncio
import json
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer


async def user(
    client: httpx.AsyncClient, texts: list[str], first: int, until: float, seen: list[tuple[str, float]]
) -> None:
    """Ask one question after the other without a pause; `seen` gets (status, seconds) of each."""
    number = first
    while time.perf_counter() < until:
        began = time.perf_counter()
        try:
            answer = await client.get("/api/search", params={"q": texts[number % len(texts)]})
            status = str(answer.status_code)
        except httpx.HTTPError as error:
            status = type(error).__name__
        seen.append((status, time.perf_counter() - began))
        number += 1


async def load(server: str, texts: list[str], users: int, seconds: float) -> dict[str, Any]:
    """What `users` who ask all the time for `seconds` are answered."""
    seen: list[tuple[str, float]] = []
    limits = httpx.Limits(max_connections=users)
    async with httpx.AsyncClient(base_url=server, timeout=60, limits=limits) as client:
        (await client.get("/api/search", params={"q": texts[0]})).raise_for_status()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(user(client, texts, n * 7, until, seen) for n in range(users)))
    times = [taken for status, taken in seen if status == "200"]
    return {
        "users": users,
        "seconds": seconds,
        "answered": len(times),
        "per_second": round(len(times) / seconds, 1),
        "median_ms": round(statistics.median(times) * 1000, 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1] * 1000, 1),
        "by_status": dict(Counter(status for status, _ in seen)),
    }


def main(
    queries: Annotated[Path, typer.Option(help="Questions to ask in turn: a JSON list of {text}.")],
    server: Annotated[str, typer.Option(help="Where `python app.py` runs.")] = "http://127.0.0.1:7860",
    users: Annotated[int, typer.Option(help="How many ask at once.")] = 50,
    seconds: Annotated[float, typer.Option(help="How long.")] = 60.0,
) -> None:
    """Ask a running server by many users at once."""
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))]
    typer.echo(json.dumps(asyncio.run(load(server, texts, users, seconds)), indent=1))


if __name__ == "__main__":
    typer.run(main)
