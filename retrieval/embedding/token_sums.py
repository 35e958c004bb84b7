"""A text that is cut into parts -> how much of its vector comes from each part.

An encoder that pools by the mean makes a text's vector from those of its n tokens h: their mean m, divided by its
length |m|. So the vector is the sum of h / (n |m|) over all tokens, and what the tokens of one part add up to is that
part of it: the cosine of a question with the text is the sum of its products with the parts. The prompt and the tokens
that mark beginning and end belong to no part. Each part gets of them what it has of the other tokens.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Cuts = tuple[int, ...]  # where the parts of a text start, in characters; the first is 0


@dataclass(frozen=True)
class TokenSums:
    """The parts of a text's vector.

    Attributes:
        tokens: how many tokens each part has, shape (parts,). The encoder reads only the beginning of a long text: the
            parts after it have none.
        sums: what each part adds to the unit vector, shape (parts, dimension), in half precision.
    """

    tokens: NDArray[np.int32]
    sums: NDArray[np.float16]

    def to_bytes(self, cuts: Cuts) -> bytes:
        """Return this for the cache, with the cuts that it was made for. Parts without tokens take no room."""
        head = np.array([*self.sums.shape, *cuts, *self.tokens], "<i4")
        return head.tobytes() + self.sums[self.tokens > 0].astype("<f2").tobytes()

    @classmethod
    def from_bytes(cls, raw: bytes, cuts: Cuts, dimension: int) -> "TokenSums | None":
        """Return what `to_bytes` wrote, or None if it was made for other cuts."""
        head = np.frombuffer(raw, "<i4", min(len(raw) // 4, 2 + 2 * len(cuts)))
        if head.tolist()[: 2 + len(cuts)] != [len(cuts), dimension, *cuts] or len(head) != 2 + 2 * len(cuts):
            return None
        tokens = head[2 + len(cuts) :].astype(np.int32)
        found = np.frombuffer(raw, "<f2", offset=head.nbytes)
        if found.size != np.count_nonzero(tokens) * dimension:
            return None
        sums = np.zeros((len(cuts), dimension), np.float16)
        sums[tokens > 0] = found.reshape(-1, dimension)
        return cls(tokens, sums)


def pools_by_mean(model: "SentenceTransformer", prompt: str) -> bool:
    """Return whether a text's vector is the mean of its tokens' vectors, the prompt's included, and nothing else is
    computed from it."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    first, *rest = model
    pooling = rest[0] if rest else None
    return (
        isinstance(first, Transformer)
        and isinstance(pooling, Pooling)
        and pooling.pooling_mode in ("mean", ("mean",))
        and (pooling.include_prompt or not prompt)
        and all(isinstance(module, Normalize) for module in rest[1:])
        and getattr(model.tokenizer, "is_fast", False)  # only these say where a token is in the text
    )


def token_sums(
    model: "SentenceTransformer",
    texts: Sequence[str],
    cuts: Sequence[Cuts],
    prompt: str,
    computing: AbstractContextManager[Any],
) -> tuple[NDArray[np.float32], list[TokenSums]]:
    """Return the unit vectors of a batch of texts, and the parts of them. `model` pools by the mean.

    Args:
        cuts: of each text.
        prompt: what the model gets before each text.
        computing: the precision to compute in.
    """
    import torch

    features = model.tokenizer(
        [prompt + text for text in texts],
        padding=True,
        truncation=True,
        max_length=model.max_seq_length,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    spans = features.pop("offset_mapping").numpy() - len(prompt)
    real = features["attention_mask"].numpy().astype(bool)
    part = _parts(spans, real, cuts)
    with torch.inference_mode(), computing:
        hidden = model[0]({name: values.to(model.device) for name, values in features.items()})["token_embeddings"]
    with torch.inference_mode():
        # One product for all parts, where the tokens' vectors are: a graphics card need not send these back.
        member = torch.from_numpy(_members(part)).to(hidden.device)
        added: NDArray[np.float32] = (member.float() @ hidden.float()).cpu().numpy()
    return _divided(added, part, cuts)


def sums_of_tokens(
    hidden: NDArray[np.float32], spans: NDArray[np.int64], real: NDArray[np.bool_], cuts: Sequence[Cuts]
) -> tuple[NDArray[np.float32], list[TokenSums]]:
    """Return the unit vectors of a batch of texts, and the parts of them, if the vectors of their tokens are known.

    Args:
        hidden: these, shape (texts, tokens, dimension).
        spans: where each token is in its text, in characters, shape (texts, tokens, 2).
        real: which tokens are no padding, shape (texts, tokens).
        cuts: of each text.
    """
    part = _parts(spans, real, cuts)
    return _divided(_members(part).astype(np.float32) @ hidden, part, cuts)


def _members(part: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which tokens belong to each part, and to none, shape (texts, parts + 1, tokens)."""
    return np.asarray(part[:, None, :] == np.arange(part.max(initial=0) + 1)[:, None])


def _divided(
    added: NDArray[np.float32], part: NDArray[np.int64], cuts: Sequence[Cuts]
) -> tuple[NDArray[np.float32], list[TokenSums]]:
    """Return the unit vectors of texts and the parts of them.

    Args:
        added: what the tokens of no part (first) and of each part add up to, shape (texts, parts + 1, dimension).
        part: which part each token belongs to.
    """
    whole = added.sum(axis=1)
    scale = np.maximum(np.linalg.norm(whole, axis=1), 1e-12)
    vectors = whole / scale[:, None]
    counts = [np.bincount(row[row > 0] - 1, minlength=len(of)) for row, of in zip(part, cuts, strict=True)]
    return vectors, [_sums(sums, count) for sums, count in zip(added / scale[:, None, None], counts, strict=True)]


def _parts(spans: NDArray[np.int64], real: NDArray[np.bool_], cuts: Sequence[Cuts]) -> NDArray[np.int64]:
    """Return which part each token belongs to, shape (texts, tokens): from 1 on, 0 if to none, -1 if it is padding.

    `spans` is where each token is in its text. It is empty or before the text if no character belongs to the token.
    """
    inside = real & (spans[:, :, 1] > spans[:, :, 0]) & (spans[:, :, 1] > 0)
    starts = np.maximum(spans[:, :, 0], 0)
    found = np.array([np.searchsorted(of, row, side="right") for of, row in zip(cuts, starts, strict=True)])
    return np.where(inside, found, np.where(real, 0, -1))


def _sums(sums: NDArray[np.float32], counts: NDArray[np.int64]) -> TokenSums:
    """Return the parts, given what the tokens of none (first) and of each add, and how many tokens each has."""
    of_parts = np.zeros((len(counts), sums.shape[1]), np.float32)
    known = sums[1 : len(counts) + 1]
    of_parts[: len(known)] = known
    if counts.any():
        of_parts += (counts / counts.sum())[:, None] * sums[0]
    return TokenSums(counts.astype(np.int32), of_parts.astype(np.float16))
