"""A vision model as an encoder of "texts" that name pictures, so that the vector cache keeps their vectors as well."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from retrieval.embedding.encoder import Vectors
from retrieval.embedding.token_sums import Cuts, TokenSums

if TYPE_CHECKING:
    from retrieval.embedding.vision import VisionEncoder

_PREFIX = "picture sha256 "
MAX_PIXELS = 1_000_000  # the picture store has none of more than 480 x 480


def picture_text(sha256: str) -> str:
    """Return the name of a picture, by which the cache knows it."""
    return _PREFIX + sha256


class PictureNames:
    """Encodes the pictures that texts name.

    Args:
        webp: returns a picture by its sha256.

    Raises:
        ValueError: (of `passages`) a picture is not there, or is none.
    """

    cached = True
    prompts: Mapping[str, str] = {"query": "", "document": ""}

    def __init__(self, encoder: "VisionEncoder", webp: Callable[[str], bytes | None]) -> None:
        self._encoder, self._webp = encoder, webp
        self.name, self.key, self.sha256 = encoder.name, encoder.key, encoder.sha256
        self.dimension, self.precision = encoder.dimension, encoder.precision

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of pictures, shape (len(texts), dimension)."""
        from retrieval.embedding.vision import BATCH

        found = [np.zeros((0, self.dimension), np.float32)]
        for at in range(0, len(texts), BATCH):
            found.append(self._encoder.pictures([self._opened(text) for text in texts[at : at + BATCH]]))
        return np.concatenate(found)

    def query(self, text: str) -> Vectors:
        return self._encoder.query(text)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._encoder.queries(texts)

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> tuple[Vectors, list[TokenSums]] | None:
        return None

    def _opened(self, text: str) -> Image.Image:
        webp = self._webp(text.removeprefix(_PREFIX))
        if webp is None:
            raise ValueError(f"{text} is not there")
        return opened(webp)


def opened(webp: bytes) -> Image.Image:
    """Return a picture of the picture store as RGB.

    Raises:
        ValueError: it is none.
    """
    try:
        with Image.open(io.BytesIO(webp), formats=("WEBP",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("it is too large")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"a picture cannot be read: {error}") from error
