"""Media are processed in the order in which a person most likely looks for them."""

from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.priority import by_priority
from scraper.records import Encounter, Video
from tests.ingest import media_samples


def test_own_files_come_first_then_favorites_likes_other_lists_and_history(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        for video_id, *encounters in (
            ("70001", Encounter(list="history", at="2024-05-01T10:00:00")),
            ("70002", Encounter(list="shares", at="2024-05-01T10:00:00")),
            ("70003", Encounter(list="likes", at="2023-05-01T10:00:00")),
            ("70004", Encounter(list="likes", at="2024-05-01T10:00:00")),
            ("70005", Encounter(list="history", at="2024-06-01T10:00:00"), Encounter(list="favorites")),
            ("70006",),
        ):
            catalog.put_video(Video(id=video_id))
            catalog.put_encounters(video_id, encounters)
        media_samples.add(catalog, "70007", cover=media_samples.cover(tmp_path / "c.png", "mine"))
        assert by_priority(catalog.database, catalog.ids()) == [
            *("70007", "70005", "70006", "70004", "70003", "70002", "70001")
        ]
        assert by_priority(catalog.database, {"70001", "70004"}) == ["70004", "70001"]
