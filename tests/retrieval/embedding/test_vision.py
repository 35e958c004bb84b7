"""Folders of vision models with random weights -> vectors of pictures and questions."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.models.weights import WeightsError
from retrieval.embedding.vision import VisionEncoder
from retrieval.embedding.vision_models import OFFERED_VISION, full_vision_name
from tests import vision_models
from tests.command_line import REPOSITORY

PICTURES = [Image.new("RGB", (90, 160), colour) for colour in ("red", "blue", "white")]


def check(encoder: VisionEncoder) -> None:
    vectors, questions = encoder.pictures(PICTURES), encoder.queries(["a red cat", "the sea"])
    for made, count in ((vectors, 3), (questions, 2)):
        assert made.shape == (count, encoder.dimension) and made.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-4)
    np.testing.assert_allclose(encoder.query("a red cat"), questions[0], atol=1e-4)
    assert encoder.pictures([]).shape == encoder.queries([]).shape == (0, encoder.dimension)


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_a_model_of_transformers_gives_unit_vectors_without_torchvision(
    tmp_path: Path, kind: vision_models.Kind
) -> None:
    assert importlib.util.find_spec("torchvision") is None
    check(VisionEncoder(str(vision_models.dual(tmp_path / kind, kind))))


def test_vectors_are_those_that_the_model_compares(tmp_path: Path) -> None:
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    folder = vision_models.dual(tmp_path)
    encoder = VisionEncoder(str(folder), precision="fp32")
    model = CLIPModel.from_pretrained(folder).eval()  # type: ignore[no-untyped-call]
    inputs = AutoTokenizer.from_pretrained(folder)(["a red cat"], return_tensors="pt")
    pixels = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=PICTURES, return_tensors="pt")  # type: ignore[no-untyped-call]
    with torch.no_grad():
        both = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], pixel_values=pixels["pixel_values"]
        )
    np.testing.assert_allclose(encoder.pictures(PICTURES), both.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.query("a red cat"), both.text_embeds[0].numpy(), atol=1e-5)


def test_a_model_of_sentence_transformers_gives_the_vectors_of_its_clip(tmp_path: Path) -> None:
    encoder = VisionEncoder(str(vision_models.sentence_model(tmp_path)))
    check(encoder)
    inner = VisionEncoder(str(tmp_path / "inner"), precision="fp32")
    np.testing.assert_allclose(encoder.pictures(PICTURES), inner.pictures(PICTURES), atol=1e-5)


def test_a_picture_tower_uses_the_text_model_that_it_names(tmp_path: Path) -> None:
    encoder = VisionEncoder(str(vision_models.tower(tmp_path, "sentence-transformers/all-MiniLM-L6-v2", 384)))
    check(encoder)
    assert encoder.toy and encoder.dimension == 384


def test_a_tower_of_another_size_than_its_text_model_is_refused(tmp_path: Path) -> None:
    folder = vision_models.tower(tmp_path, "sentence-transformers/all-MiniLM-L6-v2", 12)
    with pytest.raises(WeightsError, match="12 numbers, its text model 384"):
        VisionEncoder(str(folder))


def test_a_long_question_is_cut(tmp_path: Path) -> None:
    encoder = VisionEncoder(str(vision_models.dual(tmp_path)))
    assert np.isfinite(encoder.query("a red cat " * 2_000)).all()


def test_other_weights_have_another_key(tmp_path: Path) -> None:
    first, second = (
        VisionEncoder(str(vision_models.dual(tmp_path / str(seed), seed=seed)), precision="fp32") for seed in (1, 2)
    )
    assert first.key != second.key and first.sha256 != second.sha256


def test_what_is_no_vision_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    BertModel(
        BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=50)
    ).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="compares no pictures"):
        VisionEncoder(str(tmp_path))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"text_model": 7}'])
def test_a_broken_description_of_a_tower_is_refused(tmp_path: Path, content: str) -> None:
    folder = vision_models.tower(tmp_path, "all-MiniLM-L6-v2", 384)
    (folder / "picture_tower.json").write_text(content, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"picture_tower\.json"):
        VisionEncoder(str(folder))


def test_a_configuration_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    folder = vision_models.dual(tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    with pytest.raises(WeightsError, match="not a vision model"):
        VisionEncoder(str(folder))


def test_known_models_have_names_licences_and_sizes() -> None:
    assert full_vision_name("siglip2-base-patch16-224") == "google/siglip2-base-patch16-224"
    assert full_vision_name("my/own") == "my/own"
    assert len({model.alias for model in OFFERED_VISION}) == len(OFFERED_VISION)
    page = (REPOSITORY / "docs" / "how-to" / "search-pictures.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for model in OFFERED_VISION:
        parameters = f"{model.parameters_m:g} M" if model.parameters_m < 1000 else f"{model.parameters_m / 1000:.1f} G"
        download = f"{model.megabytes} MB" if model.megabytes < 1000 else f"{model.megabytes / 1000:.1f} GB"
        for figure in (parameters, download, model.dimension, model.pixels, model.languages.split()[0], model.licence):
            assert f"| {figure} |" in rows[model.name]


def test_the_module_loads_neither_torch_nor_transformers() -> None:
    code = "import sys, retrieval.embedding.vision; print('torch' in sys.modules, 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        "False",
        "False",
    ]


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_real_sizes_run_through(tmp_path: Path, kind: vision_models.Kind) -> None:
    encoder = VisionEncoder(str(vision_models.dual(tmp_path, kind, real_size=True)))
    check(encoder)
    assert encoder.dimension == (512 if kind == "clip" else 768)
