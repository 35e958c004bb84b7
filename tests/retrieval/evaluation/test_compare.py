"""Real comparisons: the default encoder, keywords only, and a tiny model made by the test."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.ranx_check import differences
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.errors import EvaluationError
from retrieval.evaluation.compare import RUNS, Corpus, compare
from retrieval.evaluation.evaluate import evaluate
from retrieval.evaluation.queries import Query
from retrieval.evaluation.report import html, markdown, write_report
from retrieval.evaluation.results import Card, Comparison
from retrieval.index.documents import Document
from retrieval.index.layout import CACHE_FILE
from retrieval.search.searcher import Searcher
from tests.conftest import REPOSITORY
from tests.tiny_corpus import BREAD, make_data

HOSTILE = "<script>alert(1)</script> | <img src=https://example.invalid/x.png onerror=alert(2)>"
QUERIES = [
    Query("a", "teapot falls", {"70001": 1}, {"seen": True, "published": 1}),
    Query("b", "the moon and the sea", {"70004": 1}, {"seen": False, "published": 4}),
    Query("c", f"caravan {HOSTILE}", {"70006": 1}, {"seen": True, "published": 2, "kind": HOSTILE[:40]}),
]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static model with three words in its vocabulary."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "teapot": 1, "moon": 2, "caravan": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("models") / "tiny"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)]).save(str(folder))
    return folder


@pytest.fixture(scope="module")
def corpus(documents: list[Document]) -> Corpus:
    return Corpus(
        "six videos", documents, lambda ids: {i: Card(title=HOSTILE, link="javascript:alert(3)") for i in ids}
    )


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def comparison(corpus: Corpus, tiny_model: Path, where: Path) -> Comparison:
    result = compare(
        ["bm25", str(tiny_model), MINILM],
        corpus,
        QUERIES,
        where / "indexes",
        where / "out",
        baseline="published",
        query_file="q.json",
        command="python -m retrieval compare",
    )
    write_report(result, where / "out")
    return result


def test_the_comparison_has_measures_tests_and_breakdowns(comparison: Comparison) -> None:
    labels = [one.label for one in comparison.contenders]
    assert labels == ["published", "bm25", "tiny", "all-MiniLM-L6-v2"]
    assert comparison.contenders[0].measures["RR"].value == pytest.approx((1 + 1 / 4 + 1 / 2) / 3)
    assert len(comparison.pairs) == 2 * 6 and all(pair.p_holm >= pair.p for pair in comparison.pairs)
    assert [line.name for line in comparison.modes] == ["hybrid", "dense", "keyword"]
    assert set(comparison.modes[1].figures) == {"tiny", "all-MiniLM-L6-v2"}
    assert "overview" in {line.name for line in comparison.fields_alone}
    assert {line.name: line.questions for line in comparison.properties["seen"]} == {"yes": 2, "no": 1}
    assert "published" not in comparison.properties


def test_keyword_mode_is_the_same_for_every_model(comparison: Comparison) -> None:
    for asked in comparison.questions:
        assert asked.modes["tiny"]["keyword"] == asked.modes["all-MiniLM-L6-v2"]["keyword"] == asked.ranks["bm25"]


def test_measures_equal_those_of_evaluate(comparison: Comparison, searcher: Searcher) -> None:
    ours = comparison.contenders[-1].measures
    for name, value in evaluate(searcher, QUERIES).measures.items():
        assert ours[name].value == pytest.approx(value)


def test_ranx_reads_the_run_files_and_agrees_to_four_digits(comparison: Comparison, where: Path) -> None:
    rows = differences(where / "out")
    assert len(rows) == 3 * 6
    assert [row for row in rows if abs(row[2] - row[3]) >= 0.5e-4] == []


def test_run_files_are_trec_files_with_strictly_falling_scores(comparison: Comparison, where: Path) -> None:
    lines = [line.split() for line in (where / "out" / RUNS / "tiny.trec").read_text().splitlines()]
    assert all(len(line) == 6 and line[1] == "Q0" for line in lines)
    for query in QUERIES:
        lines_of_query = [line for line in lines if line[0] == query.id]
        assert [int(line[3]) for line in lines_of_query] == list(range(1, 7))
        scores = [float(line[4]) for line in lines_of_query]
        assert scores == sorted(set(scores), reverse=True)


def test_costs_are_measured(comparison: Comparison) -> None:
    _, bm25, tiny, minilm = [one.costs for one in comparison.contenders]
    assert comparison.contenders[0].costs is None and bm25 and tiny and minilm
    assert (bm25.texts, bm25.texts_per_s) == (0, None)
    assert minilm.encoded == minilm.texts > 0 and minilm.texts_per_s
    assert all(cost.query_ms > 0 and cost.index_bytes > 0 for cost in (bm25, tiny, minilm))
    assert bm25.index_bytes < tiny.index_bytes < minilm.index_bytes
    if bm25.peak_bytes and minilm.peak_bytes:
        assert bm25.peak_bytes < minilm.peak_bytes


def test_only_the_vector_cache_and_the_report_are_left(comparison: Comparison, where: Path) -> None:
    assert {path.name for path in (where / "indexes").iterdir()} <= {
        CACHE_FILE,
        f"{CACHE_FILE}-wal",
        f"{CACHE_FILE}-shm",
    }
    names = {path.name for path in (where / "out").iterdir()}
    assert names == {RUNS, "comparison.json", "comparison.md", "report.html"}


def test_a_second_run_encodes_nothing(comparison: Comparison, corpus: Corpus, where: Path, tmp_path: Path) -> None:
    again = compare([MINILM], corpus, QUERIES, where / "indexes", tmp_path, fields=False)
    cost = again.contenders[0].costs
    assert cost and cost.encoded == 0 and cost.texts_per_s and cost.whole_s > 0
    assert "all from the cache" in html(again)
    assert not again.pairs and not again.fields_alone


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_report_is_self_contained_and_escapes_scraped_text(comparison: Comparison) -> None:
    parser = _Tags()
    parser.feed(html(comparison))
    tags = {tag for tag, _ in parser.found}
    assert not tags & {"script", "img", "link", "iframe", "object"} and "svg" in tags
    assert not [at for _, at in parser.found if any(name.startswith("on") for name in at)]
    hrefs = [at["href"] or "" for tag, at in parser.found if tag == "a"]
    assert hrefs and all(href.startswith("#q") for href in hrefs)
    ids = {at.get("id") for _, at in parser.found}
    assert {href[1:] for href in hrefs} <= ids
    assert "<script" not in markdown(comparison)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_needs_no_network_and_fits_the_window(
    comparison: Comparison, where: Path, browser: Browser, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((where / "out" / "report.html").as_uri())
    assert asked == [(where / "out" / "report.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("details summary").first.click()
    assert page.locator("details[open] ol.top").first.is_visible()
    page.close()


def test_the_report_names_fields_as_the_page_does(where: Path, comparison: Comparison) -> None:
    for name in ("report.html", "comparison.md"):
        text = (where / "out" / name).read_text(encoding="utf-8")
        assert "Whole video" in text and "On-screen text" in text and "overview" not in text


def test_the_json_file_has_the_whole_comparison(comparison: Comparison, where: Path) -> None:
    raw = json.loads((where / "out" / "comparison.json").read_text())
    assert Comparison.model_validate(raw) == comparison


def test_ctrl_c_keeps_only_the_encoded_vectors(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "q.json").write_text(json.dumps([{"text": "loaf", "target": BREAD}]))
    options = {"queries": "q.json", "data": ".", "indexes": "indexes", "out": "out"}
    command = [sys.executable, "-m", "retrieval", "compare", "--models", MINILM]
    command += [word for name, path in options.items() for word in (f"--{name}", str(tmp_path / path))]
    # a shell makes programs in its background ignore Ctrl-C
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as running:
        while running.poll() is None and not (tmp_path / "indexes" / CACHE_FILE).exists():
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=300)
    assert running.returncode == 130
    assert "Finished items are kept" in errors and "Traceback" not in errors
    assert [path.name for path in (tmp_path / "out").iterdir()] == [RUNS]
    assert all(path.name.startswith(CACHE_FILE) for path in (tmp_path / "indexes").iterdir())


def test_invalid_comparisons_fail_before_anything_is_encoded(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cases: list[tuple[list[str], list[Query], str | None, str]] = [
        (["bm25", "bm25"], QUERIES, None, "named twice"),
        (["bm25"], QUERIES, "seen", "exactly one relevant video"),
        (["bm25"], [*QUERIES, Query("z", "x", {"79999": 1})], None, "79999"),
    ]
    for models, queries, baseline, message in cases:
        with pytest.raises(EvaluationError, match=message):
            compare(models, corpus, queries, tmp_path / "i", tmp_path / "o", baseline=baseline)
    with pytest.raises(WeightsError, match="nobody/nothing"):
        compare([MINILM, "nobody/nothing"], corpus, QUERIES, tmp_path / "i", tmp_path / "o")
    assert not (tmp_path / "i" / CACHE_FILE).exists()


def test_prompts_come_from_the_model_or_the_registry_and_are_part_of_the_key(tiny_model: Path, tmp_path: Path) -> None:
    plain = SentenceEncoder(str(tiny_model))
    assert plain.prompts == {"query": "", "document": ""}
    e5 = tmp_path / "e5-small-v2"
    e5.symlink_to(tiny_model)
    known = SentenceEncoder(str(e5))
    assert known.prompts == {"query": "query: ", "document": "passage: "} and known.key != plain.key
    assert (known.query("teapot") != plain.query("teapot")).any()
    own = tmp_path / "own"
    own.mkdir()
    for file in tiny_model.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    config = json.loads((own / "config_sentence_transformers.json").read_text())
    config["prompts"] = {"query": "teapot ", "passage": "moon "}
    (own / "config_sentence_transformers.json").write_text(json.dumps(config))
    configured = SentenceEncoder(str(own))
    assert configured.prompts == {"query": "teapot ", "document": "moon "}
    assert configured.passages(["x"])[0] == pytest.approx(plain.passages(["moon x"])[0], abs=1e-6)
