"""Settings come from the environment and the command line; errors name where a wrong value stands."""

from pathlib import Path

import pytest

from ingest.models.package_source import default_cache
from ingest.settings import Settings, SettingsError, load_settings, platform_folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.chdir(tmp_path)


def test_a_data_folder_here_is_used_with_the_indexes_next_to_it() -> None:
    Path("data").mkdir()
    settings = Settings()
    assert (settings.data, settings.indexes) == (Path("data"), Path("indexes"))


def test_without_a_data_folder_both_are_in_the_platforms_folder() -> None:
    settings = Settings()
    assert settings.data == platform_folder() / "data"
    assert settings.indexes == platform_folder() / "indexes"


def test_a_given_folder_is_kept_and_never_paired_with_the_platforms() -> None:
    assert load_settings(data=Path("mine")).indexes == Path("indexes")
    assert load_settings(indexes=Path("mine")).indexes == Path("mine")


def test_options_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_FRAMES", "3")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_PORT", "")
    assert load_settings().frames == 3
    assert load_settings(frames=5, port=None).frames == 5
    assert load_settings().port == 7860


def test_an_error_names_the_variable_or_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"--ocr-engine: .*'eyes'"):
        load_settings(ocr_engine="eyes")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_ENGINE", "eyes")
    with pytest.raises(SettingsError, match=r"TIKTOK_RETRIEVAL_OCR_ENGINE in the environment: .*'eyes'"):
        load_settings()


def test_the_encoder_is_given_only_if_somebody_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Settings().encoder_given
    assert load_settings(encoder="x").encoder_given
    monkeypatch.setenv("TIKTOK_RETRIEVAL_ENCODER", "y")
    assert Settings().encoder_given


def test_the_folder_of_models_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache().name == "models"
    monkeypatch.setenv("TIKTOK_RETRIEVAL_MODELS", "/somewhere")
    assert default_cache() == Path("/somewhere")
