"""Learning the weights of the parts, on corpora whose best weights are known."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from retrieval.__main__ import app
from retrieval.embedding.encoder import Encoder
from retrieval.errors import EvaluationError, GenerationError
from retrieval.evaluation.queries import Query
from retrieval.evaluation.tune import FEWEST, Sample, question_groups, tune
from retrieval.index.builder import build
from retrieval.index.documents import plain_document
from retrieval.index.generation import open_current
from retrieval.index.layout import current_name, generation_names
from retrieval.index.manifest import FusionWeights
from retrieval.index.publish import reweight, rollback
from retrieval.index.tuned import TUNED
from retrieval.search.fusion import DENSE_PART, KEYWORD_PARTS
from retrieval.search.searcher import Searcher

PARTS = (DENSE_PART, *KEYWORD_PARTS)
TODAY = FusionWeights()
# Made-up names, for the keyword retriever, and topics, for the encoder.
NAMES = ["".join(chr(97 + (7 * n + 3 * m) % 26) for m in range(8)) for n in range(26)]
TOPICS = re.findall(
    r"\w+",
    "bread tides knitting volcano chess violin beekeeping tractor glacier pottery karate sushi telescope lighthouse"
    " skateboard tulips dinosaur plumbing ballet robots camels origami thunder wrestling perfume submarine",
)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    texts = [f"{name} {name[::-1]} {topic}" for name, topic in zip(NAMES, TOPICS, strict=True)]
    build([plain_document(f"{70000 + n}", "", text) for n, text in enumerate(texts)], folder, encoder)
    return folder


def queries(count: int, topic: int = 0) -> list[Query]:
    """Questions for the first videos, each with its names and the topic of the video `topic` positions later."""
    texts = [f"{NAMES[n]} {NAMES[n][::-1]} {TOPICS[(n + topic) % len(TOPICS)]}" for n in range(count)]
    return [Query(f"q{n}", text, {f"{70000 + n}": 1}) for n, text in enumerate(texts)]


def test_a_rank_counts_equal_scores_of_earlier_rows() -> None:
    parts = np.array([[1.0, 2.0, 2.0, 0.0]], np.float32)
    assert [Sample(parts, np.array([row])).rank(np.ones(1)) for row in range(4)] == [3, 1, 2, 4]
    assert Sample(parts, np.array([0, 2])).rank(np.ones(1)) == 2


def test_the_parts_add_up_to_the_score(indexes: Path, encoder: Encoder) -> None:
    searcher = Searcher(open_current(indexes), encoder)
    ranking = searcher.rank(f"the clip about {NAMES[3]}")
    assert set(ranking.parts) == set(PARTS)
    total = sum(getattr(TODAY, name) * ranking.parts[name] for name in PARTS)
    np.testing.assert_allclose(total, ranking.scores, atol=1e-9)


def test_a_misleading_part_loses_its_weight(indexes: Path, encoder: Encoder) -> None:
    reweight(indexes, TODAY.model_copy(update={"dense_retriever": 20.0}))
    try:
        tuning = tune(Searcher(open_current(indexes), encoder), queries(26, topic=1))
        assert tuning.today.RR < 0.9 < tuning.learned.RR
        assert tuning.better and tuning.weights.dense_retriever < 2
        total = sum(getattr(tuning.weights, name) for name in PARTS)
        assert total == pytest.approx(sum(getattr(TODAY, name) for name in PARTS), abs=0.01)
        assert tuning.keyword.RR == 1.0
        assert any("not held out" in note for note in tuning.notes)
    finally:
        rollback(indexes)
        (indexes / TUNED).unlink()


def test_the_weights_stay_if_there_is_nothing_to_gain(indexes: Path, encoder: Encoder) -> None:
    tuning = tune(Searcher(open_current(indexes), encoder), queries(20))
    assert tuning.today.RR == tuning.learned.RR == 1.0
    assert tuning.weights == TODAY and tuning.penalty is None and not tuning.better
    assert any("keep the current ones" in note for note in tuning.notes)
    assert any("hybrid search is not better" in note and "keyword" in note for note in tuning.notes)


def test_questions_about_one_video_count_as_one_group(indexes: Path, encoder: Encoder) -> None:
    alike = [Query(f"q{n}", NAMES[n % 5], {f"{70000 + n % 5}": 1}) for n in range(40)]
    with pytest.raises(EvaluationError, match=f"5 questions with different videos are too few .* {FEWEST}"):
        tune(Searcher(open_current(indexes), encoder), alike)


def test_questions_with_videos_in_common_stay_in_one_fold() -> None:
    targets: list[dict[str, int]] = [{"a": 1}, {"b": 1}, {"b": 1, "a": 1}, {"b": 1}, {"c": 1}]
    groups = question_groups([Query(f"q{n}", "x", videos) for n, videos in enumerate(targets)])
    assert len(set(groups[:4])) == 1 and groups[4] != groups[0]


def test_questions_whose_target_is_excluded_are_left_out(indexes: Path, encoder: Encoder) -> None:
    asked = queries(20)
    impossible = Query("no", f"{asked[0].text} after:2050", dict(asked[0].relevant))
    tuning = tune(Searcher(open_current(indexes), encoder), [*asked, impossible])
    assert tuning.questions == 20 and any(note.startswith("1 questions are left out") for note in tuning.notes)


def test_learned_weights_of_other_encoders_are_kept(tmp_path: Path, encoder: Encoder) -> None:
    build([plain_document("70000", "", NAMES[0])], tmp_path, encoder)
    (tmp_path / TUNED).write_text(json.dumps({"another": TODAY.model_dump(by_alias=True)}))
    reweight(tmp_path, TODAY.model_copy(update={"bigrams": 0.3}))
    assert set(json.loads((tmp_path / TUNED).read_text())) == {"another", encoder.name}


def test_learned_weights_are_kept_for_later_builds_with_the_same_encoder(tmp_path: Path, encoder: Encoder) -> None:
    documents = [plain_document(f"{70000 + n}", "", name) for n, name in enumerate(NAMES[:3])]
    before = build(documents, tmp_path, encoder)
    other = TODAY.model_copy(update={"bigrams": 0.3})
    after = reweight(tmp_path, other)
    assert generation_names(tmp_path) == [before.name, after.name] and current_name(tmp_path) == after.name
    assert after.files == before.files
    assert build(documents, tmp_path, encoder).weights == other
    (tmp_path / TUNED).write_text(json.dumps({"another": TODAY.model_dump(by_alias=True)}))
    assert build(documents, tmp_path, encoder).weights == TODAY
    (tmp_path / TUNED).write_text("{")
    with pytest.raises(GenerationError, match="delete it, or run"):
        build(documents, tmp_path, encoder)


def test_the_command_writes_only_on_request_and_only_better_weights(indexes: Path, tmp_path: Path) -> None:
    file = tmp_path / "queries.json"
    file.write_text(json.dumps([{"text": q.text, "target": next(iter(q.relevant))} for q in queries(12)]))
    before = current_name(indexes)
    asked = ["tune", "--queries", str(file), "--indexes", str(indexes), "--quiet"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0 and "learned against current weights: p 1.000" in shown.output
    assert "Nothing is written" in CliRunner().invoke(app, [*asked, "--write"]).output
    assert current_name(indexes) == before
    written = json.loads(CliRunner().invoke(app, [*asked, "--write", "--anyway", "--json"]).output)["written"]
    assert current_name(indexes) == written != before
