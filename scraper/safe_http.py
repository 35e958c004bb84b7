"""A link -> the answer of a server, over a connection whose address was checked and that can be cut at any time.

A name is resolved once per connection, all its addresses are checked, and the connection goes to one of them. So
neither a redirect nor a second answer of the name server can bypass the check.
"""

import contextlib
import functools
import os
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as trouble
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry
from urllib3.util.ssl_ import create_urllib3_context

from scraper.addresses import is_allowed
from scraper.failures import DownloadError
from scraper.watch import Watch

CONNECT_S, READ_S = 10.0, 15.0  # until the connection stands, and between two chunks
RETRIES = 3
BACKOFF_S = 1.0  # 0, 2, 4 s between tries ...
RETRY_AFTER_MAX_S = 30  # ... or what the server asks for, up to this; a later run can wait longer
ADDRESSES = 2  # of a name, tried within CONNECT_S: one of each family; a retry begins with the next one
NAME_MISMATCH = {62, 64}  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def dial(connecting: socket.socket, address: tuple[Any, ...]) -> None:
    """Connect a socket to a checked address."""
    connecting.connect(address)


@functools.cache
def _tls_context(bundle: str) -> ssl.SSLContext:
    """A TLS context with the certificate authorities in a file or folder, cached: to load certifi's takes 50 ms."""
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    except OSError as error:
        raise OSError(f"{bundle} has no readable certificate authorities: check REQUESTS_CA_BUNDLE") from error
    return context


class Session(requests.Session):
    """Sends requests under a watch, without cookies or passwords of the user. The caller follows redirects.

    The proxy and the certificate authorities (`REQUESTS_CA_BUNDLE`) come from the environment, as usual.
    """

    def __init__(self, watch: Watch, local: bool) -> None:
        super().__init__()
        # without this, requests sends passwords from ~/.netrc or from the link
        self.auth = lambda request: request
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(watch, local))

    def moved(self, response: requests.Response) -> str | None:
        """Where a response redirects to, or None."""
        return super().get_redirect_target(response)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, always: requests would read the whole body of the redirect and follow it unchecked."""


class _Adapter(HTTPAdapter):
    """Retries with back-off and connects to checked addresses. A proxy is the user's choice and is not checked."""

    def __init__(self, watch: Watch, local: bool) -> None:
        class WatchedRetry(Retry):
            def increment(
                self,
                method: str | None = None,
                url: str | None = None,
                response: BaseHTTPResponse | None = None,
                error: Exception | None = None,
                _pool: ConnectionPool | None = None,
                _stacktrace: TracebackType | None = None,
            ) -> Self:
                if isinstance(error, trouble.SSLError) and _tls_code(error) == "certificate":
                    raise trouble.MaxRetryError(_pool, url or "", error)  # type: ignore[arg-type]  # as urllib3 does
                return super().increment(method, url, response, error, _pool, _stacktrace)

            def sleep(self, response: BaseHTTPResponse | None = None) -> None:
                asked_for = None
                with contextlib.suppress(trouble.InvalidHeader, OverflowError):
                    asked_for = self.get_retry_after(response) if response else None
                watch.sleep(asked_for or self.get_backoff_time())

        retry = WatchedRetry(
            total=RETRIES,
            read=RETRIES - 1,  # each takes the full time limit
            redirect=False,
            status_forcelist=(429, 500, 502, 503, 504),
            backoff_factor=BACKOFF_S,
            retry_after_max=RETRY_AFTER_MAX_S,
            raise_on_status=False,
        )
        self._watch = watch
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get(
            "CURL_CA_BUNDLE"
        )  # the variables that requests reads
        self._context = _tls_context(bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)
        super().__init__(max_retries=retry)
        self.poolmanager.pool_classes_by_scheme = _pools(watch, lambda address: is_allowed(address, local))

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **pool_kwargs)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """The context has the authorities already, so requests need not name their file."""
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):  # SOCKS proxies need other connections
            manager.pool_classes_by_scheme = _pools(self._watch, lambda _: True)
        return manager


def _pools(watch: Watch, allowed: Callable[[str], bool]) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, with connections to checked addresses."""
    tries = 0

    def connect(connection: HTTPConnection) -> socket.socket:
        nonlocal tries
        watch.check()
        addresses = watch.resolve(connection.host, connection.port)
        if not all(allowed(address[0]) for _, address in addresses):
            raise DownloadError("address")
        first = tries % len(addresses)  # another edge server may be up, or have the right certificate
        tries += 1
        failure = OSError("no address")
        for family, address in (addresses[first:] + addresses[:first])[:ADDRESSES]:
            connecting = socket.socket(family, socket.SOCK_STREAM)
            try:
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connecting.settimeout(CONNECT_S / min(len(addresses), ADDRESSES))
                watch.add(connecting)
                dial(connecting, address)
                connecting.settimeout(CONNECT_S)
                return connecting
            except OSError as error:
                connecting.close()
                watch.check()
                failure = error
        if isinstance(failure, TimeoutError):
            raise trouble.ConnectTimeoutError(connection, "timed out") from failure
        raise trouble.NewConnectionError(connection, str(failure)) from failure

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def code_of(error: requests.RequestException) -> str:
    """The failure code for the nested exceptions of requests and urllib3."""
    cause: Any = error.args[0] if error.args else None
    cause = getattr(cause, "reason", None) or cause
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "broken"
    if isinstance(cause, trouble.SSLError):
        return _tls_code(cause)
    if isinstance(cause, trouble.NewConnectionError):
        return "unreachable"
    if isinstance(cause, trouble.TimeoutError):
        return "timeout"
    if isinstance(cause, trouble.ProtocolError):
        inner = cause.args[-1]
        return "malformed" if isinstance(inner, HTTPException) and not isinstance(inner, OSError) else "hungup"
    return "unreachable" if isinstance(error, requests.ConnectionError) else "malformed"


def _tls_code(error: trouble.SSLError) -> str:
    inner = error.args[0] if error.args else None
    if isinstance(inner, ssl.SSLCertVerificationError):
        return "certificate-name" if inner.verify_code in NAME_MISMATCH else "certificate"
    return "tls"
