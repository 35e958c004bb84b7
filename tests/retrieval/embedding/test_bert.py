"""Questions are encoded with onnxruntime as sentence-transformers encodes them."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.models.weights import resolve
from retrieval.embedding import bert
from retrieval.embedding.bert import supported
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.query_encoder import FEW_CHARS, QueryEncoder, query_encoder

MODELS = ("sentence-transformers/all-MiniLM-L6-v2", "intfloat/multilingual-e5-small")
TEXTS = [
    "cat",
    "Cat Falls off the SHELF",
    "",
    " \t spaces  and\nlines ",
    "¿Cómo se hace la tortilla? señor, İstanbul, ǅ, Straße",
    "回転寿司に行ってきた 🍣 été ほしい",
    "صقر يعود إلى يدي",
    "👨‍👩‍👧‍👦 family [SEP] [MASK] </s> <s> \u200b\ufffd",
    "a long one " * 400,
]


@pytest.mark.parametrize("name", MODELS)
def test_the_vectors_are_those_of_sentence_transformers(name: str) -> None:
    whole = SentenceEncoder(name, precision="fp32")
    light = query_encoder(name, "fp32", whole.sha256)
    assert isinstance(light, QueryEncoder)
    assert (light.key, light.dimension, light.sha256) == (whole.key, whole.dimension, whole.sha256)
    assert dict(light.prompts) == dict(whole.prompts)
    expected = whole.queries(TEXTS)
    assert np.abs(light.queries(TEXTS) - expected).max() < 1e-5
    assert np.abs(np.stack([light.query(text) for text in TEXTS]) - expected).max() < 1e-5
    assert np.abs(np.stack([light.query(text, in_two_threads=True) for text in TEXTS]) - expected).max() < 1e-5
    assert light.queries([]).shape == (0, whole.dimension)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds a thread to cores")
def test_the_second_thread_of_a_question_computes_on_another_core(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[int] = []
    monkeypatch.setattr(bert, "compute_elsewhere", placed.append)
    name, ended = MODELS[0], threading.Event()
    light = query_encoder(name, "fp32", resolve(name).sha256)
    assert isinstance(light, QueryEncoder)
    light.query("cat")
    assert not placed
    make, others = light._bert._session, list[threading.Thread]()

    def make_while_others_begin(*arguments: Any) -> Any:
        others.append(threading.Thread(target=ended.wait))
        others[-1].start()
        return make(*arguments)

    monkeypatch.setattr(light._bert, "_session", make_while_others_begin)
    for _ in range(2):
        light.query("cat", in_two_threads=True)
    ended.set()
    assert len(placed) == 2 and len(set(placed)) == 1 == len(others)
    assert placed[0] not in [others[0].native_id, threading.get_native_id()]


@pytest.mark.parametrize("name", MODELS)
def test_a_few_passages_and_their_parts_are_those_of_sentence_transformers(name: str) -> None:
    whole = SentenceEncoder(name, precision="fp32")
    light = query_encoder(name, "fp32", whole.sha256)
    assert np.abs(light.passages(TEXTS) - whole.passages(TEXTS)).max() < 1e-5
    cuts = [tuple(range(0, max(1, len(text)), 7)) for text in TEXTS]
    found, expected = light.token_sums(TEXTS, cuts), whole.token_sums(TEXTS, cuts)
    assert found and expected
    assert np.abs(found[0] - expected[0]).max() < 1e-5
    for of_text, wanted in zip(found[1], expected[1], strict=True):
        assert of_text.tokens.tolist() == wanted.tokens.tolist()
        np.testing.assert_allclose(of_text.sums, wanted.sums, atol=1e-3)
    assert light.token_sums([], []) is not None
    assert light.passages([]).shape == (0, whole.dimension)


def test_many_passages_are_encoded_by_the_whole_model_in_the_precision_of_the_index(name: str = MODELS[0]) -> None:
    whole = SentenceEncoder(name, precision="bf16")
    light = query_encoder(name, "bf16", whole.sha256)
    assert light.key == whole.key
    many = [f"{number} passages " * 20 for number in range(FEW_CHARS // 200)]
    assert np.array_equal(light.passages(many), whole.passages(many))


def test_a_few_passages_do_not_load_torch() -> None:
    script = (
        "import sys; from retrieval.embedding.query_encoder import query_encoder\n"
        f"light = query_encoder({MODELS[0]!r}, 'bf16', {resolve(MODELS[0]).sha256!r})\n"
        "assert light.passages(['a tea pot']).shape == (1, 384) and light.token_sums(['a tea pot'], [(0, 2)])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("config.json", '"model_type": "bert"', '"model_type": "xlm-roberta"'),
        ("config.json", '"gelu"', '"gelu_new"'),
        ("modules.json", "models.Normalize", "models.Dense"),
        ("1_Pooling/config.json", '"pooling_mode_cls_token": false', '"pooling_mode_cls_token": true'),
        ("sentence_bert_config.json", '"do_lower_case": false', '"do_lower_case": true'),
        ("sentence_bert_config.json", '"max_seq_length": 256', '"max_seq_length": null'),
        ("config.json", "{", ""),
    ],
)
def test_a_model_with_other_settings_is_left_to_sentence_transformers(
    tmp_path: Path, file: str, old: str, new: str
) -> None:
    model = resolve(MODELS[0]).folder
    for path in model.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(model)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(model)).symlink_to(path)
    assert supported(tmp_path)
    changed = tmp_path / file
    text = changed.read_text(encoding="utf-8")
    changed.unlink()
    assert old in text
    changed.write_text(text.replace(old, new), encoding="utf-8")
    assert not supported(tmp_path)
