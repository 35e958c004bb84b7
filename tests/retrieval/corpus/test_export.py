"""Exports: a spreadsheet is safe, JSON can be imported again, subtitles are valid."""

import csv
from io import StringIO
from pathlib import Path

import av
import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import Encounter, Segment, Text
from ingest.stages.importer import import_source
from retrieval.corpus import export
from retrieval.corpus.transcripts import NoTranscript, transcript
from retrieval.embedding.encoder import KeywordOnly
from scraper.records import Video
from tests.command_line import run
from tests.tiny_corpus import BREAD, FALCON, KETTLE, LOST, make_data, make_index


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "data"
    make_data(folder, naughty=["=1+1", "ünï\ncode", '"quoted"'])
    with Catalog(folder) as catalog:
        catalog.put_video(Video(id="7200000000000000001", description='=HYPERLINK("https://example.org")'))
        catalog.put_encounters(BREAD, [Encounter(list="likes", at="2024-03-04T11:22:33")])
        catalog.put_encounters(KETTLE, [Encounter(list="collection", name="Tea & more"), Encounter(list="likes")])
    return folder


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_json_is_imported_again_as_the_same_records(data: Path, tmp_path: Path) -> None:
    for form in ("json", "jsonl"):
        file = tmp_path / f"videos.{form}"
        done = run("export", "--all", "--texts", "--format", form, "--out", file, "--data", data)
        assert (done.returncode, "8 videos exported" in done.stderr) == (0, True)
        with Catalog(data) as old, Catalog(tmp_path / form, create=True) as new:
            report = import_source(new, file)
            assert not report.problems
            assert new.ids() == old.ids()
            for one, other in zip(old.entries(old.ids()), new.entries(new.ids()), strict=True):
                assert (other.video, other.encounters) == (one.video, one.encounters)
                assert {kind: text.text for kind, text in other.texts.items()} == {
                    kind: text.text for kind, text in one.texts.items()
                }


def test_no_cell_of_a_spreadsheet_is_computed(data: Path) -> None:
    done = run("export", "--all", "--data", data)
    assert "'=HYPERLINK" in done.stdout
    rows = table(done.stdout)
    assert not [cell for row in rows for cell in row.values() if cell.strip()[:1] in ("=", "+", "-", "@")]
    for dangerous in ("=1", "+1", "-1", "@SUM(1)", "\t=1", "  =1", "＝1"):
        assert export.safe_cell(dangerous) == f"'{dangerous}"
    assert export.safe_cell("a=1") == "a=1"


def test_a_table_has_lists_with_their_times_and_texts_if_asked_for(data: Path) -> None:
    rows = {row["id"]: row for row in table(run("export", "--all", "--texts", "--data", data).stdout)}
    assert rows[BREAD]["lists"] == "liked 2024-03-04 11:22:33; watched 2024-04-01 19:00:00; liked 2024-04-02 08:00:00"
    assert sorted(rows[KETTLE]["lists"].split("; ")) == ["liked", "saved to Tea & more", "saved to Tea time"]
    assert "hollow, like a drum" in rows[BREAD]["speech"]
    assert rows[BREAD]["likes"] == "20200"
    assert "speech" not in table(run("export", BREAD, "--data", data).stdout)[0]


def test_a_list_a_collection_a_creator_and_links_are_exported(data: Path) -> None:
    def ids(*arguments: str) -> set[str]:
        return {row["id"] for row in table(run("export", *arguments, "--data", data).stdout)}

    assert ids("--list", "likes") == {BREAD, KETTLE, LOST}
    assert ids("--list", "tea & more") == {KETTLE}
    assert ids("@crumb.and.crust", LOST) == {BREAD, LOST}
    assert run("export", LOST, "--format", "links", "--data", data).stdout.endswith(f"/video/{LOST}\n")
    wrong = run("export", "--list", "nothing", "--data", data)
    assert (wrong.returncode, "there is no list" in wrong.stderr) == (1, True)
    missing = run("export", BREAD, "7999999999999999999", "--data", data)
    assert (missing.returncode, len(table(missing.stdout))) == (1, 1)


def test_results_are_exported_in_their_order(data: Path, tmp_path: Path) -> None:
    make_index(data, tmp_path, KeywordOnly())
    out = tmp_path / "results.csv"
    done = run("export", "--query", "loaf hollow drum", "-k", "3", "--out", out, "--data", data, "--indexes", tmp_path)
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8").startswith(export.MARK)
    assert table(out.read_text(encoding="utf-8-sig"))[0]["id"] == BREAD


@pytest.mark.parametrize(
    "arguments",
    [(), ("--all", "--query", "x"), ("--all", "--format", "srt"), ("--transcript", BREAD, "--format", "csv")],
)
def test_an_export_of_nothing_or_of_two_things_is_wrong_usage(arguments: tuple[str, ...], data: Path) -> None:
    assert run("export", *arguments, "--data", data).returncode == 2


def test_subtitles_are_read_by_a_video_library(data: Path, tmp_path: Path) -> None:
    for form in ("srt", "vtt"):
        file = tmp_path / f"said.{form}"
        done = run("export", "--transcript", BREAD, "--format", form, "--out", file, "--data", data)
        assert done.returncode == 0, done.stderr
        with av.open(str(file)) as container:
            packets = [packet for packet in container.demux() if packet.size]
        assert len(packets) == 2
        assert packets[1].pts is not None
        assert packets[1].time_base is not None
        assert float(packets[1].pts * packets[1].time_base) == 12.5
    said = run("export", "--transcript", BREAD, "--format", "txt", "--data", data).stdout
    assert said.splitlines()[1].startswith("Tap the bottom")


def test_a_hostile_transcript_stays_within_its_cues() -> None:
    text = Text(
        "x", "whisper", segments=[Segment(1.0, 1.0, "a\n\n2\n00:00 --> 00:01\n<script>"), Segment(3661.5, 2.0, "b")]
    )
    assert transcript(text, "vtt").splitlines() == [
        "WEBVTT",
        "",
        "00:00:01.000 --> 00:00:01.001",
        "a 2 00:00 -&gt; 00:01 &lt;script&gt;",
        "",
        "01:01:01.500 --> 01:01:01.501",
        "b",
    ]
    assert transcript(text, "srt").split("\n\n")[1].splitlines()[:2] == ["2", "01:01:01,500 --> 01:01:01,501"]


def test_subtitles_need_times(data: Path) -> None:
    with pytest.raises(NoTranscript, match="txt"):
        transcript(Text("only words", "imported"), "srt")
    assert transcript(Text("only words", "imported"), "txt") == "only words\n"
    done = run("export", "--transcript", FALCON, "--data", data)
    assert (done.returncode, "no transcript" in done.stderr) == (1, True)
