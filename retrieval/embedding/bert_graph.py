"""The settings and weights of a BERT model -> an ONNX graph that onnxruntime computes.

The graph names the weights in model.safetensors: nothing is converted or copied.
"""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

_FUSED = "com.microsoft"  # the operators of onnxruntime itself


def bert_graph(config: dict[str, Any], weights: Path) -> bytes:
    """Return the model that maps the tokens of texts to their values, shape (texts, tokens, dimension).

    It takes `ids`, shape (texts, tokens), the `places` of the tokens, and `lengths`: the number of tokens of each text.

    Args:
        config: as in config.json.
        weights: the safetensors file, in float32. The model names it without its folder.
    """
    dimension, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    graph = _Graph(weights, float(config["layer_norm_eps"]))
    word = graph.add("Gather", [graph.weight("embeddings.word_embeddings.weight"), "ids"], "word")
    place = graph.add("Gather", [graph.weight("embeddings.position_embeddings.weight"), "places"], "place")
    first = graph.constant("first", 0)
    kind = graph.add("Gather", [graph.weight("embeddings.token_type_embeddings.weight"), first], "kind")
    embedded = graph.add("Add", [graph.add("Add", [word, place], "placed"), kind], "embedded")
    normal = graph.norm("LayerNormalization", [embedded], "embeddings.LayerNorm")
    # Products are of all tokens of all texts below each other; attention is within each text.
    flat, of_texts = graph.constant("flat", -1, dimension), graph.add("Shape", [normal], "of_texts")
    values = graph.add("Reshape", [normal, flat], "values")
    for number in range(int(config["num_hidden_layers"])):
        layer = f"encoder.layer.{number}"
        asked = [
            graph.add("Reshape", [graph.linear(values, f"{layer}.attention.self.{part}"), of_texts], f"{layer}.{part}")
            for part in ("query", "key", "value")
        ]
        context = graph.add("MultiHeadAttention", [*asked, "", "lengths"], f"{layer}.of", _FUSED, num_heads=heads)
        context = graph.add("Reshape", [context, flat], f"{layer}.context")
        attended = graph.linear(context, f"{layer}.attention.output.dense")
        values = graph.norm("SkipLayerNormalization", [attended, values], f"{layer}.attention.output.LayerNorm", _FUSED)
        wide = graph.add("Gelu", [graph.linear(values, f"{layer}.intermediate.dense")], f"{layer}.wide", _FUSED)
        narrow = graph.linear(wide, f"{layer}.output.dense")
        values = graph.norm("SkipLayerNormalization", [narrow, values], f"{layer}.output.LayerNorm", _FUSED)
    graph.add("Reshape", [values, of_texts], "found")
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"]),
        helper.make_tensor_value_info("places", TensorProto.INT64, ["tokens"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["texts"]),
    ]
    output = helper.make_tensor_value_info("found", TensorProto.FLOAT, ["texts", "tokens", dimension])
    return graph.model(inputs, output)


class _Graph:
    """The operators of a model, and the weights in a safetensors file that they use.

    Args:
        epsilon: of the normalisations.
    """

    def __init__(self, weights: Path, epsilon: float) -> None:
        self._name, self._epsilon = weights.name, epsilon
        self._nodes, self._constants = list[Any](), list[Any]()
        with weights.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self._header = json.loads(file.read(length))
        self._start = 8 + length

    def weight(self, name: str) -> str:
        """Add a tensor of the file, and return its name."""
        begin, end = self._header[name]["data_offsets"]
        tensor = TensorProto(
            name=name,
            data_type=TensorProto.FLOAT,
            dims=self._header[name]["shape"],
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in {"location": self._name, "offset": self._start + begin, "length": end - begin}.items():
            tensor.external_data.add(key=key, value=str(value))
        self._constants.append(tensor)
        return name

    def constant(self, name: str, *values: int) -> str:
        """Add whole numbers, and return their name."""
        self._constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **settings: Any) -> str:
        """Add an operator, and return the name of its output."""
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **settings))
        return output

    def linear(self, values: str, name: str) -> str:
        """Add a linear layer of the file, and return the name of its output."""
        inputs = [values, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("Gemm", inputs, name, transB=1)

    def norm(self, operator: str, inputs: Sequence[str], name: str, domain: str = "") -> str:
        """Add a normalisation with weights of the file, and return the name of its output."""
        inputs = [*inputs, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add(operator, inputs, name, domain, epsilon=self._epsilon)

    def model(self, inputs: Sequence[Any], output: Any) -> bytes:
        """Return the model that takes and gives these values."""
        graph = helper.make_graph(self._nodes, "bert", inputs, [output], self._constants)
        versions = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
        serialised: bytes = helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString()
        return serialised
