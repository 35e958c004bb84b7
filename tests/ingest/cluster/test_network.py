"""Nodes with addresses and networks of their own: a cut network, a lost head, tokens, and a client from elsewhere."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from tests.ingest import media_samples
from tests.ingest.cluster.networks import CLIENT_PORT, PORT, Namespace, Network, can_be_made
from tests.ingest.cluster.test_killed import filled, tries

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]
CUT_S = 30.0


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    pytest.importorskip("ray")
    if not can_be_made():
        pytest.skip("needs root and `ip` to make network namespaces")
    made = Network()
    yield made
    made.stop()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return media_samples.cover(tmp_path / "words.png", "Good morning")


def reading(data: Path, on: Namespace, address: str, **environment: str) -> "subprocess.Popen[str]":
    """Start `run` on a computer of the network."""
    command = [sys.executable, "-c", "import app; app.main()", "run", "--data", str(data), "--cluster", address]
    options = ["--ocr-engine", "tesseract", "--ocr-languages", "eng", "--frames", "1"]
    return on.command(*command, *options, **environment)


def wait_until_done(data: Path, count: int, running: "subprocess.Popen[str]") -> None:
    with Catalog(data, read_only=True) as watched:
        due = len(watched.ledger.due("ocr"))
        while len(watched.ledger.due("ocr")) > due - count and running.poll() is None:
            time.sleep(0.1)


def finished(running: "subprocess.Popen[str]", limit_s: float = 600.0) -> str:
    """Wait for a run that must succeed, and return what it printed."""
    printed, _ = running.communicate(timeout=limit_s)
    print(printed)
    assert running.returncode == 0, printed
    return printed


def test_a_cut_network_loses_nothing_and_stores_nothing_twice(network: Network, tmp_path: Path, picture: Path) -> None:
    data = filled(tmp_path / "data", picture, 60)
    running = reading(data, network.head, f"{network.head.address}:{PORT}")
    wait_until_done(data, 6, running)
    assert running.poll() is None, running.communicate()
    network.nodes[0].set_link("down")
    time.sleep(CUT_S)
    assert running.poll() is None, running.communicate()
    network.nodes[0].set_link("up")
    finished(running)
    assert tries(data) == {1: 60}


def test_a_client_from_elsewhere_with_the_token_may_read(network: Network, tmp_path: Path, picture: Path) -> None:
    data = filled(tmp_path / "data", picture, 4)
    finished(reading(data, network.elsewhere, f"ray://{network.head.address}:{CLIENT_PORT}"))
    assert tries(data) == {1: 4}


@pytest.mark.parametrize("where", ["head", "elsewhere"])
def test_who_has_another_token_is_refused(network: Network, tmp_path: Path, picture: Path, where: str) -> None:
    data = filled(tmp_path / "data", picture, 1)
    address = f"{network.head.address}:{PORT}" if where == "head" else f"ray://{network.head.address}:{CLIENT_PORT}"
    running = reading(data, getattr(network, where), address, RAY_AUTH_TOKEN="0" * 64)
    printed, _ = running.communicate(timeout=300)
    print(printed)
    assert running.returncode == 1
    assert "Traceback" not in printed
    assert tries(data) == {0: 1}


def test_a_head_that_is_killed_ends_the_run_and_the_next_one_finishes(
    network: Network, tmp_path: Path, picture: Path
) -> None:
    data = filled(tmp_path / "data", picture, 24)
    running = reading(data, network.head, f"{network.head.address}:{PORT}")
    wait_until_done(data, 4, running)
    assert running.poll() is None, running.communicate()
    network.head.kill(but=(running.pid,))
    printed, _ = running.communicate(timeout=300)
    print(printed)
    assert running.returncode == 1, printed
    assert "run the same command" in printed
    for node in network.nodes:
        node.kill()
    network.start()
    finished(reading(data, network.head, f"{network.head.address}:{PORT}"))
    assert tries(data) == {1: 24}
