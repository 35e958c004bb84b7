"""The commands as other programs run them: only JSON on stdout, one line on stderr for an error."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import app
from ingest.catalog import Catalog
from ingest.models.weights import resolve
from ingest.stages.importer import import_source
from scraper.records import Encounter
from tests.command_line import run
from tests.scraper.test_sources import write

LINES = [
    {"id": "70001", "description": "a cat and a teapot", "cover_text": "OOPS", "transcript": "he pushed the teapot"},
    {"id": "70002", "description": "sourdough for beginners", "cover_text": "", "transcript": ""},
    {"id": "70003", "description": "never read", "cover_text": None},
]


def answer(*arguments: str) -> Any:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("cli")
    with Catalog(folder / "data", create=True) as catalog:
        import_source(catalog, write(folder / "a.jsonl", "\n".join(json.dumps(line) for line in LINES)))
    return str(folder / "data"), str(folder / "indexes")


def test_from_build_to_rollback_and_prune(corpus: tuple[str, str], tmp_path: Path) -> None:
    data, indexes = corpus
    assert "retrieval build" in run("search", "x", "--indexes", indexes).stderr
    first = answer("build", "--only-read", "--data", data, "--indexes", indexes, "--json", "--quiet")
    assert (first["videos"], first["encoded"] > 0) == (2, True)
    everything = answer("build", "--all", "--data", data, "--indexes", indexes, "--json", "--quiet")
    assert everything["videos"] == 3

    found = answer("search", "the teapot he pushed", "-k", "2", "--data", data, "--indexes", indexes, "--json")
    hit = found["hits"][0]
    assert hit["id"] == "70001"
    assert {"field", "lane", "contribution", "passage", "span", "start_s"} <= set(hit["explanation"][0])
    assert sum(reason["contribution"] for reason in hit["explanation"]) == pytest.approx(hit["score"], abs=1e-6)

    queries = write(tmp_path / "q.json", [{"text": "teapot", "target": "70001"}])
    measured = answer("evaluate", "--queries", str(queries), "--indexes", indexes, "--json", "--quiet")
    assert set(measured["lanes"]) == {"dense", "keyword", "hybrid"}
    assert {"RR", "Success@1", "Success@5", "Success@10", "nDCG@10", "R@100", "mean_rank"} == set(measured["measures"])
    assert {"text": "teapot", "target": "70001", "rank": 1}.items() <= measured["queries"][0].items()

    status = answer("status", "--data", data, "--indexes", indexes, "--json")["index"]
    assert status["generation"] == everything["name"]
    assert [(used["name"], len(used["sha256"])) for used in status["encoders"]] == [
        (used["name"], 64) for used in everything["encoders"]
    ]
    shown = run("status", "--data", data, "--indexes", indexes).stdout
    assert all(f"{used['name']} in {used['precision']} (weights " in shown for used in status["encoders"])

    rows = answer("generations", "--indexes", indexes, "--json")
    assert [row["current"] for row in rows] == [False, True]
    assert answer("rollback", "--indexes", indexes, "--json") == {"current": first["name"]}
    assert answer("prune", "--keep", "0", "--indexes", indexes, "--json") == {"deleted": [everything["name"]]}


def test_a_search_takes_lists_times_and_an_order(corpus: tuple[str, str], tmp_path: Path) -> None:
    data, folders = tmp_path / "data", ("--data", str(tmp_path / "data"), "--indexes", str(tmp_path / "indexes"))
    shutil.copytree(corpus[0], data)
    with Catalog(data) as catalog:
        catalog.put_encounters("70001", [Encounter(list="likes", at="2024-03-03T10:00:00")])
        catalog.put_encounters("70002", [Encounter(list="collection", at="2025-01-02T10:00:00", name="Soups\x1b[31m")])
    assert CliRunner().invoke(app.cli, ["build", *folders, "--quiet"]).exit_code == 0

    def search(*arguments: str) -> Result:
        return CliRunner().invoke(app.cli, ["search", *arguments, *folders])

    def found(*arguments: str) -> list[str]:
        return [hit["id"] for hit in json.loads(search(*arguments, "--json").stdout)["hits"]]

    assert found("--in", "likes") == found("--seen", "2024-03") == found("--liked", "2024") == ["70001"]
    assert found("--saved", "2025") == ["70002"] and found("--watched", "2025") == found("--shared", "2025") == []
    assert found("--seen", "2020..", "--sort", "seen") == ["70002", "70001"]
    assert found("starter teapot", "--source", "json lines", "--likes", "<5", "--length", "<1m") == []
    shown = search("--in", "likes").stdout
    assert "1 video in your likes" in shown and "liked on 3 March 2024" in shown
    assert "\x1b" not in search("--in", "collections").stdout
    for wrong in (("--seen", "someday"), ("--length", "tall"), ("--sort", "best"), ()):
        refused = search(*wrong)
        assert refused.exit_code == 2 and (wrong or ("QUERY",))[0] in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "--data", "nowhere"), "tiktok-retrieval import"),
        (("search", "x", "--indexes", "nowhere"), "retrieval build"),
        (("evaluate", "--beir", "nowhere"), "BEIR"),
        (("compare", "--models", "bm25", "--queries", "nowhere.json"), "nowhere.json"),
        (("rollback", "--indexes", "nowhere"), "no generation"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not Path("nowhere").exists()


def test_videos_are_indexed_before_their_media_are_processed_unless_only_read(tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, write(tmp_path / "a.jsonl", json.dumps(LINES[2])))
    folders = ("--data", str(tmp_path / "data"), "--indexes", str(tmp_path / "indexes"))
    done = run("build", "--only-read", *folders)
    assert done.returncode == 1 and "tiktok-retrieval run" in done.stderr and "--only-read" in done.stderr
    assert answer("build", *folders, "--json", "--quiet")["videos"] == 1


def test_models_are_compared_and_the_best_is_promoted_without_encoding_again(
    corpus: tuple[str, str], tmp_path: Path
) -> None:
    data, indexes = corpus[0], str(tmp_path / "indexes")
    queries = write(tmp_path / "q.csv", "text,target,kind\nteapot,70001,said\nbread,70002,written\n")
    models = ("compare", "bm25", "all-MiniLM-L6-v2", "--queries", str(queries))
    result = answer(*models, "--out", str(tmp_path / "o"), "--data", data, "--indexes", indexes, "--json", "--quiet")
    assert [one["label"] for one in result["contenders"]] == ["bm25", "all-MiniLM-L6-v2"]
    assert "compare" in json.loads((tmp_path / "o" / "comparison.json").read_text())["command"]
    assert (tmp_path / "o" / "report.html").is_file() and not (tmp_path / "indexes" / "CURRENT").exists()
    promoted = answer("promote", "all-MiniLM-L6-v2", "--data", data, "--indexes", indexes, "--json", "--quiet")
    assert promoted["encoded"] == 0
    assert answer("generations", "--indexes", indexes, "--json")[0]["current"]
    listed = answer("compare", "--list", "--json")
    assert {"all-mpnet-base-v2", "Qwen3-Embedding-0.6B"} <= {one["name"].rpartition("/")[2] for one in listed}


def test_the_former_option_names_still_work(corpus: tuple[str, str], tmp_path: Path) -> None:
    def invoke(*arguments: str) -> Result:
        folders = ("--data", corpus[0], "--indexes", str(tmp_path / "indexes"))
        return CliRunner().invoke(app.cli, [*arguments, *folders])

    assert invoke("build", "--json", "--quiet").exit_code == 0
    for option in ("--lane", "--mode"):
        assert json.loads(invoke("search", "teapot", option, "keyword", "--json").stdout)["mode"] == "keyword"
    queries = str(write(tmp_path / "q.csv", "text,target\nteapot,70001\n"))
    for option in ("--anyway", "--force"):
        refused = invoke("tune", "--queries", queries, "--write", option)
        assert refused.exit_code == 1 and "too few" in refused.stderr
    compared = invoke("compare", "--models", "bm25", "bm25", "--queries", queries, "--out", str(tmp_path / "o"))
    assert compared.exit_code == 1 and "bm25" in compared.stderr  # both are read: one model twice is refused


def encoder_of(*arguments: str, **environment: str) -> str:
    """The encoder that a command builds with."""
    done = CliRunner().invoke(app.cli, [*arguments, "--json", "--quiet"], env=environment)
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["encoder"])


def test_the_encoder_belongs_to_the_index(
    corpus: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIKTOK_RETRIEVAL_ENCODER")
    folders = ("--data", corpus[0], "--indexes", str(tmp_path / "indexes"))
    default = "sentence-transformers/all-MiniLM-L6-v2"  # one of the two
    other = str(shutil.copytree(resolve(default).folder, tmp_path / "other"))
    assert encoder_of("build", "--encoder", default, *folders) == default
    assert encoder_of("build", *folders) == default
    assert encoder_of("promote", other, *folders) == other
    assert encoder_of("build", *folders) == other
    assert encoder_of("build", *folders, TIKTOK_RETRIEVAL_ENCODER=default) == default
    assert encoder_of("build", *folders) == default
    promoted = encoder_of("promote", other, *folders)
    assert encoder_of("build", "--encoder", default, *folders) == default
    assert CliRunner().invoke(app.cli, ["rollback", *folders]).exit_code == 0
    assert encoder_of("build", *folders) == promoted == other
    shutil.rmtree(other)
    refused = CliRunner().invoke(app.cli, ["build", *folders])
    assert refused.exit_code == 1 and other in refused.stderr and "--encoder chooses another" in refused.stderr
    assert encoder_of("build", "--encoder", default, *folders) == default


def test_an_unreadable_encoder_of_an_index_says_what_to_do(
    corpus: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIKTOK_RETRIEVAL_ENCODER")
    (tmp_path / "indexes").mkdir()
    (tmp_path / "indexes" / "CURRENT").write_text("nothing\n")
    done = run("build", "--data", corpus[0], "--indexes", tmp_path / "indexes")
    assert done.returncode == 1 and "--encoder" in done.stderr and len(done.stderr.splitlines()) == 1
