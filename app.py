"""The command `tiktok-retrieval`, with `serve`, which opens the page on its API."""

import contextlib
import json
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

import ingest.__main__
import retrieval.__main__
from ingest.commands.group import PROGRAM, add, make_app, make_command, start
from ingest.commands.options import ClusterAddress, Data, Indexes
from ingest.settings import default, load_settings
from retrieval.commands.status import status
from scraper.errors import UserError
from scraper.files import open_to_others
from scraper.text_decoding import decode

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from ingest.settings import Corpus, Settings
    from retrieval.cluster.front import Shards
    from retrieval.search.encoders import SharedEncoders
    from retrieval.server.auth import Access
    from retrieval.server.concurrency import Queue

MAX_EXAMPLES = 6


class ServeError(UserError):
    """The page cannot be served."""


def create(
    data: Path,
    indexes: Path,
    examples: Sequence[str] = (),
    access: "Access | None" = None,
    origins: Sequence[str] = (),
    *,
    base: str = "",
    switch: str = "",
    queue: "Queue | None" = None,
    shared: "SharedEncoders | None" = None,
    follow: bool = True,
    shards: "Shards | None" = None,
) -> "FastAPI":
    """Return the API with the page mounted on it.

    Args:
        base: the path that both are served below, such as /corpus/study.
        switch: the switch between several corpora (HTML).
        queue, shared: what several corpora in one process have in common.
        follow: whether the index follows the catalog by itself.
        shards: what scores the videos, if the index is on several machines.
    """
    from page.mount import mount
    from retrieval.server.api import create_app

    api = create_app(
        data,
        indexes,
        access,
        origins,
        queue,
        base=base,
        shared=shared,
        local_answers=True,
        follow=follow,
        shards=shards,
    )
    return mount(api, data, indexes, examples, base=base, switch=switch)


def create_several(
    corpora: "Sequence[Corpus]",
    examples: "Mapping[str, Sequence[str]]",
    access: "Access | None" = None,
    origins: Sequence[str] = (),
    *,
    root_path: str = "",
    follow: bool = True,
) -> "Starlette":
    """Return one application that serves each corpus below /corpus/NAME/, and the first one also at /.

    They share the encoder if it is the same, and the queue of searches.

    Args:
        examples: example questions by the name of a corpus.
        root_path: the path under which a proxy forwards requests.
        follow: whether their indexes follow their catalogs by themselves.
    """
    from fastapi import Request
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import RedirectResponse
    from starlette.routing import Mount, Route

    from page.corpus_switch import Link, switch
    from retrieval.search.encoders import SharedEncoders
    from retrieval.server.concurrency import Queue
    from retrieval.server.headers import WithHeaders

    queue, shared = Queue(), SharedEncoders()
    paths = [f"/corpus/{one.slug}" if number else "" for number, one in enumerate(corpora)]
    links = [Link(one.name, f"{root_path}{path}/") for one, path in zip(corpora, paths, strict=True)]
    apps = [
        create(
            one.data,
            one.indexes,
            examples.get(one.name, ()),
            access,
            origins,
            base=f"{root_path}{path}",
            switch=switch(links, one.name),
            queue=queue,
            shared=shared,
            follow=follow,
        )
        for one, path in zip(corpora, paths, strict=True)
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for one in apps:  # an application that is mounted does not start by itself
                await stack.enter_async_context(one.router.lifespan_context(one))
            yield

    async def with_slash(request: Request) -> RedirectResponse:
        # relative, because a proxy may have another name, scheme and path
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{request.url.path.rpartition('/')[2]}/{query}")

    named = [Mount(f"/corpus/{one.slug}", app) for one, app in zip(corpora, apps, strict=True)]
    pages = [Route(f"/corpus/{one.slug}", with_slash) for one in corpora]
    return Starlette(
        routes=[*pages, *named, Mount("/", apps[0])], lifespan=lifespan, middleware=[Middleware(WithHeaders)]
    )


def read_examples(file: Path) -> list[str]:
    """Return the first questions of a list of {"text": ...}.

    Raises:
        typer.BadParameter: the file is not such a list.
    """
    try:
        return [str(query["text"]) for query in json.loads(decode(file.read_bytes()).text)[:MAX_EXAMPLES]]
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="--examples") from error
    except (ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(f'{file} is not a JSON list of {{"text": ...}}', param_hint="--examples") from error


def _questions(data: Path, file: Path | None = None) -> list[str]:
    """Return the example questions of a file, or else of a data folder."""
    file = file or data / "examples.json"
    return read_examples(file) if file != data / "examples.json" or file.is_file() else []


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
    root_path: Annotated[
        str | None,
        typer.Option(help="Where a proxy offers the page on its site, such as /videos.", metavar="/PATH"),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Address under which a proxy offers the page, such as https://my.name; repeatable.", metavar="ORIGIN"
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    shards: Annotated[
        int,
        typer.Option(
            min=0,
            help="Divide the index into so many parts, which the nodes of the Ray cluster at --cluster search.",
            metavar="N",
            show_default=False,
        ),
    ] = 0,
    cluster: ClusterAddress = None,
) -> None:
    """Serve the search page and the API.

    The page is at http://HOST:PORT/, the API below /api, its description at /openapi.json. If
    TIKTOK_RETRIEVAL_CORPORA names several corpora, and neither --data nor --indexes is given, each is at
    /corpus/NAME/, and a switch on the page leads from one to the other. Prefer the environment
    variables TIKTOK_RETRIEVAL_TOKEN, _USER and _PASSWORD to the options: other users can see the options of a process.
    """
    settings = load_settings(
        data=data,
        indexes=indexes,
        host=host,
        port=port,
        token=token,
        user=user,
        password=password,
        root_path=root_path,
        origin=origin,
        cluster=cluster,
    )
    if shards and not settings.cluster:
        raise typer.BadParameter("--shards needs --cluster: auto, local, or the address of a Ray cluster")
    several = settings.corpora if data is None and indexes is None and len(settings.corpora) > 1 else ()
    if bool(settings.user) != bool(settings.password):
        raise typer.BadParameter("--user and --password go together")
    if shards and several:
        raise typer.BadParameter("--shards serves one corpus: name it with --data and --indexes")
    questions = _questions(settings.data, examples)

    from retrieval.server.auth import LOOPBACK, Access

    local = settings.host in LOOPBACK
    offered = {one: urlsplit(one).hostname or "" for one in settings.origin}
    hosts = (*LOOPBACK, *offered.values()) if local else ()
    access = Access(settings.token, settings.user, settings.password, hosts=hosts, origins=settings.origin)
    others = [one for one, host in offered.items() if host not in LOOPBACK]
    if local and others and not access.guarded:
        print(
            f"Warning: everybody who can reach {others[0]} can read this corpus, unless the proxy asks for a password.",
            file=sys.stderr,
        )
    if not local and not access.guarded:
        if not allow_anyone:
            raise typer.BadParameter(
                f"everybody who can reach {settings.host} could read this corpus: give --token, or --user and"
                " --password, or --allow-anyone"
            )
        print(f"Warning: everybody who can reach {settings.host} can read this corpus.", file=sys.stderr)
    from retrieval.server.run import bounds_of, run

    with (
        _listening(settings.host, settings.port) as listener,
        _parts(settings, shards, listener) as parts,
    ):
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
        page: ASGIApp
        path, follow = settings.root_path, settings.follow_catalog
        if several:
            asked = {one.name: questions if one == several[0] else _questions(one.data) for one in several}
            page = create_several(several, asked, access, cors or (), root_path=path, follow=follow)
        else:
            page = create(
                settings.data,
                settings.indexes,
                questions,
                access,
                cors or (),
                base=path,
                follow=follow,
                shards=parts,
            )
        bound = listener.getsockname()[1]
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"The page: http://{name}:{bound}/", flush=True)
        for address in settings.origin:
            print(f"Through the proxy: {address}{settings.root_path}/", flush=True)
        for one in several or (settings,):
            if note := open_to_others(one.data, one.indexes):
                print(note, file=sys.stderr)
        if show and (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
            address = f"http://{default('host')}:{bound}/"
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        run(page, listener, bounds_of(settings), root_path=settings.root_path, proxies=settings.proxies)


@contextlib.contextmanager
def _parts(settings: "Settings", shards: int, listener: socket.socket) -> "Iterator[Shards | None]":
    """Start the shards of an index on a cluster for as long as it is served; without `shards` yield None."""
    if not shards:
        yield None
        return
    from ingest.cluster.connection import connected
    from retrieval.cluster.serving import started
    from retrieval.cluster.watcher import watched

    with connected(settings.cluster, settings.data) as cluster:
        assert cluster
        server = f"{socket.gethostname()} {listener.getsockname()}"
        with started(cluster, settings.indexes, shards, server) as running, watched(settings.cluster):
            print(f"{shards} parts of the index on the cluster at {settings.cluster}", flush=True)
            yield running


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
            listener.listen()
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
ingest.__main__.add_commands(cli, show_status=status)
retrieval.__main__.add_commands(cli)
add(cli, serve, "serve", examples=EXAMPLES, panel="Page and API")

serve_alone = make_command(serve, examples=EXAMPLES)  # `python app.py [OPTIONS]`


def main() -> None:
    """Run the command `tiktok-retrieval`."""
    start(cli, PROGRAM)


if __name__ == "__main__":
    start(serve_alone, "python app.py")
