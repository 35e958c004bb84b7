"""Whisper's attention for a CPU in bf16: plain matrix products, head by head.

The scores of one head stay in the processor's cache. torch's fused attention takes two and a half times as long for the
1,500 positions of the encoder, and twice as long for the single ones of the decoder.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "by_head"  # for `set_attn_implementation`
MANY = 64  # queries, from which the scores of all heads at once are too large for the cache


def by_head(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float = 1.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of each query, as transformers asks for it: (batch, queries, heads, width)."""
    query = query * scaling
    if query.shape[2] < MANY or attention_mask is not None:
        scores = query @ key.transpose(2, 3)
        if attention_mask is not None:
            scores = scores + attention_mask
        return (scores.softmax(-1) @ value).transpose(1, 2).contiguous(), None
    batch, heads, length, width = query.shape
    found = query.new_empty(batch, length, heads, width)
    for row in range(batch):
        for head in range(heads):
            scores = query[row, head] @ key[row, head].T
            found[row, :, head] = scores.softmax(-1) @ value[row, head]
    return found, None


AttentionInterface.register(NAME, by_head)
AttentionMaskInterface.register(NAME, eager_mask)
