"""Every kind of file that a catalog keeps has an answer, also those that no browser gets."""

from pathlib import Path
from typing import get_args

from ingest.catalog.entries import Media, MediaKind
from retrieval.server.media import MediaFiles


def test_a_file_of_captions_has_no_address_and_the_other_kinds_do_not_fail(tmp_path: Path) -> None:
    file = tmp_path / "media" / "captions.vtt"
    file.parent.mkdir()
    file.write_text("WEBVTT\n")
    for kind in get_args(MediaKind):
        media = Media(kind=kind, position=0, path=file, sha256="0" * 64, bytes=7, source="imported")
        assert MediaFiles(tmp_path).url("71000000000000001", media) is None
