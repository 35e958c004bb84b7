"""Texts are cut into leases for the nodes of a cluster."""

from retrieval.embedding.on_nodes import CHARS, TEXTS, parts


def test_no_lease_has_many_texts_or_more_long_ones_than_others() -> None:
    texts = ["short"] * (TEXTS + 1) + ["x" * (CHARS // 2)] * 3 + ["x" * (3 * CHARS)]
    cut = [texts[part] for part in parts(texts)]
    assert [text for part in cut for text in part] == texts
    assert [len(part) for part in cut] == [TEXTS, 2, 2, 1]
    assert all(sum(map(len, part)) <= CHARS for part in cut[:-1])
    assert list(parts([])) == []
