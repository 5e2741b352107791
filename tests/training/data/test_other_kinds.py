"""Questions, pairs and texts with several labels: what comes out, and what is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.multilabel import read_multi_label
from training.data.pairs import read_pairs
from training.data.questions import Answer, read_questions

Write = Callable[[str, str], Path]
CONTEXT = "Ünal was born in Rome, and left Rome in 1990."


def spec(path: Path, **settings: object) -> DataSpec:
    return DataSpec.model_validate({"path": str(path), **settings})


def lines(*rows: object) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def question(**changes: object) -> dict[str, object]:
    return {
        "id": "q1",
        "question": "Where was Ünal born?",
        "context": CONTEXT,
        "answers": {"text": ["Rome"], "answer_start": [17]},
    } | changes


def squad(*questions: dict[str, object], indent: int | None = None) -> str:
    stripped = [{name: value for name, value in one.items() if name != "context"} for one in questions]
    paragraph = {"context": CONTEXT, "qas": stripped}
    content = {"version": "v2.0", "data": [{"title": "Ünal", "paragraphs": [paragraph]}]}
    return json.dumps(content, ensure_ascii=False, indent=indent)


class TestQuestions:
    @pytest.mark.parametrize("name", ["a.csv", "a.TSV"])
    def test_a_form_that_holds_no_lists_is_refused_whatever_its_columns(self, write: Write, name: str) -> None:
        path = write(name, "question,context,answers\nWhere?,In Rome.,Rome\n")
        with pytest.raises(DataError, match=r"such as JSONL; found .* Write one JSON object a line: .*answer_start"):
            read_questions(str(path), spec(path))

    def test_rows_of_squads_form(self, write: Write) -> None:
        none = question(id="q2", answers={"text": [], "answer_start": []})
        twice = question(id="q3", answers={"text": ["Rome", "Rome", "Rome"], "answer_start": [17, 17, 32]})
        path = write("a.jsonl", lines(question(), none, twice))
        rows = read_questions(str(path), spec(path))
        assert [(row.id, row.label, row.line) for row in rows] == [
            ("q1", "answer", 1),
            ("q2", "no-answer", 2),
            ("q3", "answer", 3),
        ]
        assert rows[0].answers == (Answer("Rome", 17),)
        assert rows[2].answers == (Answer("Rome", 17), Answer("Rome", 32))
        assert rows[0].answers[0].end == 21

    def test_a_question_is_read_as_the_service_asks_it(self, write: Write) -> None:
        path = write("a.jsonl", lines(question(question=" Where  was\nÜnal\tborn? ")))
        assert read_questions(str(path), spec(path))[0].question == "Where was Ünal born?"

    @pytest.mark.parametrize("indent", [None, 1])
    def test_squad_files_of_both_versions(self, write: Write, indent: int | None) -> None:
        given = [{"text": "Rome", "answer_start": 17}]
        path = write(
            "a.json",
            squad(
                question(answers=given),
                question(id="q2", answers=[], is_impossible=True, plausible_answers=given),
                question(id="q3", answers=given, is_impossible=False),
                indent=indent,
            ),
        )
        rows = read_questions(str(path), spec(path, question_column="q"))
        assert [(row.id, row.label) for row in rows] == [("q1", "answer"), ("q2", "no-answer"), ("q3", "answer")]
        written = path.read_text().split("\n")
        assert [json.dumps(row.id) in written[row.line - 1] for row in rows] == [True] * 3

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"answers": {"text": ["Rome"], "answer_start": [18]}}, "expected the answer 'Rome' at character 18"),
            ({"answers": {"text": ["Rome"], "answer_start": [18]}}, "found 'ome,' there; it stands at 17"),
            ({"answers": {"text": ["Paris"], "answer_start": [17]}}, "it is nowhere in the context"),
            ({"answers": {"text": ["Rome"], "answer_start": [-5]}}, "at character -5"),
            ({"answers": {"text": ["Rome"], "answer_start": [900]}}, "its context has 45 characters"),
            ({"answers": {"text": ["Rome"], "answer_start": []}}, "as many answer texts as answer starts"),
            ({"answers": {"text": [""], "answer_start": [0]}}, "expected an answer's text and its start"),
            ({"answers": "Rome"}, "expected answers, found a str"),
            ({"question": " "}, "the question is empty"),
            ({"context": None}, "expected a context, found null"),
            ({"id": "q1"}, "the id 'q1' is on line 1 too"),
            ({"is_impossible": "true"}, "expected is_impossible to be true or false, found 'true'"),
            ({"is_impossible": True}, "is_impossible is true, and there are answers"),
            ({"is_impossible": False, "answers": []}, "is_impossible is false, and there is no answer"),
        ],
    )
    def test_a_bad_row(self, write: Write, changes: dict[str, object], problem: str) -> None:
        path = write("a.jsonl", lines(question(), question(**{"id": "q2", **changes})))
        with pytest.raises(DataError) as caught:
            read_questions(str(path), spec(path))
        assert (caught.value.line, caught.value.path) == (2, str(path))
        assert problem in str(caught.value)

    def test_a_bad_question_in_a_squad_file_is_told_by_line_and_id(self, write: Write) -> None:
        given = [{"text": "Rome", "answer_start": 17}]
        wrong = [{"text": "Rome", "answer_start": 16}]
        path = write("a.json", squad(question(answers=given), question(id="q-bad", answers=wrong), indent=1))
        with pytest.raises(DataError, match="question 'q-bad': expected the answer 'Rome' at character 16") as caught:
            read_questions(str(path), spec(path))
        line = caught.value.line
        assert line is not None
        assert '"q-bad"' in path.read_text().split("\n")[line - 1]

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            ([{"paragraphs": 3}], "expected an article with a list `paragraphs`, found the number 3"),
            ([{"paragraphs": [{"qas": []}]}], "a paragraph without a `context`"),
            ([{"paragraphs": [{"context": "c", "qas": [1]}]}], "expected objects in `qas`"),
            ([{"paragraphs": [{"context": "c", "qas": [{"id": "a"}]}]}], "expected a field 'question'"),
            ([{"paragraphs": []}], "found no rows"),
        ],
    )
    def test_what_is_not_squads_form(self, write: Write, data: object, problem: str) -> None:
        path = write("a.json", json.dumps({"data": data}))
        with pytest.raises(DataError) as caught:
            read_questions(str(path), spec(path))
        assert problem in str(caught.value)


class TestPairs:
    def test_scores_become_shares(self, write: Write) -> None:
        path = write("a.tsv", "first\tsecond\tscore\n a \tb\t5\nc\td\t0.5\n")
        rows = read_pairs(str(path), spec(path, max_score=5))
        assert [(row.first, row.second, row.score, row.line) for row in rows] == [
            ("a", "b", 1.0, 2),
            ("c", "d", 0.1, 3),
        ]

    def test_pairs_without_scores(self, write: Write) -> None:
        path = write("a.jsonl", lines({"q": "a", "r": "b"}))
        (row,) = read_pairs(str(path), spec(path, first_column="q", second_column="r"))
        assert (row.score, row.text, row.label) == (None, "a\nb", "pair")

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            ({"score": 1.5}, "expected a score from 0 to 1, found the number 1.5"),
            ({"score": "high"}, "found 'high'"),
            ({"score": True}, "found true"),
            ({"score": float("nan")}, "found the number nan"),
            ({"score": None}, "the pair has no score, and others have"),
            ({"first": ""}, "the first text is empty"),
            ({"second": 3}, "expected a second text, found the number 3"),
        ],
    )
    def test_a_bad_row(self, write: Write, row: dict[str, object], problem: str) -> None:
        fine = {"first": "a", "second": "b", "score": 0}
        path = write("a.jsonl", lines(fine, fine | row))
        with pytest.raises(DataError) as caught:
            read_pairs(str(path), spec(path))
        assert caught.value.line == 2
        assert problem in str(caught.value)


class TestMultiLabel:
    @pytest.mark.parametrize(
        ("name", "content", "separator"),
        [
            ("a.jsonl", lines({"text": "x", "label": ["b", "a", "b"]}, {"text": "y", "label": []}), ""),
            ("a.csv", 'text,label\nx,"[""b"", ""a""]"\ny,[]\n', ""),
            ("a.csv", "text,label\nx,b|a\ny,\n", "|"),
            ("a.csv", 'text,label\nx,"b, a,"\ny, \n', ","),
        ],
    )
    def test_lists_and_separated_labels(self, write: Write, name: str, content: str, separator: str) -> None:
        path = write(name, content)
        rows = read_multi_label(str(path), spec(path, label_separator=separator))
        assert [(row.text, row.labels, row.label) for row in rows] == [("x", ("a", "b"), "a+b"), ("y", (), "none")]

    @pytest.mark.parametrize(
        ("label", "problem"),
        [
            ("a", "expected a list of labels, found 'a'"),
            (None, "expected a list of labels, found null"),
            ([""], "the label is empty"),
            ([["a"]], "expected a label, found a list"),
            ("[a", "expected a list of labels, found '[a'"),
            (["a", "b+c"], "a label without '+' that is neither 'none' nor '(other labels)', found 'b+c'"),
            ([" none "], "found 'none': the prediction log joins the names of a text by '+'"),
            (["(other labels)"], "Rename the label, or name it in ignore_labels"),
        ],
    )
    def test_a_bad_row(self, write: Write, label: object, problem: str) -> None:
        path = write("a.jsonl", lines({"text": "x", "label": ["a"]}, {"text": "y", "label": label}))
        with pytest.raises(DataError) as caught:
            read_multi_label(str(path), spec(path))
        assert caught.value.line == 2
        assert problem in str(caught.value)

    def test_a_label_that_is_left_out_may_have_any_name(self, write: Write) -> None:
        path = write("a.csv", "text,label\nx,none\ny,a+b\n")
        rows = read_multi_label(str(path), spec(path, label_separator="+", ignore_labels=["none"]))
        assert [row.labels for row in rows] == [("none",), ("a", "b")]
