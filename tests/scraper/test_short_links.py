"""Short links are found in texts of any format, and replaced by what they lead to."""

import pytest

from scraper.links import from_link
from scraper.short_links import Expander, expanded, expanding

TARGET = "https://www.tiktok.com/@ada/video/7300000000000000001"


@pytest.mark.parametrize(
    "text",
    [
        "https://vm.tiktok.com/ZMabcdef/",
        "https://vm.tiktok.com/ZMabcdef",
        "look at this: vm.tiktok.com/ZMabcdef/?k=1, it is good",
        "HTTP://VM.TIKTOK.COM/ZMabcdef/",
        r'{"Link": "https:\/\/vm.tiktok.com\/ZMabcdef\/"}',
    ],
)
def test_a_short_link_becomes_the_link_to_its_video(text: str) -> None:
    expander = Expander({"https://vm.tiktok.com/ZMabcdef/": TARGET})
    assert from_link(expander.expand(text))["id"] == "7300000000000000001"
    assert not expander.unknown


def test_unknown_ones_are_collected_once_and_stay() -> None:
    expander = Expander({"https://vm.tiktok.com/Zgone0/": ""})
    text = (
        "vt.tiktok.com/ZSabc12 https://www.tiktok.com/t/ZTabc12/ https://vt.tiktok.com/ZSabc12/ vm.tiktok.com/Zgone0/"
    )
    assert expander.expand(text) == text
    assert list(expander.unknown) == ["https://vt.tiktok.com/ZSabc12/", "https://www.tiktok.com/t/ZTabc12/"]


@pytest.mark.parametrize(
    "text",
    [
        "https://evil-vm.tiktok.com/ZMabcdef/",
        "vm.tiktok.com.evil.example/ZMabcdef/",
        "https://www.tiktok.com/tag/ZMabc/",
    ],
)
def test_other_addresses_are_no_short_links(text: str) -> None:
    expander = Expander({})
    assert expander.expand(text) == text
    assert not expander.unknown


def test_texts_change_only_while_an_expander_is_in_use() -> None:
    short = "https://vm.tiktok.com/ZMabcdef/"
    with expanding(Expander({short: TARGET})):
        assert expanded(short) == TARGET
    assert expanded(short) == short
