import pytest
from pydantic import ValidationError

from scraper.records import MAX_TEXT_CHARS, Video, parse_count, parse_posted

SCRAPED_AT = 1669964598.434  # 2022-12-02T07:03:18Z


@pytest.mark.parametrize(
    ("shown", "count"),
    [("20.2K", 20_200), ("1.1M", 1_100_000), ("2B", 2_000_000_000), ("1,234", 1234), ("0", 0), ("873", 873)]
    + [(shown, None) for shown in ("", "Like", "K", "1.2.3K", "-5", "٣", "12 K 4")]
    + [("1,234,567", 1_234_567), ("3.4 M", 3_400_000), ("1.234K", 1234)]
    + [
        (shown, None) for shown in ("12,3K", "1.234", "3,4 M", "1,2", "1,234K", "1234,567")
    ],  # counts in other languages
)
def test_counts_as_shown_become_integers(shown: str, count: int | None) -> None:
    assert parse_count(shown) == count


@pytest.mark.parametrize(
    ("shown", "posted"),
    [
        ("16h ago", "2022-12-01"),
        ("1d ago", "2022-12-01"),
        ("2w ago", "2022-11-18"),
        ("5-5", "2022-05-05"),
        ("12-25", "2021-12-25"),  # would be after the scrape, so it is of last year
        ("12-3", "2022-12-03"),  # tomorrow may be another time zone
        ("2020-3-28", "2020-03-28"),
        ("2023-07-29T18:49:15Z", "2023-07-29"),
        ("2-30", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_posted_times_as_shown_become_dates(shown: str, posted: str | None) -> None:
    assert parse_posted(shown, SCRAPED_AT) == posted


def test_a_relative_time_without_a_scrape_time_stays_unresolved() -> None:
    assert parse_posted("16h ago", None) is None


@pytest.mark.parametrize(
    "video_id", ["", "1234", "1" * 26, "../../etc/passwd", "12345\n", "１２３４５６", "12345 ", "12a45"]
)
def test_an_id_that_is_not_a_safe_file_name_is_refused(video_id: str) -> None:
    with pytest.raises(ValidationError):
        Video(id=video_id)


def test_unstorable_characters_are_replaced_and_the_rest_kept() -> None:
    video = Video(id="12345", description="a\x00b \ud83d lone, whole 😀, \u202ebidi")
    assert video.description == "a\ufffdb \ufffd lone, whole 😀, \u202ebidi"
    video.description.encode()


def test_an_endless_description_is_cut() -> None:
    assert len(Video(id="12345", description="x" * 1_000_000).description) == MAX_TEXT_CHARS


def test_script_links_are_dropped() -> None:
    links = ["javascript:alert(1)", "https://a.example/v.mp4", "data:text/html,x", "file:///etc/passwd"]
    video = Video(id="12345", video_sources=links, permalink="javascript:alert(1)", music_link="data:,x")
    assert video.video_sources == ["https://a.example/v.mp4"]
    assert video.permalink == video.music_link == ""


def test_hashtags_are_read_from_the_description_once_each() -> None:
    assert Video(id="12345", description="#Cat #cat and #犬 #été").hashtags == ["cat", "犬", "été"]


def test_values_that_cannot_be_stored_are_cleaned_or_left_out() -> None:
    video = Video(
        id="12345",
        likes=10**400,
        comment_count=-1,
        posted="tomorrow",
        hashtags=["a\ud83d", ""],
        video_sources=["https://x.example/\ud83d"],
    )
    assert (video.likes, video.comment_count, video.posted) == (None, None, None)
    assert parse_count("9" * 400) is None
    video.model_dump_json()


@pytest.mark.parametrize(
    ("permalink", "is_there"),
    [
        ("https://www.tiktok.com/@/video/12345", True),
        ("https://m.tiktok.com/v/12345.html", True),
        ("https://www.tiktok.com/@someone", False),
        ("https://www.tiktok.example/@a/video/12345", False),
        ("", False),
    ],
)
def test_only_a_video_of_the_site_has_a_page_to_ask(permalink: str, is_there: bool) -> None:
    assert Video(id="12345", permalink=permalink).has_page is is_there


def test_a_record_of_an_older_catalog_has_no_plays_and_shares() -> None:
    video = Video.model_validate_json('{"id": "12345", "comments": [{"text": "t"}]}')
    assert (video.plays, video.shares, video.comments[0].posted) == (None, None, None)
    assert Video.model_validate_json(video.model_dump_json(exclude_defaults=True)) == video


def test_impossible_counts_and_comment_dates_are_left_out() -> None:
    video = Video.model_validate({"id": "12345", "plays": -1, "shares": 10**30, "comments": [{"posted": "soon"}]})
    assert (video.plays, video.shares, video.comments[0].posted) == (None, None, None)
