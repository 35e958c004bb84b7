"""The file of tuned fusion weights, by the encoders of a generation."""

import json
from pathlib import Path
from typing import Any

from retrieval.errors import GenerationError
from retrieval.index.manifest import FusionWeights
from scraper import files

TUNED = "weights.json"


def tuned_weights(indexes: Path, encoder: str) -> FusionWeights | None:
    """Return the weights tuned for encoders by their label, if there are any.

    Raises:
        GenerationError: the file with the weights is broken.
    """
    tuned = _all(indexes)
    try:
        return FusionWeights.model_validate(tuned[encoder]) if encoder in tuned else None
    except ValueError as error:
        raise _broken(indexes, error) from error


def keep_weights(indexes: Path, encoder: str, weights: FusionWeights) -> None:
    """Keep weights for later builds with these encoders."""
    tuned = _all(indexes) | {encoder: weights.model_dump(by_alias=True)}
    with files.replace_atomically(indexes / TUNED) as part:
        part.write_text(json.dumps(tuned, indent=1), encoding="utf-8")


def _all(indexes: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((indexes / TUNED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise _broken(indexes, error) from error


def _broken(indexes: Path, error: Exception) -> GenerationError:
    return GenerationError(
        f"{indexes / TUNED} cannot be read ({error}): delete it, or run `tiktok-retrieval tune --write`"
    )
