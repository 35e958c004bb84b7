"""The id of a video -> the data on its page: fresh links to its files, with the headers and cookies they need.

yt-dlp (an extra) reads the page in a separate process, because the page may be hostile. The process is bounded in
time, memory and output, ignores the user's configuration, plugins and cache, and can be ended at any time.
"""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, Morsel, SimpleCookie
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from scraper.failures import DownloadError
from scraper.links import VIDEO_ID

LIMIT_S = 60.0  # for a page; it takes 3 s, most of it to start yt-dlp
SOCKET_S, RETRIES = 15, 2  # options of yt-dlp
WATCH_EVERY_S = 0.1  # how late a stopped run may be noticed
OUTPUT_BYTES = 20 << 20  # of yt-dlp's output; 50 KB for a real page
ERROR_BYTES = 64 << 10
MEMORY_BYTES = 2 << 30  # address space; yt-dlp takes some 300 MB
DETAIL_CHARS = 200  # of yt-dlp's error message
HANDLE = re.compile(r"[A-Za-z0-9_.]{1,50}")

# Sets the limits inside the new process (in a process with threads nothing may run between fork and exec), and an
# alarm that ends it even if this program is killed.
_BOOT = """
import runpy, signal, sys
memory, output, seconds = map(int, sys.argv.pop(1).split(","))
try:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
except (ImportError, OSError, ValueError):
    pass
if hasattr(signal, "alarm"):
    signal.alarm(seconds)
runpy.run_module("yt_dlp", run_name="__main__", alter_sys=True)
"""
_OPTIONS = [
    *("--ignore-config", "--no-plugin-dirs", "--no-cache-dir", "--no-remote-components", "--no-js-runtimes"),
    *("--no-playlist", "--no-check-formats", "--ignore-no-formats-error"),  # a page without a video is still useful
    "--write-subs",  # yt-dlp looks for captions only with it; with --dump-single-json it writes none
    *("--no-warnings", "--color", "never", "--dump-single-json", "--skip-download"),
    *("--extractor-retries", "0"),
]
_REASONS = [  # patterns in yt-dlp's error message; the first match counts
    ("do not have permission", "private"),
    ("IP address is blocked", "blocked"),
    (r"[Ll]og in for access|requiring login", "login"),
    (r"Video not available, status code (?!0\b)", "removed"),  # 0: the page has neither a video nor a reason
    ("HTTP Error 4(04|10)", "removed"),
    ("HTTP Error 403", "blocked"),
    ("HTTP Error 429", "busy"),
    ("HTTP Error 5", "server"),
    ("ProxyError|[Pp]roxy", "proxy"),
    ("Failed to resolve|Name or service not known|getaddrinfo", "dns"),
    ("Hostname mismatch|IP address mismatch", "certificate-name"),
    ("CERTIFICATE_VERIFY_FAILED|certificate verify failed", "certificate"),
    ("timed out", "timeout"),
    ("[Cc]onnection refused|unreachable", "unreachable"),
]


class RefreshError(DownloadError):
    """A page could not be read. If the code is `page`, yt-dlp's message follows the sentence."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        if detail:
            self.sentence = f"{self.sentence}: {detail}"
            self.args = (f"{code}: {self.sentence}",)

    @property
    def dead(self) -> bool:
        """Never: the page is where fresh links come from."""
        return False


@dataclass(frozen=True)
class Page:
    """yt-dlp's info dict of a video, and the headers that the links in it need."""

    info: dict[str, Any]

    def headers(self, url: str) -> Mapping[str, str]:
        """The headers for a link of this page: those that yt-dlp gives, and the cookies for its host."""
        parts = urlsplit(url)
        given = next((entry for entry in self._entries() if entry.get("url") == url), self.info)
        headers = given.get("http_headers") or self.info.get("http_headers")
        named = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
        kept = {name: value for name, value in named.items() if name.lower() != "cookie"}
        cookies = {name: cookie.coded_value for name, cookie in self._cookies() if _is_sent_to(cookie, parts)}
        if cookies:
            kept["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return kept

    def _entries(self) -> Iterator[dict[str, Any]]:
        for key in ("formats", "requested_formats", "thumbnails"):
            entries = self.info.get(key)
            yield from (entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict))

    def _cookies(self) -> Iterator[tuple[str, "Morsel[str]"]]:
        for entry in (self.info, *self._entries()):
            if isinstance(text := entry.get("cookies"), str):
                with contextlib.suppress(CookieError):
                    yield from SimpleCookie(text).items()


def available() -> bool:
    """Whether yt-dlp is installed."""
    return importlib.util.find_spec("yt_dlp") is not None


def page(video_id: str, username: str, *, cancelled: threading.Event | None = None) -> Page:
    """Read the page of a video. `username` may be empty. Set `cancelled` to stop.

    Raises:
        RefreshError: the page could not be read.
    """
    if not re.fullmatch(VIDEO_ID, video_id):
        raise RefreshError("malformed")
    if not available():
        raise RefreshError("noytdlp")
    handle = username if HANDLE.fullmatch(username) else "_"  # the site looks at the id only
    with (
        tempfile.TemporaryDirectory(prefix="refresh-") as folder,
        (Path(folder) / "output").open("w+b") as output,
        (Path(folder) / "errors").open("w+b") as errors,
    ):
        code = _run(f"https://www.tiktok.com/@{handle}/video/{video_id}", folder, output, errors, cancelled)
        output.seek(0)
        errors.seek(0)
        if code:
            raise _reason(errors.read(ERROR_BYTES).decode(errors="replace"))
        try:
            info = json.loads(output.read(OUTPUT_BYTES))
        except (ValueError, RecursionError) as error:
            raise RefreshError("page", "its output cannot be read") from error
    if not isinstance(info, dict) or str(info.get("id")) != video_id:
        raise RefreshError("page", "its output is about another video")
    return Page(info)


def _run(link: str, folder: str, output: IO[bytes], errors: IO[bytes], cancelled: threading.Event | None) -> int:
    """Run yt-dlp on a page. Return its exit code."""
    limits = f"{MEMORY_BYTES},{OUTPUT_BYTES},{int(LIMIT_S) + 1}"
    options = [*_OPTIONS, "--socket-timeout", str(SOCKET_S), "--retries", str(RETRIES)]
    environment = dict(os.environ)
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
        # yt-dlp accepts only certifi's authorities unless it uses OpenSSL's: accept those that the downloader accepts
        options += ["--compat-options", "no-certifi"]
        environment["SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE"] = str(Path(bundle).absolute())
    until = time.monotonic() + LIMIT_S
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, limits, *options, "--", link],  # -P: nothing is imported from `folder`
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None:
                if cancelled and cancelled.is_set():
                    raise RefreshError("stopped")
                if time.monotonic() > until:
                    raise RefreshError("deadline")
                if max(os.fstat(output.fileno()).st_size, os.fstat(errors.fileno()).st_size) >= OUTPUT_BYTES:
                    raise RefreshError("large")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(WATCH_EVERY_S)
        finally:
            if process.returncode is None:
                _kill(process)
    return process.returncode


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End yt-dlp and every process that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _reason(messages: str) -> RefreshError:
    """What yt-dlp's last error line means."""
    lines = [line.removeprefix("ERROR:").strip() for line in messages.splitlines() if line.startswith("ERROR:")]
    detail = lines[-1] if lines else next((line for line in reversed(messages.splitlines()) if line.strip()), "")
    for pattern, code in _REASONS:
        if re.search(pattern, detail):
            return RefreshError(code)
    detail = re.sub(r"https?://\S+|\[[^\]]*\]|\(caused by.*|; please report.*", "", detail, flags=re.DOTALL)
    detail = re.sub(r"\S*[0-9]{5,}\S*", "", detail)
    return RefreshError("page", " ".join(detail.split())[:DETAIL_CHARS] or "it gave no reason")


def _is_sent_to(cookie: "Morsel[str]", parts: Any) -> bool:
    """Whether a cookie belongs to a request, by its domain, path and `Secure` flag (RFC 6265)."""
    host = (parts.hostname or "").lower()
    domain = cookie["domain"].lower()
    if not host or not domain.strip("."):
        return False
    below = domain.startswith(".") and host.endswith(domain)
    path = cookie["path"] or "/"
    within = parts.path == path or (parts.path or "/").startswith(path if path.endswith("/") else path + "/")
    return (host == domain.lstrip(".") or below) and within and (parts.scheme == "https" or not cookie["secure"])
