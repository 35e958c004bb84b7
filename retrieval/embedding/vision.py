"""Pictures and questions -> unit vectors in one space, by a CLIP-like model.

Three kinds of folder can be used: a model of transformers with a picture and a text tower (CLIP, SigLIP, SigLIP 2,
AltCLIP, Chinese CLIP, MetaCLIP), a model of sentence-transformers that reads pictures, and a picture tower whose
`picture_tower.json` names the text model in whose space its vectors are. torchvision is not needed: pictures are scaled
by Pillow. Nothing here is imported before a vision model is chosen.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from ingest.models.device import has_bf16, obey_thread_limit
from ingest.models.weights import Weights, WeightsError, resolve
from retrieval.embedding.encoder import Encoder, Vectors, encoder_key
from retrieval.embedding.query_encoder import query_encoder
from retrieval.embedding.registry import full_name, only_language
from retrieval.embedding.vision_models import OFFERED_VISION, full_vision_name, offered_vision

if TYPE_CHECKING:
    import torch

TOWER = "picture_tower.json"
BATCH = 32  # pictures; 19 MB of pixels at 224 px
MIN_HALF_COSINE = 0.999
RULES = 1  # part of the key: increase it when a change here gives other vectors
_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)


class Towers(Protocol):
    """The two halves of a model. Their vectors need not have the length 1."""

    dimension: int

    def pictures(self, images: Sequence[Image.Image]) -> Vectors: ...
    def texts(self, texts: Sequence[str]) -> Vectors: ...


class VisionEncoder:
    """A vision model by name or folder. Its weights are checked by sha256.

    Attributes:
        key: identifies everything that decides a picture's vector: weights, precision and settings.
        toy: whether it is for demonstrations only.
        language: the only one in which it reads questions; "" if it reads many, or nobody knows.

    Raises:
        WeightsError: the weights cannot be loaded, are not the expected ones, or are not those of a vision model.
    """

    def __init__(self, name: str, *, precision: str | None = None, sha256: str | None = None) -> None:
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        obey_thread_limit()
        weights = _resolved(name, sha256)
        known = offered_vision(name)
        self.name = str(weights.folder.resolve()) if weights.source == "folder" else weights.name
        self.sha256 = weights.sha256
        about = _about_tower(weights.folder)
        self.toy = bool(about and about.get("toy"))
        self.prompt = known.prompt if known else ""
        self.language = "en" if known and known.languages == "English" else ""
        if about:
            self.language = only_language(full_name(about["text_model"]))
        try:
            self._towers, self.precision = _load(weights, known.text_model if known else "", about, precision)
        except WeightsError:
            raise
        except _BROKEN as error:
            raise WeightsError(f"{weights.folder} is not a vision model that can be used: {error}") from error
        self.dimension = self._towers.dimension
        settings = encoder_key(weights.sha256, self.precision, weights.folder, {})
        self.key = hashlib.sha256(f"pictures {RULES} {settings}".encode()).hexdigest()

    def pictures(self, images: Sequence[Image.Image]) -> Vectors:
        """Return the unit vectors of RGB pictures, shape (len(images), dimension)."""
        batches = [self._towers.pictures(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
        return _unit(np.concatenate(batches)) if batches else np.zeros((0, self.dimension), np.float32)

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a question, shape (dimension,)."""
        vector: Vectors = self.queries([text])[0]
        return vector

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of questions, shape (len(texts), dimension)."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return _unit(self._towers.texts([self.prompt + " ".join(text.split()) for text in texts]))


def _resolved(name: str, sha256: str | None) -> Weights:
    try:
        return resolve(full_vision_name(name), wanted=sha256)
    except WeightsError as error:
        offered = ", ".join(model.name for model in OFFERED_VISION)
        raise WeightsError(
            f"{str(error).partition(' Give the path')[0]} Give the path of a local folder with a vision model, or when"
            f" the hub can be reached, one of: {offered}."
        ) from error


def _about_tower(folder: Path) -> dict[str, Any] | None:
    """Return what a folder says of its picture tower, or None if it has another kind of model."""
    try:
        about = json.loads((folder / TOWER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder / TOWER} cannot be read: {error}") from error
    if not (isinstance(about, dict) and isinstance(about.get("text_model"), str)):
        raise WeightsError(f"{folder / TOWER} names no text model")
    return about


def _load(weights: Weights, text_model: str, about: dict[str, Any] | None, precision: str | None) -> tuple[Towers, str]:
    """Return the towers of a model and the precision in which they compute."""
    if about:
        tower = _PictureTower(weights.folder, about["text_model"])
        return tower, _choose_precision(tower, precision)
    if (weights.folder / "modules.json").is_file():
        return _SentenceTowers(weights.folder, text_model), "fp32"
    towers = _DualTowers(weights.folder)
    return towers, _choose_precision(towers, precision)


class _OnDevice:
    """A torch model on the fastest device, and the precision in which it computes."""

    def __init__(self, model: "torch.nn.Module") -> None:
        import torch

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.float().eval().to(self.device)
        self.precision = "fp32"

    def use(self, precision: str) -> None:
        """Compute in fp32; in fp16 on a graphics card; in bf16 on a CPU that does so natively."""
        self.precision = precision
        if precision == "fp16" and self.device == "cuda":
            self.model = self.model.half()

    def run(self, function: Any, inputs: Any) -> Vectors:
        """Return what a function of the model gives for the inputs of a processor: float32 vectors."""
        import torch

        moved = {name: value.to(self.device) for name, value in inputs.items()}
        if self.precision == "fp16" and self.device == "cuda":
            moved = {name: value.half() if value.is_floating_point() else value for name, value in moved.items()}
        in_bf16 = self.precision == "bf16" and self.device == "cpu" and has_bf16()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=in_bf16):
            output = function(**moved)
        found = output if isinstance(output, torch.Tensor) else getattr(output, "pooler_output", None)
        if found is None:
            found = output.logits
        vectors: Vectors = found.float().cpu().numpy()
        return vectors


class _DualTowers(_OnDevice):
    """A model of transformers with a picture and a text tower."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        options = {"local_files_only": True, "trust_remote_code": False}
        model = AutoModel.from_pretrained(folder, **options)
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise WeightsError(
                f"{folder} has a model of the type {model.config.model_type}, which compares no pictures"
            )
        super().__init__(model)
        self._processor = _picture_processor(folder)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        kind, text = str(model.config.model_type), getattr(model.config, "text_config", None)
        self._siglip = kind.startswith("siglip")  # trained on lower case, padded to the full length
        self._tokens = min(int(getattr(text, "max_position_embeddings", 0) or 77), 512)
        self.dimension = self.texts(["a picture"]).shape[1]

    def pictures(self, images: Sequence[Image.Image]) -> Vectors:
        return self.run(self.model.get_image_features, self._processor(images=list(images), return_tensors="pt"))

    def texts(self, texts: Sequence[str]) -> Vectors:
        given = [text.lower() for text in texts] if self._siglip else list(texts)
        padding = "max_length" if self._siglip else True
        inputs = self._tokenizer(given, padding=padding, truncation=True, max_length=self._tokens, return_tensors="pt")
        accepted = ("input_ids",) if self._siglip else ("input_ids", "attention_mask")
        return self.run(self.model.get_text_features, {name: inputs[name] for name in accepted if name in inputs})


class _PictureTower(_OnDevice):
    """A network whose outputs are vectors in the space of a text model."""

    def __init__(self, folder: Path, text_model: str) -> None:
        from transformers import AutoModelForImageClassification

        options = {"local_files_only": True, "trust_remote_code": False}
        super().__init__(AutoModelForImageClassification.from_pretrained(folder, **options))
        self._processor = _picture_processor(folder)
        self._encoder = text_encoder(text_model)
        self.dimension = self._encoder.dimension

    def pictures(self, images: Sequence[Image.Image]) -> Vectors:
        vectors = self.run(self.model, self._processor(images=list(images), return_tensors="pt"))
        if vectors.shape[1] != self.dimension:
            raise WeightsError(f"the picture tower gives {vectors.shape[1]} numbers, its text model {self.dimension}")
        return vectors

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._encoder.queries(texts)


class _SentenceTowers:
    """A model of sentence-transformers that reads pictures, and perhaps another one that reads questions."""

    def __init__(self, folder: Path, text_model: str) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
        if "image" not in getattr(self._model, "modalities", ["image"]):
            raise WeightsError(f"{folder} is a sentence-transformers model that reads no pictures")
        self._encoder = text_encoder(text_model) if text_model else None
        self.dimension = self.texts(["a picture"]).shape[1]

    def pictures(self, images: Sequence[Image.Image]) -> Vectors:
        return np.asarray(self._model.encode(list(images), batch_size=BATCH, show_progress_bar=False), np.float32)

    def texts(self, texts: Sequence[str]) -> Vectors:
        if self._encoder:
            return self._encoder.queries(texts)
        return np.asarray(self._model.encode(list(texts), show_progress_bar=False), np.float32)


def text_encoder(name: str) -> Encoder:
    """Return a text model that encodes questions."""
    weights = resolve(full_name(name))
    return query_encoder(name, "fp32", weights.sha256)


def _picture_processor(folder: Path) -> Any:
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True, trust_remote_code=False)  # type: ignore[no-untyped-call]


def _choose_precision(towers: "_DualTowers | _PictureTower", wanted: str | None) -> str:
    """Return the precision to compute in: half of fp32 if the vectors of some pictures stay almost the same."""
    if wanted is None:
        half = "fp16" if towers.device == "cuda" else "bf16" if has_bf16() else "fp32"
        wanted = half if half != "fp32" and _stays(towers, half) else "fp32"
    towers.use(wanted)
    return wanted


def _stays(towers: "_DualTowers | _PictureTower", half: str) -> bool:
    chance = np.random.default_rng(1)
    noise = [chance.integers(0, 255, (cells, cells, 3), dtype=np.uint8) for cells in (2, 5, 12, 40)]
    probes = [Image.fromarray(pixels).resize((270, 480), Image.Resampling.BICUBIC) for pixels in noise]
    exact, full = _unit(towers.pictures(probes)), towers.model
    if half == "fp16":
        towers.model = copy.deepcopy(full)
    towers.use(half)
    rounded = _unit(towers.pictures(probes))
    towers.model = full
    towers.use("fp32")
    return float((exact * rounded).sum(axis=1).min()) >= MIN_HALF_COSINE


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32)
