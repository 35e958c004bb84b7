"""Attention head by head, against that of torch."""

import torch

from ingest.speech.attention import MANY, by_head


def drawn(queries: int, keys: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, length, 8, generator=draw) for length in (queries, keys, keys))
    return query, key, value


def test_many_and_few_queries_have_the_attention_of_torch() -> None:
    for queries in (1, MANY - 1, MANY, 3 * MANY):
        query, key, value = drawn(queries, 200)
        found, _ = by_head(torch.nn.Module(), query, key, value, None, scaling=0.3)
        expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=0.3)
        torch.testing.assert_close(found, expected.transpose(1, 2))


def test_a_mask_hides_keys_from_many_and_few_queries() -> None:
    for queries in (4, 2 * MANY):
        query, key, value = drawn(queries, 200)
        mask = torch.full((queries, 200), -torch.inf).triu(1)
        found, _ = by_head(torch.nn.Module(), query, key, value, mask, scaling=1.0)
        expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        torch.testing.assert_close(found, expected.transpose(1, 2))
