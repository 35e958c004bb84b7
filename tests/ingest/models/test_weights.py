"""Weights from local folders and installed packages."""

import json
from pathlib import Path

import pytest

from ingest.models import pinned_models
from ingest.models.weights import WeightsError, resolve
from tests.ingest.models.model_sources import OTHER_WEIGHTS, WEIGHTS, Computer, model_folder, sha256


def test_a_local_folder_is_used_directly(tmp_path: Path) -> None:
    found = resolve(str(model_folder(tmp_path / "mine")))
    assert (found.folder, found.sha256, found.source) == (tmp_path / "mine", sha256(WEIGHTS), "folder")


@pytest.mark.parametrize("name", [pin.name for pin in pinned_models.PINS if pin.original])
def test_a_local_folder_with_a_pinned_name_must_contain_the_pinned_weights(tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path / name)
    with pytest.raises(WeightsError, match="are not those of " + name) as refused:
        resolve(str(folder))
    pinned = next(pin for pin in pinned_models.PINS if pin.name == name)
    assert sha256(WEIGHTS) in str(refused.value) and pinned.sha256 in str(refused.value)


def test_a_name_too_long_for_a_path_is_not_a_folder(computer: Computer) -> None:
    assert "is not a folder here" in computer.refusal("x" * 300)


def test_another_authors_model_of_the_same_name_is_not_the_pinned_one(computer: Computer) -> None:
    assert "someone/whisper-base is not a folder here" in computer.refusal("someone/whisper-base")


def test_the_checksum_of_a_sharded_model_is_that_of_its_checksum_lines(tmp_path: Path) -> None:
    shards = {"model-00001-of-00002.safetensors": WEIGHTS, "model-00002-of-00002.safetensors": OTHER_WEIGHTS}
    for name, content in shards.items():
        (tmp_path / name).write_bytes(content)
    index = {"weight_map": dict(zip("abc", [*shards, *shards], strict=False))}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    lines = "".join(f"{sha256(content)}  {name}\n" for name, content in shards.items())
    assert resolve(str(tmp_path)).sha256 == sha256(lines.encode())
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match="lacks model-00002-of-00002"):
        resolve(str(tmp_path))


def test_an_index_with_a_path_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    model_folder(tmp_path / "other")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "../other/model.safetensors"}}')
    with pytest.raises(WeightsError, match="leads out of the folder"):
        resolve(str(folder))


def test_a_folder_of_pickled_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(WeightsError, match=r"Pickled weights .* never loaded"):
        resolve(str(tmp_path))


def test_the_installed_package_of_the_default_encoder_is_used_directly(tmp_path: Path) -> None:
    found = resolve("sentence-transformers/all-MiniLM-L6-v2", cache=tmp_path)
    assert found.source == "package"
    assert found.sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert (found.folder / "modules.json").is_file()
    assert resolve("all-MiniLM-L6-v2", cache=tmp_path).folder == found.folder
    assert not list(tmp_path.iterdir())
