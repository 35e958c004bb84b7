"""Covers -> text through the real Tesseract."""

from pathlib import Path

import pytest

from ingest.media import MediaError
from ingest.ocr import OcrError, check, read_cover
from tests.ingest import making


def test_white_captions_on_a_picture_are_read_line_by_line(tmp_path: Path) -> None:
    reading = read_cover(making.cover(tmp_path / "cover.png", "How to bake\nsourdough"), "eng")
    assert reading.text.splitlines() == ["How to bake", "sourdough"]
    assert reading.confidence is not None
    assert 0.7 <= reading.confidence <= 1


def test_a_picture_without_words_is_empty_and_not_unreadable(tmp_path: Path) -> None:
    reading = read_cover(making.cover(tmp_path / "cover.png", ""), "eng")
    assert reading.text == ""
    assert reading.confidence is None


def test_a_single_pixel_is_empty(tmp_path: Path) -> None:
    assert read_cover(making.cover(tmp_path / "dot.png", "", (1, 1)), "eng").text == ""


def test_a_corrupt_cover_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(MediaError):
        read_cover(tmp_path / "cover.jpg", "eng")


def test_a_missing_language_is_named_with_its_package() -> None:
    with pytest.raises(OcrError, match="tesseract-ocr-xx-yyy"):
        check("eng+xx_YYY")


def test_missing_tesseract_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytesseract.pytesseract.tesseract_cmd", "no-such-tesseract")
    with pytest.raises(OcrError, match="apt-get install tesseract-ocr"):
        check("eng")


def test_printed_pages_of_every_file_format_are_read(shared_data: Path) -> None:
    for name in ("test.png", "test.webp", "test.tiff", "test.gif", "test.bmp", "test.jpeg2000", "test.ppm"):
        assert "quick brown dog" in read_cover(shared_data / "ocr" / "pytesseract" / name, "eng").text, name


@pytest.mark.heavy
def test_real_covers_give_their_captions(shared_data: Path) -> None:
    covers = sorted((shared_data / "tiktok" / "coverphotos").iterdir())
    texts = [read_cover(path, "eng").text for path in covers]
    assert len(texts) == 19
    assert sum(len(text) > 20 for text in texts) >= 14  # 17 of them carry words
