"""The page on its API, served: `python app.py`. Run `python app.py --help`."""

import json
import logging
import os
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from retrieval.server.auth import Access

MAX_EXAMPLES = 6
LOCAL, PORT = "127.0.0.1", 7860


def create(
    data: Path,
    indexes: Path,
    examples: Sequence[str] = (),
    access: "Access | None" = None,
    origins: Sequence[str] = (),
) -> "FastAPI":
    """The API with the page mounted on it."""
    from page.mount import mount
    from retrieval.server.api import create_app

    return mount(create_app(data, indexes, access, origins), data, indexes, examples)


def read_examples(file: Path) -> list[str]:
    """The first questions of a list of {"text": ...}.

    Raises:
        typer.BadParameter: the file is no such list.
    """
    try:
        return [str(query["text"]) for query in json.loads(file.read_text(encoding="utf-8"))[:MAX_EXAMPLES]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(f'{file} is no list of {{"text": ...}}: {error!r}') from error


cli = typer.Typer(add_completion=False, rich_markup_mode=None)
_settings = Settings()


@cli.command(epilog="Example: python app.py --data data --indexes indexes --port 8000")
def main(
    data: Annotated[Path, typer.Option(help="Folder of the catalogue and its media.")] = _settings.data,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own opens it up.")] = LOCAL,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    examples: Annotated[
        Path | None,
        typer.Option(help='Example questions, a JSON list of {"text": ...}; else examples.json in the data folder.'),
    ] = None,
    token: Annotated[str, typer.Option(help="Asked of everybody: a Bearer token, or the password of any user.")] = "",
    user: Annotated[str, typer.Option(help="Asked of everybody, with --password.")] = "",
    password: Annotated[str, typer.Option(help="Asked of everybody, with --user.")] = "",
    allow_anyone: Annotated[bool, typer.Option(help="Listen beyond this machine without a token or password.")] = False,
    cors: Annotated[list[str] | None, typer.Option(help="A site whose pages may ask the API: https://x.org")] = None,
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser, where there is one.")] = False,
) -> None:
    """The search page and its API, for a corpus that `python -m retrieval build` has indexed.

    The page is at http://HOST:PORT/, the API below /api, its description at /openapi.json. Token, user and password are
    better given as TIKTOK_RETRIEVAL_TOKEN, _USER and _PASSWORD: the list of processes shows what stands in a command.
    """
    import uvicorn

    from retrieval.server.auth import LOOPBACK, Access

    if examples is None and (data / "examples.json").is_file():
        examples = data / "examples.json"
    questions = read_examples(examples) if examples else []
    token, user = token or _settings.token, user or _settings.user
    password = password or _settings.password
    if bool(user) != bool(password):
        raise typer.BadParameter("--user and --password go together")
    here = host in LOOPBACK
    access = Access(token, user, password, hosts=LOOPBACK if here else ())
    if not here and not access.guarded:
        if not allow_anyone:
            raise typer.BadParameter(
                f"everybody who can reach {host} could read this corpus: give --token or --user and --password, or say"
                " --allow-anyone"
            )
        typer.echo(f"Warning: everybody who can reach {host}:{port} can read this corpus.", err=True)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    app = create(data, indexes, questions, access, cors or ())
    typer.echo(f"The page: http://{f'[{host}]' if ':' in host else host}:{port}/")
    if show and (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        threading.Timer(2.0, webbrowser.open, [f"http://{LOCAL}:{port}/"]).start()
    uvicorn.run(app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    cli()
