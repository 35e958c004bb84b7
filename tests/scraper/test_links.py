import pytest

from scraper import links

ID = "7000000000000000001"


@pytest.mark.parametrize(
    ("link", "permalink"),
    [
        (f"https://www.tiktok.com/@a.b_c/video/{ID}?_r=1&u_code=abc#x", f"https://www.tiktok.com/@a.b_c/video/{ID}"),
        (f"https://www.tiktok.com/@/video/{ID}", f"https://www.tiktok.com/@/video/{ID}"),
        (f"https://www.tiktok.com/@a/photo/{ID}", f"https://www.tiktok.com/@a/photo/{ID}"),
        (f"https://www.tiktokv.com/share/video/{ID}/", f"https://www.tiktok.com/@/video/{ID}"),
        (f"http://m.tiktok.com/v/{ID}.html", f"https://www.tiktok.com/@/video/{ID}"),
        (f"https://www.tiktok.com/embed/v2/{ID}", f"https://www.tiktok.com/@/video/{ID}"),
        (f"  tiktok.com/@a/video/{ID}.", f"https://www.tiktok.com/@a/video/{ID}"),
        (f"https://tiktok.com/@_/video/{ID}", f"https://www.tiktok.com/@/video/{ID}"),
        (f"https://www.tiktokv.eu/share/video/{ID}/", f"https://www.tiktok.com/@/video/{ID}"),
    ],
)
def test_a_link_to_a_video_gives_its_id_and_address_without_who_shared_it(link: str, permalink: str) -> None:
    assert links.from_link(link) == {"id": ID, "permalink": permalink}


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("https://vm.tiktok.com/ZMabc/", "short link"),
        ("https://www.tiktok.com/t/ZTabc/", "short link"),
        ("https://www.tiktok.com/@a/live", "live"),
        (f"https://www.tiktok.com/music/hum-{ID}", "sound"),
        ("https://www.tiktok.com/tag/knit", "hashtag"),
        ("https://www.tiktok.com/@a", "user"),
        ("https://www.tiktok.com/@a?lang=en", "user"),
        ("https://www.tiktok.com/foryou", "not a video"),
        (f"https://www.tiktok.com/@a/video/{'1' * 26}", "not a video"),
        (f"https://eviltiktok.com/@a/video/{ID}", "no link to a video of TikTok"),
        (f"https://www.tiktok.com.evil.example/@a/video/{ID}", "no link to a video of TikTok"),
        (f"https://www.tiktok.com@evil.example/video/{ID}", "no link to a video of TikTok"),
        ("", "no link"),
    ],
)
def test_a_link_to_anything_else_says_what_it_leads_to(link: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        links.from_link(link)


@pytest.mark.parametrize(
    "text",
    ["{},{}", "({})({})", "[{}][{}]", "<{}><{}>", '"{}"{}\'', "{};{}", "|{}|{}|", "`{}``{}`", "“{}”,«{}»", "{}，{}。"],
)
def test_a_link_in_a_text_ends_at_punctuation(text: str) -> None:
    one, two = (f"https://www.tiktok.com/@a/video/7000000000000000{n}?lang=en&x=1" for n in (1, 2))
    assert [links.from_link(link)["id"] for link in links.in_text(text.format(one, two))] == [
        "70000000000000001",
        "70000000000000002",
    ]
