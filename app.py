"""The command `tiktok-retrieval`, with `serve`, which opens the page on its API."""

import contextlib
import json
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import ingest.__main__
import retrieval.__main__
from ingest.commands.group import PROGRAM, add, make_app, make_command, start
from ingest.commands.options import Data, Indexes
from ingest.settings import default, load_settings
from scraper.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from retrieval.server.auth import Access

MAX_EXAMPLES = 6
BACKLOG = 2048  # connections that wait to be accepted: uvicorn's default


class ServeError(UserError):
    """The page cannot be served."""


def create(
    data: Path,
    indexes: Path,
    examples: Sequence[str] = (),
    access: "Access | None" = None,
    origins: Sequence[str] = (),
) -> "FastAPI":
    """Return the API with the page mounted on it."""
    from page.mount import mount
    from retrieval.server.api import create_app

    return mount(create_app(data, indexes, access, origins), data, indexes, examples)


def read_examples(file: Path) -> list[str]:
    """Return the first questions of a list of {"text": ...}.

    Raises:
        typer.BadParameter: the file is not such a list.
    """
    try:
        return [str(query["text"]) for query in json.loads(file.read_text(encoding="utf-8"))[:MAX_EXAMPLES]]
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="--examples") from error
    except (ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(f'{file} is not a JSON list of {{"text": ...}}', param_hint="--examples") from error


def serve(
    data: Data = None,
    indexes: Indexes = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on. Any address that other machines can reach needs a token or password.",
            metavar="ADDRESS",
            show_default=default("host"),
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port to listen on; 0 takes any free one.", metavar="N", show_default=default("port")
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            help='Example questions, a JSON list of {"text": ...}.',
            metavar="FILE",
            show_default="examples.json in the data folder",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Require this bearer token. It is also the password of any user.", metavar="TEXT"),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Require this user name; needs --password.", metavar="NAME")] = None,
    password: Annotated[str | None, typer.Option(help="Require this password; needs --user.", metavar="TEXT")] = None,
    allow_anyone: Annotated[
        bool, typer.Option("--allow-anyone", help="Listen on other addresses without a token or password.")
    ] = False,
    cors: Annotated[
        list[str] | None,
        typer.Option(help="Site whose pages may use the API, such as https://x.org; repeatable.", metavar="ORIGIN"),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the search page and the API.

    The page is at http://HOST:PORT/, the API below /api, its description at /openapi.json. Prefer the environment
    variables TIKTOK_RETRIEVAL_TOKEN, _USER and _PASSWORD to the options: other users can see the options of a process.
    """
    settings = load_settings(
        data=data, indexes=indexes, host=host, port=port, token=token, user=user, password=password
    )
    if bool(settings.user) != bool(settings.password):
        raise typer.BadParameter("--user and --password go together")
    if examples is None and (settings.data / "examples.json").is_file():
        examples = settings.data / "examples.json"
    questions = read_examples(examples) if examples else []

    from retrieval.server.auth import LOOPBACK, Access

    local = settings.host in LOOPBACK
    access = Access(settings.token, settings.user, settings.password, hosts=LOOPBACK if local else ())
    if not local and not access.guarded:
        if not allow_anyone:
            raise typer.BadParameter(
                f"everybody who can reach {settings.host} could read this corpus: give --token, or --user and"
                " --password, or --allow-anyone"
            )
        print(f"Warning: everybody who can reach {settings.host} can read this corpus.", file=sys.stderr)
    import uvicorn

    with _listening(settings.host, settings.port) as listener:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
        page = create(settings.data, settings.indexes, questions, access, cors or ())
        bound = listener.getsockname()[1]
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"The page: http://{name}:{bound}/", flush=True)
        if show and (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
            address = f"http://{default('host')}:{bound}/"
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        uvicorn.Server(uvicorn.Config(page, log_level="warning")).run(sockets=[listener])


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens already, so that the address that is printed is the program's.

    Raises:
        ServeError: the port is in use, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is empty or too long
        raise ServeError(f"cannot listen on {host}: {getattr(error, 'strerror', None) or 'not a host name'}") from error
    with listener:
        try:
            if os.name == "posix":  # elsewhere it would let two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise ServeError(
                f"cannot listen on {host}, port {port} ({error.strerror}): choose another port with --port"
            ) from error
        yield listener


EXAMPLES = ("serve --data data --indexes indexes", "serve --port 8000 --open")

cli = make_app(
    "Find a video again by what you remember of it. Everything stays on your machine.",
    (
        "add TikTok_Data.zip",
        'search "dog that answers the phone"',
        "serve --open",
    ),
    completion=True,
)
retrieval.__main__.add_filling_commands(cli)
ingest.__main__.add_commands(cli)
retrieval.__main__.add_commands(cli)
add(cli, serve, "serve", examples=EXAMPLES, panel="Page and API")

serve_alone = make_command(serve, examples=EXAMPLES)  # `python app.py [OPTIONS]`


def main() -> None:
    """Run the command `tiktok-retrieval`."""
    start(cli, PROGRAM)


if __name__ == "__main__":
    start(serve_alone, "python app.py")
