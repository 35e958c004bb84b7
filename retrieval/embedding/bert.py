"""A short text -> its vector by a BERT model, with onnxruntime: without torch, which takes seconds to import.

The model is described as an ONNX graph that names the weights in model.safetensors: nothing is converted or copied.
onnxruntime rearranges the matrices once for its products, which are three times as fast as numpy's on the few tokens of
a question. The vocabulary, which is most of a multilingual model, stays in the file, and only the rows of the tokens of
questions are read. The vectors are those of sentence-transformers in fp32, up to rounding.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.models.device import compute_elsewhere, threads_on
from retrieval.embedding.token_sums import Cuts, TokenSums, sums_of_tokens

Array = NDArray[np.float32]
MAX_TOKENS = 2_048  # of a batch, with padding: four long texts, whose attention takes 50 MB


class Bert:
    """A BERT model that pools by the mean. Several threads can use it. It computes in the calling thread, or in that
    and one more.

    Use `supported` before.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        from retrieval.embedding.bert_graph import bert_graph

        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # questions are short
        config = _read(folder / "config.json")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(int(_read(folder / "sentence_bert_config.json")["max_seq_length"]))
        self._tokenizer.no_padding()
        self.dimension = int(config["hidden_size"])
        weights = (folder / "model.safetensors").resolve()  # onnxruntime does not follow links to other folders
        self._graph, self._folder = bert_graph(config, weights), str(weights.parent)
        self._in_one, self._in_two, self._lock = self._session(1), None, threading.Lock()
        self._second: set[int] = set()  # the number of the thread of _in_two besides the caller's, if it is known

    def _session_of_two(self) -> tuple[Any, set[int]]:
        """Return what computes in two threads, and the number of the second one, which is known by its core."""
        if not hasattr(os, "sched_getaffinity"):
            return self._session(2), set()
        core = max(os.sched_getaffinity(0))
        before = threads_on(core)
        return self._session(2, core), threads_on(core) - before

    def _session(self, threads: int, core: int | None = None) -> Any:
        """Return what computes in so many threads. It has its own copy of the matrices.

        Args:
            core: of the second thread.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batch
        options.log_severity_level = 3  # errors
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", self._folder)
        options.add_session_config_entry("session.force_spinning_stop", "1")  # when all is computed
        if core is not None:
            options.add_session_config_entry("session.intra_op_thread_affinities", str(core + 1))  # counted from 1
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])

    def vectors(self, texts: Sequence[str], *, in_two_threads: bool = False) -> Array:
        """Return the unit vectors of texts, shape (len(texts), dimension).

        Args:
            in_two_threads: whether another core is idle. Both together read the matrices, which is what takes the time,
                nearly twice as fast.
        """
        with self._lock:
            if in_two_threads and not self._in_two:
                self._in_two, self._second = self._session_of_two()  # more were not measured
        for thread in self._second if in_two_threads else ():
            compute_elsewhere(thread)
        session = self._in_two if in_two_threads else self._in_one
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        found = np.empty((len(texts), self.dimension), np.float32)
        for batch in _batches(tokens):
            found[batch] = self._pooled([tokens[number] for number in batch], session)
        return found

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts], prompt: str) -> tuple[Array, list[TokenSums]]:
        """Return the unit vectors of texts, shape (len(texts), dimension), and the parts of them; see token_sums.py.

        Args:
            cuts: of each text.
            prompt: what the model gets before each text.
        """
        encoded = self._tokenizer.encode_batch([prompt + text for text in texts])
        vectors, sums = np.empty((len(texts), self.dimension), np.float32), dict[int, TokenSums]()
        for batch in _batches([one.ids for one in encoded]):
            values, there = self._values([encoded[number].ids for number in batch], self._in_one)
            spans = np.zeros((*there.shape, 2), np.int64)
            spans[there] = np.concatenate([encoded[number].offsets for number in batch])
            of_batch = sums_of_tokens(values, spans - len(prompt), there, [cuts[number] for number in batch])
            vectors[batch] = of_batch[0]
            sums |= zip(batch, of_batch[1], strict=True)
        return vectors, [sums[number] for number in range(len(texts))]

    def _pooled(self, tokens: Sequence[Sequence[int]], session: Any) -> Array:
        values, there = self._values(tokens, session)
        lengths = there.sum(axis=1, dtype=np.float32)[:, None]
        pooled = np.einsum("btd,bt->bd", values, there.astype(np.float32)) / lengths
        unit: Array = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        return unit

    def _values(self, tokens: Sequence[Sequence[int]], session: Any) -> tuple[Array, NDArray[np.bool_]]:
        """Return the values of the tokens of texts, shape (texts, tokens, dimension), and which are no padding."""
        lengths = np.array([len(ids) for ids in tokens], np.int32)
        places = np.arange(lengths.max())
        padded = np.zeros((len(tokens), len(places)), np.int64)
        there = places < lengths[:, None]
        padded[there] = np.concatenate(tokens)
        (values,) = session.run(None, {"ids": padded, "places": places, "lengths": lengths})
        return values, there


def _batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the numbers of texts that are encoded together: such of about the same length, up to MAX_TOKENS."""
    batch: list[int] = []
    for number in sorted(range(len(tokens)), key=lambda number: len(tokens[number])):
        if batch and (len(batch) + 1) * len(tokens[number]) > MAX_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def supported(folder: Path) -> bool:
    """Return whether a model in a folder is one that `Bert` computes: all its settings are known, and none is other."""
    try:
        config, pooling = _read(folder / "config.json"), _read(folder / "1_Pooling" / "config.json")
        read, modules = _read(folder / "sentence_bert_config.json"), _read(folder / "modules.json")
        kinds = [(str(module["type"]).rpartition(".")[2], module["path"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    modes = {name for name, used in pooling.items() if name.startswith("pooling_mode") and used}
    return (
        [*kinds, ("Normalize", "2_Normalize")][:3]
        == [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
        and len(kinds) <= 3
        and modes == {"pooling_mode_mean_tokens"}
        and pooling.get("include_prompt", True)
        and (config.get("model_type"), config.get("hidden_act")) == ("bert", "gelu")
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not read.get("do_lower_case")
        and isinstance(read.get("max_seq_length"), int)
        and (folder / "tokenizer.json").is_file()
        and (folder / "model.safetensors").is_file()
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
