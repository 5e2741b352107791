"""JSON files: each element with its line; whatever else is in the file is an error with the line where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.questions import read_questions
from training.data.sources import Row, read_rows
from training.data.tagged import read_tagged

Write = Callable[[str, str | bytes], Path]
ROWS = [{"text": "one", "label": "a"}, {"label": "b", "text": "tw\no"}, {"text": "[{", "label": "c", "n": {"d": []}}]


def read(path: Path) -> list[Row]:
    return read_rows(str(path), text_column="text", label_column="label")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "value",
    [ROWS, {"data": ROWS}, {"rows": ROWS, "version": 1}, {"version": {"data": [1]}, "data": "no", "rows": ROWS}],
)
def test_lists_wherever_they_stand(write: Write, value: object, indent: int | None) -> None:
    path = write("a.json", "\n" + json.dumps(value, indent=indent))
    rows = read(path)
    assert [(row.text, row.label) for row in rows] == [("one", "a"), ("tw\no", "b"), ("[{", "c")]
    lines = path.read_text().split("\n")
    assert [lines[row.line - 1].strip()[:1] for row in rows] == (["{"] * 3 if indent else [lines[1][:1]] * 3)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ('[\n{"text": "a", "label": "b"},\n{"text": "a"}\n]', 3, "expected a column 'label'"),
        ('[\n{"text": "a", "label": "b"},\n3]', 3, "expected a JSON object, found int '3]'"),
        ('[{"text": "a", "label": "b"}\n{"text"', 2, "Expecting ',' or ']'"),
        ('[{"text": "a", "label": "b"},\n]', 2, "trailing comma"),
        ('[{"text": "a", "label": "b"}', 1, "Expecting ',' or ']'"),
        ('[{"text": "a", "label": "b"}]\n[{"text": "c", "label": "d"}]', 2, "Extra data"),
        ('{"rows": [{"text": "a", "label": "b"}]}\n{"rows": []}', 2, "Extra data"),
        ('{"rows": [{"text": "a", "label": "b"}],\n"n": [1}', 2, "invalid JSON"),
        ('{"rows": [{"text": "a", "label": "b"}]', 1, "Expecting ',' or '}'"),
        ('{"name": 1,\n "data": {}}', 1, "expected a list under \"data\" or \"rows\", found 'name', 'data'"),
        ("{}", 1, "found nothing"),
        ("{data: []}", 1, "property name"),
        ('"text"', 1, "expected a list of objects"),
        ("text", 1, "invalid JSON"),
        ("[" * 100_000, None, "nested too deep"),
        ('[{"text": "a", "label": ' + "1" * 5000 + "}]", None, "invalid JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(write: Write, content: str, line: int | None, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write("a.json", content))
    assert caught.value.line == line
    assert problem in str(caught.value)


def read_every_way(path: Path) -> None:
    """Rows come of it, or an error that names the file."""
    spec = DataSpec(path="unused")
    ways: list[Callable[[], object]] = [lambda: read_tagged(str(path), spec)]
    if path.suffix == ".json":
        ways += [lambda: read(path), lambda: read_questions(str(path), spec)]
    for way in ways:
        told = None
        try:
            found = way()
        except DataError as error:
            told = str(error)
        assert found if told is None else path.name in told


@given(st.one_of(st.text(max_size=80), st.text('[]{}",:01 \ndatarows', max_size=80)))
@settings(max_examples=300)
def test_any_content_gives_rows_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, junk: str) -> None:
    folder = tmp_path_factory.mktemp("junk")
    for start in ("", "[", '{"data": [', '{"data": [{"paragraphs": [', '[{"text": "a", "label": "b"}, '):
        for path in (folder / "a.json", folder / "a.conll"):
            path.write_bytes((start + junk).encode("utf-8", errors="surrogatepass"))
            read_every_way(path)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=8
)


@given(VALUES, st.sampled_from(["id", "question", "context", "answers", "is_impossible", "text"]))
def test_any_value_in_a_question_gives_rows_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, value: object, field: str
) -> None:
    path = tmp_path_factory.mktemp("values") / "a.jsonl"
    nothing: dict[str, object] = {"text": [], "answer_start": []}
    row: dict[str, object] = {"id": "q", "question": "who", "context": "Ann", "answers": nothing}
    changed = {"answers": {"text": value, "answer_start": value}} if field == "text" else {field: value}
    path.write_text(json.dumps(row | changed))
    with suppress(DataError):
        assert len(read_questions(str(path), DataSpec(path="unused"))) == 1
