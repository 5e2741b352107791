"""Data sets of every kind: split, named in the order of the logits, frozen and thawed; and splits by time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.home import Home
from contracts.task import TaskSpec
from training.data.dataset import Dataset, freeze, load_dataset, thaw
from training.data.extras import seconds_of
from training.data.multilabel import MultiLabelRow, multi_label_row
from training.data.pairs import PairRow
from training.data.questions import QuestionRow
from training.data.rows import Row, rows_of
from training.data.stratify import split_by_names, split_by_time
from training.data.tagged import TaggedRow

SHARES = (0.7, 0.15, 0.15)


def save(path: Path, rows: Sequence[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def load(data: dict[str, object], **task: object) -> Dataset:
    return load_dataset(TaskSpec.model_validate({"name": "t", "data": data, **task}))


def tagged(number: int, name: str = "per") -> dict[str, object]:
    return {"tokens": ["see", f"Ann{number}", "Lee"], "ner_tags": ["O", f"B-{name}", f"I-{name}"]}


def question(number: int, context: int) -> dict[str, object]:
    answers = {"text": ["Ann"], "answer_start": [0]} if number % 3 else {"text": [], "answer_start": []}
    return {"id": f"q{number}", "question": f"Who {number}?", "context": f"Ann of {context}", "answers": answers}


class TestEveryKind:
    def test_token_classification(self, tmp_path: Path, home: Home) -> None:
        rows = [tagged(number, "loc" if number % 4 == 0 else "per") for number in range(40)]
        path = save(tmp_path / "a.jsonl", [*rows, tagged(99, "rare"), {"tokens": ["hm"], "ner_tags": ["O"]}])
        dataset = load({"path": path}, kind="token-classification")
        assert dataset.labels == ("O", "B-loc", "I-loc", "B-per", "I-per", "B-rare", "I-rare")
        assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [30, 6, 6]
        assert "rare" in {row.label for row in dataset.train}
        assert any("No test rows" in warning and "'rare'" in warning for warning in dataset.warnings)
        freeze(home, "t", dataset)
        thawed = thaw(home, "t", dataset.fingerprint)
        assert thawed.labels == dataset.labels
        pairs = list(zip(rows_of(TaggedRow, thawed.test), rows_of(TaggedRow, dataset.test), strict=True))
        assert [(one.spans, one.tokens) for one, _ in pairs] == [(other.spans, other.tokens) for _, other in pairs]

    def test_entity_types_that_are_ignored_are_untagged(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jsonl", [tagged(number, "per" if number % 2 else "loc") for number in range(20)])
        dataset = load({"path": path, "ignore_labels": ["loc"]}, kind="token-classification")
        assert dataset.labels == ("O", "B-per", "I-per")
        assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 20

    def test_an_entity_type_that_only_the_test_has(self, tmp_path: Path) -> None:
        train = save(tmp_path / "a.jsonl", [tagged(number) for number in range(20)])
        test = save(tmp_path / "b.jsonl", [tagged(100), tagged(101, "loc")])
        with pytest.raises(DataError, match=r"b.jsonl, line 2: no training rows for 1 label of the test rows: 'loc'"):
            load({"train": train, "test": test}, kind="token-classification")

    @pytest.mark.parametrize(
        ("kind", "row", "problem"),
        [
            ("token-classification", {"tokens": ["a"], "ner_tags": ["O"]}, "expected an entity"),
            (
                "question-answering",
                {"question": "a", "context": "b", "answers": []},
                "expected a question with an answer",
            ),
        ],
    )
    def test_nothing_to_learn(self, tmp_path: Path, kind: str, row: dict[str, object], problem: str) -> None:
        path = save(tmp_path / "a.jsonl", [row])
        with pytest.raises(DataError, match=problem):
            load({"path": path}, kind=kind)

    def test_questions_on_one_context_stay_together(self, tmp_path: Path, home: Home) -> None:
        path = save(tmp_path / "a.jsonl", [question(number, number // 4) for number in range(80)])
        dataset = load({"path": path}, kind="question-answering")
        assert dataset.labels == ("no-answer", "answer")
        splits = [rows_of(QuestionRow, rows) for rows in (dataset.train, dataset.validation, dataset.test)]
        contexts = [{row.context for row in rows} for rows in splits]
        assert all(contexts)
        assert sum(map(len, contexts)) == 20
        freeze(home, "t", dataset)
        assert [row.truth for row in thaw(home, "t", dataset.fingerprint).test] == [row.truth for row in dataset.test]

    def test_pairs(self, tmp_path: Path, home: Home) -> None:
        path = save(tmp_path / "a.jsonl", [{"first": f"a{i}", "second": f"b{i}", "score": i % 6} for i in range(20)])
        dataset = load({"path": path, "pairs": "scored", "max_score": 5}, kind="similarity")
        assert (dataset.labels, len(dataset.train)) == (("vector",), 14)
        freeze(home, "t", dataset)
        thawed = rows_of(PairRow, thaw(home, "t", dataset.fingerprint).train)
        assert [row.score for row in thawed] == [row.score for row in rows_of(PairRow, dataset.train)]
        # The service is asked for one text of a pair at a time.
        data = {"path": path, "pairs": "scored", "max_score": 5}
        assert load(data, kind="similarity", limits={"max_text_chars": 3}).warnings == ()
        (warning,) = load(data, kind="similarity", limits={"max_text_chars": 2}).warnings
        assert warning.startswith("10 texts (such as")
        with pytest.raises(DataError, match="expected a column 'score'"):
            load(
                {"path": save(tmp_path / "b.jsonl", [{"first": "a", "second": "b"}]), "pairs": "scored"},
                kind="similarity",
            )

    def test_several_labels(self, tmp_path: Path, home: Home) -> None:
        rows = [{"text": f"t{i}", "label": [["a"], ["b", "a"], []][i % 3]} for i in range(60)]
        dataset = load({"path": save(tmp_path / "a.jsonl", rows)}, multi_label=True)
        assert dataset.labels == ("a", "b")
        assert all({name for row in part for name in row.names} == {"a", "b"} for part in (dataset.train, dataset.test))
        freeze(home, "t", dataset)
        assert rows_of(MultiLabelRow, thaw(home, "t", dataset.fingerprint).train)[0].labels == dataset.train[0].names

    @given(
        st.lists(st.sets(st.sampled_from("abcdefgh")), min_size=3, max_size=80),
        st.integers(0, 1000),
    )
    def test_a_name_is_never_missing_where_learning_is_done(self, sets: list[set[str]], seed: int) -> None:
        rows: list[Row] = [multi_label_row(f"t{i}", names, "f", i) for i, names in enumerate(sets)]
        parts = split_by_names(rows, SHARES, seed)
        assert sorted(row.line for part in parts for row in part) == list(range(len(rows)))
        assert {name for row in parts[0] for name in row.names} == {name for names in sets for name in names}


class TestTime:
    def test_the_newest_rows_are_the_test(self, tmp_path: Path) -> None:
        rows = [{"text": f"t{i}", "label": "ab"[i % 2], "at": f"2026-01-{20 - i:02}"} for i in range(20)]
        dataset = load({"path": save(tmp_path / "a.jsonl", rows), "time_column": "at"})
        times = [[row.time or 0.0 for row in part] for part in (dataset.train, dataset.validation, dataset.test)]
        assert [len(part) for part in times] == [14, 3, 3]
        assert max(times[0]) < min(times[1])
        assert max(times[1]) < min(times[2])

    def test_a_label_that_came_up_last_cannot_be_learned(self, tmp_path: Path) -> None:
        rows = [{"text": f"t{i}", "label": "ab"[i % 2] if i < 19 else "new", "at": i} for i in range(20)]
        with pytest.raises(DataError, match=r"line 20: no training rows for 1 label of the test rows: 'new'"):
            load({"path": save(tmp_path / "a.jsonl", rows), "time_column": "at"})

    @pytest.mark.parametrize("value", ["yesterday", None, True, "", float("inf"), [1]])
    def test_what_is_no_time(self, tmp_path: Path, value: object) -> None:
        rows = [{"text": "a", "label": "a", "at": 1}, {"text": "b", "label": "b", "at": value}]
        with pytest.raises(DataError, match="line 2: expected a time in 'at'"):
            load({"path": save(tmp_path / "a.jsonl", rows), "time_column": "at"})

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("1970-01-02", 86400.0),
            ("1970-01-01T01:00:00+01:00", 0.0),
            ("1970-01-01 00:00:05", 5.0),
            ("12.5", 12.5),
            ("19700102", 86400.0),
            (3, 3.0),
        ],
    )
    def test_times(self, value: object, seconds: float) -> None:
        assert seconds_of(value) == seconds

    def test_conll_has_no_times(self, tmp_path: Path) -> None:
        (tmp_path / "a.conll").write_text("Ann B-per\n")
        with pytest.raises(DataError, match="a CoNLL file has no column 'at'"):
            load({"path": str(tmp_path / "a.conll"), "time_column": "at"}, kind="token-classification")

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=60))
    def test_no_text_is_in_two_parts_and_parts_follow_each_other(self, found: list[tuple[int, int]]) -> None:
        rows = [Row(f"t{text}", "a", "f", i, time=float(time)) for i, (text, time) in enumerate(found)]
        parts = split_by_time(rows, SHARES)
        assert sorted(row.line for part in parts for row in part) == list(range(len(rows)))
        first = {text: min(row.time or 0.0 for row in rows if row.text == text) for text in {row.text for row in rows}}
        seen = [{row.text for row in part} for part in parts]
        assert sum(map(len, seen)) == len(first)
        for earlier, later in pairwise(seen):
            for text in earlier:
                assert all(first[text] <= first[other] for other in later)
