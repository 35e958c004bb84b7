"""A Whisper model of CTranslate2 (model.bin, config.json, tokenizer.json) -> a folder that transformers loads.

The conversion is exact. CTranslate2 stores OpenAI's float16 weights with some matrices stacked and others renamed.
Splitting and widening them gives the bytes of the published model.safetensors. Quantised models are refused, because
their original weights are lost.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ingest.models.ctranslate2_format import Array, CT2Error, read

HEAD_SIZE = 64  # of Whisper, at every size
MULTILINGUAL_VOCABULARY = 51865  # tokens at least; English-only models have 51864
TIMESTAMPS = 1501  # <|0.00|> to <|30.00|> in steps of 0.02 s, the last tokens of the vocabulary
MAX_INITIAL_TIMESTAMP_INDEX = 50  # speech starts within the first second of a window, or the window has none


def convert(source: Path, target: Path) -> None:
    """Write a folder `target` that transformers' WhisperProcessor and model can load, with float32 weights.

    `source` contains model.bin, config.json and tokenizer.json.

    Raises:
        CT2Error: the model cannot be converted exactly.
    """
    from safetensors.numpy import save_file

    variables = read(source / "model.bin")
    tensors = dict(_tensors(variables))
    if variables:
        raise CT2Error(f"model.bin has variables that Whisper does not have: {', '.join(sorted(variables)[:5])}")
    config = _config(tensors)
    try:
        hints = json.loads((source / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
        _add_timestamps(tokenizer, config["vocab_size"])
        generation = _generation_config(config, hints, tokenizer)
    except (ValueError, KeyError, TypeError) as error:
        raise CT2Error(f"config.json or tokenizer.json is not one of Whisper: {error!r}") from error
    target.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    for name, content in {
        "config.json": config,
        "generation_config.json": generation,
        "preprocessor_config.json": _preprocessor_config(config),
        "tokenizer_config.json": _TOKENIZER_CONFIG,
        "tokenizer.json": tokenizer,
    }.items():
        (target / name).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _tensors(variables: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """The tensors by their names in transformers. Used ones are removed from `variables`."""

    def take(name: str) -> Array:
        try:
            array = variables.pop(name)
        except KeyError:
            raise CT2Error(f"model.bin has no {name}") from None
        if array.dtype not in (np.float16, np.float32):
            raise CT2Error(f"{name} is {array.dtype}: a quantised model cannot be converted exactly")
        return array.astype(np.float32)

    def norm(ours: str, theirs: str) -> Iterator[tuple[str, Array]]:
        yield f"{ours}.weight", take(f"{theirs}/gamma")
        yield f"{ours}.bias", take(f"{theirs}/beta")

    def linear(theirs: str, *ours: str) -> Iterator[tuple[str, Array]]:
        """One stored matrix, or several stacked along the outputs."""
        weight, bias = take(f"{theirs}/weight"), take(f"{theirs}/bias")
        if weight.ndim < 2 or len(weight) % len(ours) or bias.shape != weight.shape[:1]:
            raise CT2Error(f"{theirs} has the shape {weight.shape}, which is not {len(ours)} layers")
        for name, w, b in zip(ours, np.split(weight, len(ours)), np.split(bias, len(ours)), strict=True):
            yield f"{name}.weight", np.ascontiguousarray(w)
            if not name.endswith(".k_proj"):
                yield f"{name}.bias", np.ascontiguousarray(b)
            elif b.any():
                raise CT2Error(f"{theirs} has a bias on its keys, which Whisper does not have")

    def attention(ours: str, theirs: str, crossed: bool) -> Iterator[tuple[str, Array]]:
        q, k, v = (f"{ours}.{part}_proj" for part in "qkv")
        groups = [[q], [k, v]] if crossed else [[q, k, v]]
        for i, names in enumerate([*groups, [f"{ours}.out_proj"]]):
            yield from linear(f"{theirs}/linear_{i}", *names)
        yield from norm(f"{ours}_layer_norm", f"{theirs}/layer_norm")

    for conv in ("conv1", "conv2"):
        yield from linear(f"encoder/{conv}", f"model.encoder.{conv}")
    yield "model.decoder.embed_tokens.weight", take("decoder/embeddings/weight")
    for side in ("encoder", "decoder"):
        yield f"model.{side}.embed_positions.weight", take(f"{side}/position_encodings/encodings")
        yield from norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        for i in range(_layers(variables, f"{side}/layer_")):
            ours, theirs = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
            yield from attention(f"{ours}.self_attn", f"{theirs}/self_attention", crossed=False)
            if side == "decoder":
                yield from attention(f"{ours}.encoder_attn", f"{theirs}/attention", crossed=True)
            yield from norm(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
            yield from linear(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
            yield from linear(f"{theirs}/ffn/linear_1", f"{ours}.fc2")
    for name in [name for name, array in variables.items() if array.ndim == 0]:
        del variables[name]  # options of CTranslate2's decoder, such as decoder/pre_norm


def _layers(variables: dict[str, Array], prefix: str) -> int:
    return len({name[len(prefix) :].split("/")[0] for name in variables if name.startswith(prefix)})


def _config(tensors: dict[str, Array]) -> dict[str, Any]:
    """transformers' WhisperConfig. What does not follow from the tensors is the same at every size."""
    convolution = tensors["model.encoder.conv1.weight"].shape
    if len(convolution) != 3:
        raise CT2Error(f"encoder/conv1/weight has the shape {convolution}, which is not a convolution over mel bins")
    width, mel_bins, _ = convolution
    vocabulary = len(tensors["model.decoder.embed_tokens.weight"])
    end = 50257 if vocabulary >= MULTILINGUAL_VOCABULARY else 50256
    config: dict[str, Any] = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "dtype": "float32",
        "vocab_size": vocabulary,
        "num_mel_bins": mel_bins,
        "d_model": width,
        "max_source_positions": len(tensors["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(tensors["model.decoder.embed_positions.weight"]),
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": end + 1,
    }
    for side in ("encoder", "decoder"):
        config[f"{side}_layers"] = sum(
            name.startswith(f"model.{side}.layers.") and name.endswith(".fc1.bias") for name in tensors
        )
        config[f"{side}_attention_heads"] = width // HEAD_SIZE
        config[f"{side}_ffn_dim"] = 4 * width
    config["num_hidden_layers"] = config["encoder_layers"]
    return config


def _generation_config(config: dict[str, Any], hints: dict[str, Any], tokenizer: dict[str, Any]) -> dict[str, Any]:
    """The options of Whisper's decoding: suppressed tokens, and the tokens of timestamps and languages."""
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    end = config["eos_token_id"]
    generation: dict[str, Any] = {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": config["decoder_start_token_id"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "max_initial_timestamp_index": MAX_INITIAL_TIMESTAMP_INDEX,
        "max_length": config["max_target_positions"],
        "return_timestamps": False,
        "begin_suppress_tokens": hints["suppress_ids_begin"],
        "suppress_tokens": [token for token in hints["suppress_ids"] if token >= 0],
        "alignment_heads": hints["alignment_heads"],
        "is_multilingual": config["vocab_size"] >= MULTILINGUAL_VOCABULARY,
    }
    if generation["is_multilingual"]:
        names = {token: name for name, token in ids.items()}
        generation["lang_to_id"] = {names[token]: token for token in hints["lang_ids"]}
        generation["task_to_id"] = {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")}
        generation["task"] = "transcribe"
    return generation


def _add_timestamps(tokenizer: dict[str, Any], vocabulary: int) -> None:
    """Add the timestamp tokens, which are missing in CTranslate2's tokenizer."""
    known = {token["id"] for token in tokenizer["added_tokens"]}
    for i in range(TIMESTAMPS):
        if (token := vocabulary - TIMESTAMPS + i) not in known:
            tokenizer["added_tokens"].append(
                {
                    "id": token,
                    "content": f"<|{i * 0.02:.2f}|>",
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": False,
                }
            )


def _preprocessor_config(config: dict[str, Any]) -> dict[str, Any]:
    """Whisper's log-mel spectrogram: windows of 30 s at 16 kHz, 25 ms frames every 10 ms."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": config["num_mel_bins"],
        "sampling_rate": 16000,
        "chunk_length": 30,
        "n_fft": 400,
        "hop_length": 160,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


_TOKENIZER_CONFIG = {
    "tokenizer_class": "WhisperTokenizer",
    "processor_class": "WhisperProcessor",
    "bos_token": "<|endoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
    "add_prefix_space": False,
    "clean_up_tokenization_spaces": False,
    "errors": "replace",
    "model_max_length": 1024,
    "return_attention_mask": False,
}
