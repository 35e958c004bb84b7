"""Nodes that are killed at random while a build encodes."""

import random
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from ingest.cluster.connection import connected
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.on_nodes import EncodingOnNodes
from tests.ingest.cluster.conftest import ThreeNodes

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]
TEXTS, KILLS = 20_000, 10


def test_ten_nodes_killed_while_texts_are_encoded_lose_no_vector(three_nodes: ThreeNodes, tmp_path: Path) -> None:
    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2", precision="fp32")
    texts = [f"{number} eggs, {number % 97} spoons of salt, and flour" for number in range(TEXTS)]
    chosen, killed = random.Random(3), 0
    with (
        connected(three_nodes.address, tmp_path) as cluster,
        EncodingOnNodes(cluster) as on_nodes,
        ThreadPoolExecutor(1) as thread,
    ):
        (used,) = on_nodes.encoders([encoder])
        encoding = thread.submit(used.passages, texts)
        while killed < KILLS and not wait([encoding], chosen.uniform(5, 15)).done:
            node = chosen.choice(three_nodes.nodes)
            three_nodes.kill(node)
            three_nodes.replace(node)
            killed += 1
        found = encoding.result()
    print(f"{killed} nodes killed")
    assert killed >= 3
    assert found.shape == (TEXTS, encoder.dimension)
    some = list(range(0, TEXTS, 25))
    np.testing.assert_allclose(found[some], encoder.passages([texts[number] for number in some]), atol=1e-5)
