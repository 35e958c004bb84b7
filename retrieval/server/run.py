"""An application and a socket that listens -> a server with bounds, until it is stopped."""

import functools
import ipaddress
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.requests import ClientDisconnect

from retrieval.server.below import Below
from retrieval.server.connections import BoundedProtocol, Bounds, Connections
from retrieval.server.memory import settle_once_loaded
from retrieval.server.quiet_log import OncePerMinute

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ingest.settings import Settings

BACKLOG = 2048  # connections that wait to be accepted
# Accepted at once, before a bound can close any of them. asyncio takes all that wait, and has them all open.
ACCEPTED_AT_ONCE = 32
OWN_FILES = 256  # that the index, the catalog and what is just being accepted have open
FILES_EACH = 2  # of a connection: itself, and the file that it reads
MIN_CONNECTIONS = 64
# A proxy on this machine brings everybody's connections, and whoever else is on it has other ways to be a nuisance.
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # asyncio has set it to ACCEPTED_AT_ONCE


def bounds_of(settings: "Settings") -> Bounds:
    """Return the bounds of connections that the settings name."""
    proxies = tuple(ipaddress.ip_network(one) for one in filter(None, map(str.strip, settings.proxies.split(","))))
    return Bounds(settings.max_connections, settings.max_connections_per_address, LOOPBACK + proxies)


def run(app: "ASGIApp", listener: socket.socket, bounds: Bounds, *, root_path: str = "", proxies: str = "") -> None:
    """Serve until the process is interrupted, with as many connections as the limit of open files allows.

    Args:
        root_path: the path under which a proxy forwards requests.
        proxies: addresses of proxies, whose X-Forwarded-For says where a request comes from.
    """
    bounds = replace(bounds, in_all=affordable(bounds.in_all))
    running = server(app, bounds, root_path=root_path, proxies=proxies)
    once = OncePerMinute()
    for name in ("", "uvicorn"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(once)
    settle_once_loaded()
    running.run(sockets=[listener])


def server(app: "ASGIApp", bounds: Bounds, *, root_path: str = "", proxies: str = "") -> uvicorn.Server:
    """Return a server with these bounds, not started yet."""

    answering = Below(app, root_path) if root_path else app

    async def until_the_client_leaves(scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            await answering(scope, receive, send)
        except ClientDisconnect:  # within a body: there is nobody to answer, and it is no error of the server
            return

    config = uvicorn.Config(
        until_the_client_leaves,
        http=functools.partial(BoundedProtocol, all_of_them=Connections(bounds)),  # type: ignore[arg-type]
        ws="none",
        log_level="warning",
        root_path=root_path,
        forwarded_allow_ips=proxies,
        backlog=ACCEPTED_AT_ONCE,
    )
    return _Server(config)


def affordable(connections: int) -> int:
    """Return how many connections the limit of open files allows, after it is raised as far as they need."""
    limit = raise_open_files(connections * FILES_EACH + OWN_FILES)
    return min(connections, max((limit - OWN_FILES) // FILES_EACH, MIN_CONNECTIONS))


def raise_open_files(wanted: int) -> int:
    """Raise the soft limit of open files as far as is wanted and allowed. Return what it is then."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited: Any = resource.RLIM_INFINITY
    if soft == unlimited or soft >= wanted:
        return wanted
    raised = wanted if hard == unlimited else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):  # macOS allows less than its hard limit says
        return soft
    return raised
