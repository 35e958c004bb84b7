"""The id of a video -> what its page tells today: fresh links to its files, with the headers and cookies they want.

yt-dlp (an extra) reads the page in a process of its own, for it runs over what a hostile page may hold: bounded in
time, memory and output, without the user's configuration, plugins and cache, and to be ended at any moment.
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

LIMIT_S = 60.0  # for a page; a good one takes 3 s, most of it to start yt-dlp
SOCKET_S, RETRIES = 15, 2  # of yt-dlp's own
WATCH_EVERY_S = 0.1  # how late the end of the run may be noticed
OUTPUT_BYTES = 20 << 20  # of what a page tells; a real one comes to 50 KB
ERROR_BYTES = 64 << 10
MEMORY_BYTES = 2 << 30  # address space; yt-dlp takes some 300 MB of it
DETAIL_CHARS = 200  # of yt-dlp's own words
ID = re.compile(r"[0-9]{5,25}")
HANDLE = re.compile(r"[A-Za-z0-9_.]{1,50}")

# Sets the limits from inside (in a process with threads nothing may run between fork and exec), and an alarm that ends
# it also when this program is killed.
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
    *("--no-playlist", "--no-check-formats", "--ignore-no-formats-error"),  # a page is worth having without a video
    "--write-subs",  # without it captions are not even looked for; with --dump-single-json none are written
    *("--no-warnings", "--color", "never", "--dump-single-json", "--skip-download"),
    *("--extractor-retries", "0"),
]
_REASONS = [  # of what yt-dlp says in an error; the first that fits
    ("do not have permission", "private"),
    ("IP address is blocked", "blocked"),
    (r"[Ll]og in for access|requiring login", "login"),
    (r"Video not available, status code (?!0\b)", "removed"),  # 0: the page tells nothing, neither video nor reason
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
    """A page could not be had; where the word is `page`, yt-dlp's own words follow the sentence."""

    def __init__(self, word: str, detail: str = "") -> None:
        super().__init__(word)
        if detail:
            self.sentence = f"{self.sentence}: {detail}"
            self.args = (f"{word}: {self.sentence}",)

    @property
    def dead(self) -> bool:
        """Never: this was the fresh try."""
        return False


@dataclass(frozen=True)
class Page:
    """What yt-dlp tells of a video (its info dict), and what the links in it want to be asked with."""

    info: dict[str, Any]

    def headers(self, url: str) -> Mapping[str, str]:
        """The headers for a link of this page: what yt-dlp gives for it, and the cookies meant for its host."""
        parts = urlsplit(url)
        given = next((entry for entry in self._entries() if entry.get("url") == url), self.info)
        headers = given.get("http_headers") or self.info.get("http_headers")
        named = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
        kept = {name: value for name, value in named.items() if name.lower() != "cookie"}
        meant = {name: cookie.coded_value for name, cookie in self._cookies() if _is_meant(cookie, parts)}
        if meant:
            kept["Cookie"] = "; ".join(f"{name}={value}" for name, value in meant.items())
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
    """What a video's page tells today. `username` may be empty, setting `cancelled` ends it.

    Raises:
        RefreshError: the page could not be had, and why.
    """
    if not ID.fullmatch(video_id):
        raise RefreshError("malformed")
    if not available():
        raise RefreshError("noytdlp")
    handle = username if HANDLE.fullmatch(username) else "_"  # the site looks at the id only
    with (
        tempfile.TemporaryDirectory(prefix="afresh-") as folder,
        (Path(folder) / "told").open("w+b") as told,
        (Path(folder) / "errors").open("w+b") as errors,
    ):
        code = _run(f"https://www.tiktok.com/@{handle}/video/{video_id}", folder, told, errors, cancelled)
        told.seek(0)
        errors.seek(0)
        if code:
            raise _reason(errors.read(ERROR_BYTES).decode(errors="replace"))
        try:
            info = json.loads(told.read(OUTPUT_BYTES))
        except (ValueError, RecursionError) as error:
            raise RefreshError("page", "what it tells cannot be read") from error
    if not isinstance(info, dict) or str(info.get("id")) != video_id:
        raise RefreshError("page", "it tells of another video")
    return Page(info)


def _run(link: str, folder: str, told: IO[bytes], errors: IO[bytes], cancelled: threading.Event | None) -> int:
    """Run yt-dlp over a page; its exit code."""
    limits = f"{MEMORY_BYTES},{OUTPUT_BYTES},{int(LIMIT_S) + 1}"
    options = [*_OPTIONS, "--socket-timeout", str(SOCKET_S), "--retries", str(RETRIES)]
    environment = dict(os.environ)
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
        # yt-dlp trusts certifi's list alone, unless told to use OpenSSL's: trust whom the downloader trusts
        options += ["--compat-options", "no-certifi"]
        environment["SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE"] = str(Path(bundle).absolute())
    until = time.monotonic() + LIMIT_S
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _BOOT, limits, *options, "--", link],  # -P: nothing is imported from `folder`
        stdin=subprocess.DEVNULL,
        stdout=told,
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
                if max(os.fstat(told.fileno()).st_size, os.fstat(errors.fileno()).st_size) >= OUTPUT_BYTES:
                    raise RefreshError("large")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(WATCH_EVERY_S)
        finally:
            if process.returncode is None:
                _kill(process)
    return process.returncode


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End yt-dlp and whatever it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _reason(said: str) -> RefreshError:
    """What yt-dlp's last error line means."""
    lines = [line.removeprefix("ERROR:").strip() for line in said.splitlines() if line.startswith("ERROR:")]
    told = lines[-1] if lines else next((line for line in reversed(said.splitlines()) if line.strip()), "")
    for pattern, word in _REASONS:
        if re.search(pattern, told):
            return RefreshError(word)
    told = re.sub(r"https?://\S+|\[[^\]]*\]|\(caused by.*|; please report.*", "", told, flags=re.DOTALL)
    told = re.sub(r"\S*[0-9]{5,}\S*", "", told)
    return RefreshError("page", " ".join(told.split())[:DETAIL_CHARS] or "it said nothing")


def _is_meant(cookie: "Morsel[str]", parts: Any) -> bool:
    """Whether a cookie may go with a request for a link: by its domain, its path and for TLS only (RFC 6265)."""
    host = (parts.hostname or "").lower()
    domain = cookie["domain"].lower()
    if not host or not domain.strip("."):
        return False
    below = domain.startswith(".") and host.endswith(domain)
    path = cookie["path"] or "/"
    within = parts.path == path or (parts.path or "/").startswith(path if path.endswith("/") else path + "/")
    return (host == domain.lstrip(".") or below) and within and (parts.scheme == "https" or not cookie["secure"])
