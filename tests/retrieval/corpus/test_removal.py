"""What no answer may have."""

from pathlib import Path

from ingest.catalog import Catalog
from retrieval.corpus.removal import hidden_videos
from tests.ingest.catalog.test_sums import ONE, filled


def test_a_removed_video_stays_hidden_while_the_catalog_is_gone(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with Catalog(tmp_path) as catalog:
        catalog.removals.hide([ONE])
    assert hidden_videos(tmp_path) == {ONE}
    (tmp_path / "catalog.sqlite").rename(tmp_path / "elsewhere")
    assert hidden_videos(tmp_path) == {ONE}
