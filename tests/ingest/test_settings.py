"""Settings come from the environment and the command line; errors name where a wrong value stands."""

from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.models.package_source import default_cache
from ingest.settings import Settings, SettingsError, load_settings, platform_folder
from tests.command_line import run


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
    monkeypatch.delenv("TIKTOK_RETRIEVAL_ENCODER", raising=False)
    assert not Settings().encoder_given
    assert load_settings(encoder="x").encoder_given
    monkeypatch.setenv("TIKTOK_RETRIEVAL_ENCODER", "y")
    assert Settings().encoder_given


def test_the_folder_of_models_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_cache().name == "models"
    monkeypatch.setenv("TIKTOK_RETRIEVAL_MODELS", "/somewhere")
    assert default_cache() == Path("/somewhere")


def test_corpora_are_read_with_drive_letters_and_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_CORPORA", r"Mine = C:\My videos\data | D:\indexes; Study №2=/study ;")
    mine, study = load_settings().corpora
    assert (mine.name, mine.data, mine.indexes) == ("Mine", Path(r"C:\My videos\data"), Path(r"D:\indexes"))
    assert (study.slug, study.data, study.indexes) == ("study-no-2", Path("/study/data"), Path("/study/indexes"))
    assert (load_settings().data, load_settings().indexes) == (mine.data, mine.indexes)  # the first is the usual one
    assert load_settings(data=Path("x")).data == Path("x")


@pytest.mark.parametrize(
    "value", ["Mine", "Mine=", "=a", "Mine=a|", "Mine=a|b; MINE=c|d", "Mine=a|b; Yours=a|c", "??=a|b", f"{'n' * 61}=a"]
)
def test_corpora_that_cannot_be_told_apart_or_read_are_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_CORPORA", value)
    with pytest.raises(SettingsError, match="TIKTOK_RETRIEVAL_CORPORA"):
        load_settings()


def test_a_command_takes_the_name_of_a_corpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with Catalog(tmp_path / name / "data", create=True):
            pass
    env = {"TIKTOK_RETRIEVAL_CORPORA": f"One={tmp_path / 'one'}; My two={tmp_path / 'two'}"}
    assert str(tmp_path / "two" / "data") in run("--corpus", "my TWO", "status", env=env).stdout
    assert str(tmp_path / "one" / "data") in run("status", env=env).stdout
    wrong = run("--corpus", "three", "status", env=env)
    assert (wrong.returncode, "One, My two" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://My.Name/", ("https://my.name",)),
        ("https://my.name:443 http://my.name:8080", ("https://my.name", "http://my.name:8080")),
        (
            ["https://[::1]:8443", "http://müll.example,http://a"],
            ("https://[::1]:8443", "http://xn--mll-hoa.example", "http://a"),
        ),
    ],
)
def test_addresses_of_proxies_are_read_as_browsers_send_them(value: str | list[str], read: tuple[str, ...]) -> None:
    assert load_settings(origin=value).origin == read


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https://my.name/videos", "--root-path"),
        ("my.name", "no address"),
        ("ftp://my.name", "no address"),
        ("https://me:pw@my.name", "no address"),
        ("https://my.name?x", "no address"),
        ("https://my.name:99999", "no address"),
        ("https://a..b", "no address"),
        ("https://", "no address"),
    ],
)
def test_an_address_that_is_none_is_an_error(value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"--origin: .*{said}"):
        load_settings(origin=[value])


@pytest.mark.parametrize("value", ["videos", "/a b", "//", "/../x?"])
def test_a_root_path_that_is_no_path_is_an_error(value: str) -> None:
    with pytest.raises(SettingsError, match="--root-path"):
        load_settings(root_path=value)
