"""Folders of vision models with random weights, as transformers and sentence-transformers save them."""

import json
from pathlib import Path
from typing import Any, Literal

Kind = Literal["clip", "siglip", "siglip2"]

WORDS = ["<pad>", "<unk>", "<s>", "</s>", "a", "red", "blue", "picture", "of", "cat", "dog", "the", "sea", "photo"]


def dual(folder: Path, kind: Kind = "clip", *, real_size: bool = False, seed: int = 1) -> Path:
    """A CLIP or SigLIP, tiny or as large as the published base models."""
    import torch
    from transformers import (
        CLIPConfig,
        CLIPModel,
        Siglip2Config,
        Siglip2Model,
        SiglipConfig,
        SiglipModel,
    )

    torch.manual_seed(seed)
    side = 224 if real_size else 32
    layers = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    text: dict[str, Any] = {} if real_size else layers | {"vocab_size": len(WORDS) + 8}
    vision: dict[str, Any] = {} if real_size else layers | {"image_size": 32, "patch_size": 8}
    if kind == "clip":
        text |= {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
        options: dict[str, Any] = {} if real_size else {"projection_dim": 16}
        model: Any = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, **options))
    elif kind == "siglip":
        if real_size:  # siglip2-base-patch16-224: the same towers with Gemma's vocabulary
            text |= {"vocab_size": 256_000}
        else:
            text |= {"projection_size": 32}
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    else:  # pictures of any shape: siglip2-base-patch16-naflex
        text |= {} if real_size else {"projection_size": 32}
        vision = {key: value for key, value in vision.items() if key != "image_size"}
        vision |= {} if real_size else {"num_patches": 16}
        model = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))
    model.save_pretrained(folder)
    processors: dict[str, dict[str, Any]] = {
        "clip": {
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": side},
            "crop_size": {"height": side, "width": side},
            "do_center_crop": True,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711],
        },
        "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": side, "width": side}},
        "siglip2": {
            "image_processor_type": "Siglip2ImageProcessor",
            "patch_size": 16 if real_size else 8,
            "max_num_patches": 256 if real_size else 16,
        },
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processors[kind]), encoding="utf-8")
    tokenizer(folder)
    return folder


def tokenizer(folder: Path) -> None:
    """Write a tokenizer that knows WORDS."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)


def sentence_model(folder: Path) -> Path:
    """A CLIP as a model of sentence-transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    dual(folder / "inner")
    SentenceTransformer(modules=[Transformer(str(folder / "inner"), processor_kwargs={})]).save(str(folder / "whole"))
    return folder / "whole"


def tower(folder: Path, text_model: str, dimension: int) -> Path:
    """A picture tower that names the text model in whose space its vectors are."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(1)
    config = ResNetConfig(  # type: ignore[call-arg]
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=dimension
    )
    ResNetForImageClassification(config).half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    processor = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    (folder / "picture_tower.json").write_text(json.dumps({"text_model": text_model, "toy": True}), encoding="utf-8")
    return folder
