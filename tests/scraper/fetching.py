"""Fetch a file from the faulty server, or learn why that fails."""

from pathlib import Path

import pytest

from scraper import download
from scraper.download import DownloadError, Fetcher, Link, Rules
from tests.scraper.faulty_server import FaultyServer


def get(server: FaultyServer, target: Path, *paths: str, kind: download.MediaKind = "cover") -> Path:
    return Fetcher(server.rules).fetch([server.https(path) for path in paths], target, kind).path


def code(server: FaultyServer, folder: Path, *links: str | Link, rules: Rules | None = None) -> str:
    """Why links failed."""
    with pytest.raises(DownloadError) as raised:
        Fetcher(rules or server.rules).fetch(links, folder / "cover", "cover")
    return raised.value.code
