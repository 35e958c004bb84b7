"""Query files -> questions with their relevant videos.

The formats are JSON, CSV, TREC topics with qrels, and BEIR folders, which contain a corpus. An error names the file and
the line or question.
"""

import csv
import html
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from retrieval.errors import EvaluationError
from retrieval.evaluation.judgements import beir_judgements, trec_judgements
from retrieval.index.documents import Document, plain_document
from retrieval.search.query import Question
from scraper.records import MAX_MADE_TEXT_CHARS, Text, clean_text
from scraper.text_decoding import decode

Property = str | bool | int | float
MAX_NAME_CHARS = 60  # of a property's name and value: they are headings of tables

_TEXT_KEYS, _NO_PROPERTIES = ("text", "query"), ("id", "text", "query", "target", "unanswerable")
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0", "")  # of the column `unanswerable`
_TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_NUM = re.compile(r"<num>\s*(?:number:)?\s*([^\s<]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:topic:)?\s*(.*?)\s*(?=</?[a-z]+>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """A question, its relevant videos with their grades (1 for known items), and its other columns in the file.

    A question that no video answers has no relevant videos. The questions of a `beir` folder follow BEIR's rules: all
    of their text is words, a question that is itself a document is left out of its own ranking, and one without a
    relevant document counts as 0. A document with the question's id that is its only relevant one stays in the ranking:
    there the id does not mean the same text, as of a title and its transcript.
    """

    id: str
    text: str
    relevant: dict[str, int]
    properties: dict[str, Property] = field(default_factory=dict)
    beir: bool = False

    @property
    def asked(self) -> str | Question:
        """What to give to the searcher."""
        return Question(clean_text(html.unescape(self.text), MAX_MADE_TEXT_CHARS)) if self.beir else self.text

    @property
    def left_out(self) -> str:
        """The id of the document that is left out of the question's ranking; "" for none."""
        return self.id if self.beir and self.relevant.keys() != {self.id} else ""

    @property
    def unanswerable(self) -> bool:
        """Whether the question measures whether an answer without a match is recognised."""
        return not self.relevant and not self.beir


def text_of(asked: str | Question) -> str:
    """Return the text of what is given to the searcher."""
    return asked if isinstance(asked, str) else asked.text


def read_queries(path: Path, qrels: Path | None = None, notes: list[str] | None = None) -> list[Query]:
    """Read the questions of a file: TREC topics if `qrels` is given, else CSV (.csv, .tsv) or JSON.

    A question with `unanswerable` (JSON: true; CSV: yes) has no target.

    Args:
        notes: messages about the judgements are added to it.

    Raises:
        EvaluationError: the file cannot be read, a question has no text or no target, or is there twice, or all
            questions are unanswerable.
    """
    try:
        if qrels is not None:
            return _topics(path, qrels, notes if notes is not None else [])
        if path.suffix.lower() in (".csv", ".tsv"):
            return _csv(path)
        return _json(path)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise EvaluationError(f"{path} cannot be read as a query file: {error}") from error


def read_beir(folder: Path, notes: list[str] | None = None) -> tuple[list[Document], list[Query]]:
    """Read the corpus and the judged questions of a BEIR folder. The qrels are in `qrels.tsv` or `qrels/test.tsv`.

    Args:
        notes: messages about the judgements are added to it.

    Raises:
        EvaluationError: a file is missing or broken, or has an id twice.
    """
    notes = notes if notes is not None else []
    qrels_file = folder / "qrels.tsv" if (folder / "qrels.tsv").is_file() else folder / "qrels" / "test.tsv"
    try:
        corpus = [_Row.model_validate(row) for row in _json_lines(folder / "corpus.jsonl")]
        rows = [_Row.model_validate(row) for row in _json_lines(folder / "queries.jsonl")]
        judgements = beir_judgements(_text(qrels_file), notes)
        texts = {row.id: row.text for row in rows}
        queries = [Query(query, texts[query], grades, beir=True) for query, grades in judgements.items()]
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise EvaluationError(f"{folder} cannot be read as a BEIR folder: {type(error).__name__} {error}") from error
    for name, found in (("corpus.jsonl", corpus), ("queries.jsonl", rows)):
        if twice := _twice(row.id for row in found):
            raise EvaluationError(f"{folder / name} has the _id {twice} twice")
        if spaced := next((row.id for row in found if row.id.split() != [row.id]), None):
            raise EvaluationError(f"{folder / name}: the _id {spaced!r} must not be empty or have spaces")
    if empty := [query.id for query in queries if not query.text.strip()]:
        raise EvaluationError(f"{folder / 'queries.jsonl'}: question {empty[0]} is empty")
    documents = {row.id for row in corpus}
    if not any(documents & query.relevant.keys() for query in queries):
        raise EvaluationError(f"{qrels_file} judges no document of the corpus as relevant")
    notes += _beir_notes(queries, documents)
    return [plain_document(row.id, row.title, row.text) for row in corpus], queries


def _beir_notes(queries: Sequence[Query], documents: Collection[str]) -> list[str]:
    """Return which of BEIR's rules concern some of the questions."""
    without = sum(not query.relevant for query in queries)
    missing = sum(bool(query.relevant) and not documents & query.relevant.keys() for query in queries)
    themselves = sum(query.left_out in documents for query in queries)
    return [
        f"Questions {which}: {count}. {what}, as in published figures."
        for count, which, what in (
            (themselves, "that are themselves documents", "Each is left out of its own ranking"),
            (without, "without a relevant document", "They count as 0"),
            (missing, "whose relevant documents are not in the corpus", "They count as 0"),
        )
        if count
    ]


def answerable(queries: Iterable[Query], what: str) -> tuple[list[Query], list[str]]:
    """Return the questions that have an answer, and a note on the others, which say nothing about `what`."""
    queries = list(queries)
    kept = [query for query in queries if not query.unanswerable]
    left_out = len(queries) - len(kept)
    were = "unanswerable question was" if left_out == 1 else "unanswerable questions were"
    return kept, [f"{left_out} {were} left out: only `evaluate` uses them, not {what}."] if left_out else []


def check_targets(queries: Iterable[Query], corpus: Mapping[str, object], named: str) -> None:
    """Check that every question with an answer has a relevant video among the ids of `corpus`.

    The questions of a BEIR folder are not checked: published figures count those without one as 0.

    Raises:
        EvaluationError: some have none; the message names the first of them.
    """
    queries = [query for query in queries if query.relevant and not query.beir]
    missing = [query for query in queries if not any(video in corpus for video in query.relevant)]
    if missing:
        first = ", ".join(f"{query.id} ({', '.join(query.relevant)})"[:200] for query in missing[:5])
        raise EvaluationError(
            f"the target of {len(missing)} of {len(queries)} questions is not in {named}:"
            f" {first}{' ...' if len(missing) > 5 else ''}"
        )


def _json(path: Path) -> list[Query]:
    raw = json.loads(_text(path))
    if not isinstance(raw, list) or not raw:
        raise EvaluationError(f'{path} is not a list of questions like [{{"text": "...", "target": "..."}}]')
    rows = []
    for number, item in enumerate(raw, start=1):
        if not isinstance(item, dict):
            raise EvaluationError(f"{path}, question {number}: a text and a target are required")
        target = item.get("target")
        none = target is None and _unanswerable(item)
        rows.append((f"question {number}", item, [] if none else target if isinstance(target, list) else [target]))
    return _checked(path, rows)


def _csv(path: Path) -> list[Query]:
    """Read one question and relevant video per row. Rows with the same id are one question with several videos."""
    content = _text(path)
    head = content.split("\n", 1)[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    # With `strict`, a missing closing quote is an error instead of one huge cell.
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    names = reader.fieldnames or []
    if not {"text", "query"} & set(names) or "target" not in names:
        raise EvaluationError(
            f"{path}: the first line must name the columns text and target (id and others are optional)"
        )
    together: dict[str, tuple[str, dict[str, object], list[object]]] = {}
    for row in reader:
        number = reader.line_num
        if None in row:
            raise EvaluationError(f"{path}, line {number}: more cells than the first line has")
        asked = next((row[key] for key in _TEXT_KEYS if key in row), None)
        key = row.get("id") or f"line {number}"
        _, first, targets = together.setdefault(key, (f"line {number}", dict(row), []))
        if asked != next((first[key] for key in _TEXT_KEYS if key in first), None):
            raise EvaluationError(f"{path}, line {number}: the id {key} is there twice, with different texts")
        if row["target"] or not _unanswerable(row):
            targets.append(row["target"])
    if not together:
        raise EvaluationError(f"{path} has no questions")
    return _checked(path, list(together.values()))


def _checked(path: Path, rows: list[tuple[str, dict[str, object], list[object]]]) -> list[Query]:
    queries: list[Query] = []
    seen: dict[str, str] = {}
    given = {str(row.get("id")) for _, row, _ in rows}
    for number, (where, row, targets) in enumerate(rows, start=1):
        text = next((row[key] for key in _TEXT_KEYS if key in row), None)
        named = [str(target) if type(target) is int else target for target in targets]
        videos = [clean_text(target) for target in named if isinstance(target, str) and target.strip()]
        text = clean_text(text) if isinstance(text, str) else ""
        try:
            none = _unanswerable(row)
        except ValueError as error:
            raise EvaluationError(f"{path}, {where}: {error}") from error
        if none and targets:
            raise EvaluationError(f"{path}, {where}: an unanswerable question has no target")
        if not text or len(videos) < len(targets) or not (videos or none):
            raise EvaluationError(f"{path}, {where}: a text and a target are required")
        if len(set(videos)) < len(videos):
            raise EvaluationError(f"{path}, {where}: a target is named twice")
        same = " ".join(text.casefold().split())
        if same in seen:
            raise EvaluationError(
                f"{path}, {where}: the same question as {seen[same]}; give all relevant videos of a question together"
                ' (JSON: "target": ["1", "2"]; CSV: rows with the same id)'
            )
        seen[same] = where
        given_id = row.get("id")
        properties = {
            clean_text(str(name), MAX_NAME_CHARS): clean_text(value, MAX_NAME_CHARS)
            if isinstance(value, str)
            else value
            for name, value in row.items()
            if name not in _NO_PROPERTIES and isinstance(value, str | bool | int | float) and value != ""
        }
        # No spaces: the id is a column of TREC files.
        query_id = "_".join(clean_text(str(given_id)).split()) if given_id not in (None, "") else f"q{number}"
        while given_id in (None, "") and query_id in given:  # the file uses this id for another question
            query_id += "_"
        queries.append(Query(query_id, text, dict.fromkeys(videos, 1), properties))
    if twice := _twice(query.id for query in queries):
        raise EvaluationError(f"{path}: the id {twice} is there twice")
    if not any(query.relevant for query in queries):
        raise EvaluationError(f"{path}: every question is unanswerable, so there is nothing to measure")
    return queries


def _unanswerable(row: Mapping[str, object]) -> bool:
    """Return whether a question is marked as one that no video answers.

    Raises:
        ValueError: the mark is neither yes nor no.
    """
    mark = row.get("unanswerable")
    if mark is None or isinstance(mark, bool):
        return bool(mark)
    if str(mark).strip().casefold() in (*_YES, *_NO):
        return str(mark).strip().casefold() in _YES
    raise ValueError(f"unanswerable must be true or false, not {str(mark)[:MAX_NAME_CHARS]!r}")


def _topics(path: Path, qrels: Path, notes: list[str]) -> list[Query]:
    """Read TREC topics (`<top>` or `id<TAB>text`). Those without a relevant document are left out."""
    content = _text(path)
    asked: list[tuple[str, str]] = []
    if "<top>" in content.lower():
        for topic in _TOPIC.findall(content):
            named, title = _NUM.search(topic), _TITLE.search(topic)
            if not named or not title:
                raise EvaluationError(f"{path}: topic {len(asked) + 1} has no <num> or no <title>")
            asked.append((named[1], " ".join(title[1].split())))
    else:
        for number, line in enumerate(content.split("\n"), start=1):
            if line.strip():
                query_id, tab, text = line.partition("\t")
                if not tab:
                    raise EvaluationError(f"{path}, line {number}: topics are <top> elements or lines id<TAB>text")
                asked.append((query_id.strip(), text.strip()))
    if empty := [query_id for query_id, text in asked if not text]:
        raise EvaluationError(f"{path}: topic {empty[0]} is empty")
    if twice := _twice(query_id for query_id, _ in asked):
        raise EvaluationError(f"{path}: the topic {twice} is there twice")
    try:
        relevant = trec_judgements(_text(qrels), notes)
    except ValueError as error:
        raise EvaluationError(f"{qrels} cannot be read as qrels (lines `topic 0 video grade`): {error}") from error
    queries = [
        Query(query_id, clean_text(text), relevant[query_id]) for query_id, text in asked if relevant.get(query_id)
    ]
    if not queries:
        raise EvaluationError(f"{qrels} judges nothing as relevant for the topics of {path}: check that the ids match")
    return queries


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


class _Row(BaseModel):
    """A line of corpus.jsonl or queries.jsonl."""

    id: str = Field(alias="_id")
    title: Text = ""
    text: Annotated[str, AfterValidator(partial(clean_text, max_chars=MAX_MADE_TEXT_CHARS))]


def _json_lines(path: Path) -> Iterator[object]:
    for line in _text(path).split("\n"):
        if line.strip():
            yield json.loads(line)


def _text(path: Path) -> str:
    """The text of a file.

    Raises:
        ValueError: a part of it cannot be decoded. A question that is not exact gives wrong figures.
    """
    decoded = decode(path.read_bytes())
    if decoded.damage:
        raise ValueError(decoded.damage)
    return decoded.text
