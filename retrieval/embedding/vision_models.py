"""Known vision models: their size, languages, licence, and what is put before a question.

Any other model of transformers with `get_image_features` and `get_text_features`, and any model of
sentence-transformers that reads pictures, can be used by its name or folder. MobileCLIP is in neither.
"""

from dataclasses import dataclass
from pathlib import Path

from retrieval.embedding.registry import Named

CLIP_PROMPT = "a photo of "  # Radford et al. 2021, section E.1: before captions that pictures are searched by


@dataclass(frozen=True)
class OfferedVision(Named):
    """A known vision model. The figures are from its model card; `pixels` is the side of the square that it sees."""

    parameters_m: float
    megabytes: int  # to download, with the model of its texts
    dimension: int
    pixels: int
    languages: str
    licence: str
    prompt: str = ""
    text_model: str = ""  # whose vectors of texts are in the space of its pictures, if not its own


_MULTILINGUAL = "sentence-transformers/clip-ViT-B-32-multilingual-v1"

OFFERED_VISION = (
    OfferedVision("openai/clip-vit-base-patch32", 151, 605, 512, 224, "English", "MIT", CLIP_PROMPT),
    OfferedVision("openai/clip-vit-base-patch16", 150, 599, 512, 224, "English", "MIT", CLIP_PROMPT),
    OfferedVision("openai/clip-vit-large-patch14", 428, 1711, 768, 224, "English", "MIT", CLIP_PROMPT),
    OfferedVision(
        "sentence-transformers/clip-ViT-B-32",
        151,
        1144,
        512,
        224,
        "50 languages",
        "Apache-2.0",
        text_model=_MULTILINGUAL,
    ),
    OfferedVision("google/siglip-base-patch16-224", 203, 813, 768, 224, "English", "Apache-2.0"),
    OfferedVision(
        "google/siglip2-base-patch16-224",
        375,
        1500,
        768,
        224,
        "100 languages",
        "Apache-2.0",
    ),
    OfferedVision("google/siglip2-base-patch16-384", 376, 1503, 768, 384, "100 languages", "Apache-2.0"),
    OfferedVision("google/siglip2-so400m-patch14-384", 1136, 4544, 1152, 384, "100 languages", "Apache-2.0"),
)


def offered_vision(name: str) -> OfferedVision | None:
    """Return the known model with this name or alias, or whose alias is the name of this folder."""
    known = Path(name).name if Path(name).is_dir() else name
    return next((model for model in OFFERED_VISION if known in (model.name, model.alias)), None)


def full_vision_name(name: str) -> str:
    """Return the full name of a known model given by its alias. Other names and folders are returned unchanged."""
    known = offered_vision(name)
    return known.name if known and not Path(name).is_dir() else name
