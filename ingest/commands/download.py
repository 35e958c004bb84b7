"""tiktok-retrieval download: links in the catalog -> media files."""

from typing import Annotated

import typer

from ingest.commands.options import Data, Indexes, Json, Progress, Quiet, Report, progress_mode
from ingest.commands.stages import run_stages
from ingest.settings import load_settings

EXAMPLES = ("download --data data", "download --retry-failed", "download --host example.org --allow-http")

Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="Also download from this host and its subdomains; repeatable.", metavar="NAME"),
]
AllowHttp = Annotated[bool, typer.Option("--allow-http", help="Also follow links without TLS.")]
AllowLocal = Annotated[bool, typer.Option("--allow-local", help="Also follow links into your local network.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Also try failed downloads again.")]


def download(
    data: Data = None,
    indexes: Indexes = None,
    hosts: Hosts = None,
    allow_http: AllowHttp = False,
    allow_local: AllowLocal = False,
    retry_failed: RetryFailed = False,
    report: Report = None,
    as_json: Json = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
) -> None:
    """Download missing covers, videos, slides and captions.

    Dead links are refreshed from the video's page if yt-dlp is installed.
    """
    settings = load_settings(
        data=data,
        indexes=indexes,
        download_hosts=" ".join(hosts) if hosts else None,
        download_http=allow_http or None,
        download_local=allow_local or None,
    )
    run_stages(
        ("download",),
        settings,
        as_json=as_json,
        progress=progress_mode(progress, quiet),
        report_file=report,
        retry_failed=retry_failed,
    )
