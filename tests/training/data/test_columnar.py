"""Tags, spans, answers and pairs from Parquet files and from data sets of the hub's form."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.bio import Span
from training.data.multilabel import read_multi_label
from training.data.questions import Answer, read_questions
from training.data.tagged import read_tagged

CONTEXT = "Ann left Rome."


def spec(**settings: object) -> DataSpec:
    return DataSpec.model_validate({"path": "unused", **settings})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `datasets` loads as it would load one of the hub."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-per", "I-per"])),
            "id": datasets.Value("string"),
            "question": datasets.Value("string"),
            "context": datasets.Value("string"),
            "answers": {
                "text": datasets.List(datasets.Value("string")),
                "answer_start": datasets.List(datasets.Value("int32")),
            },
            "text": datasets.Value("string"),
            "topics": datasets.List(datasets.ClassLabel(names=["travel", "names"])),
            "domain": datasets.Value("string"),
        }
    )
    rows = [
        {
            "tokens": ["Ann", "Lee", "left"],
            "ner_tags": [1, 2, 0],
            "id": "q1",
            "question": "Who?",
            "context": CONTEXT,
            "answers": {"text": ["Ann"], "answer_start": [0]},
            "text": "Ann Lee left",
            "topics": [1, 0],
            "domain": "news",
        },
        {
            "tokens": ["no"],
            "ner_tags": [0],
            "id": "q2",
            "question": "Why?",
            "context": CONTEXT,
            "answers": {"text": [], "answer_start": []},
            "text": "no",
            "topics": [],
            "domain": None,
        },
    ]
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "data" / "train.parquet")
    return tmp_path / "data"


def test_tags_that_are_class_labels_come_back_as_names(hub: Path) -> None:
    rows = read_tagged(f"hf:{hub}", spec(slice_columns=["domain"]))
    assert [row.tags for row in rows] == [("B-per", "I-per", "O"), ("O",)]
    assert rows[0].spans == (Span(0, 7, "per"),)
    assert [row.extra for row in rows] == [(("domain", "news"),), (("domain", ""),)]


def test_answers_and_lists_of_labels(hub: Path) -> None:
    questions = read_questions(f"hf:{hub}", spec())
    assert [(row.id, row.answers) for row in questions] == [("q1", (Answer("Ann", 0),)), ("q2", ())]
    assert [row.labels for row in read_multi_label(f"hf:{hub}@train", spec(label_column="topics"))] == [
        ("names", "travel"),
        (),
    ]


def test_the_same_file_as_parquet_has_numbers_for_tags(hub: Path) -> None:
    path = str(hub / "train.parquet")
    with pytest.raises(DataError, match="the tag is the number 1, and there are no tag names"):
        read_tagged(path, spec())
    named = read_tagged(path, spec(tag_names=["O", "B-per", "I-per"]))
    assert named[0].tags == ("B-per", "I-per", "O")
    assert read_questions(path, spec())[0].answers == (Answer("Ann", 0),)


def test_spans_in_parquet(tmp_path: Path) -> None:
    spans = [[{"start": 9, "end": 13, "label": "loc"}, {"start": 0, "end": 3, "label": "per"}], []]
    pq.write_table(pa.table({"text": [CONTEXT, "no"], "entities": spans}), tmp_path / "a.parquet")
    rows = read_tagged(str(tmp_path / "a.parquet"), spec())
    assert [row.label for row in rows] == ["loc+per", "none"]
    pq.write_table(
        pa.table({"text": ["no", "no"], "entities": [[], [{"start": 0, "end": 9, "label": "x"}]]}),
        tmp_path / "b.parquet",
    )
    with pytest.raises(DataError, match=r"b.parquet, line 2: span 1: 0 to 9 is not in its text of 2 characters"):
        read_tagged(str(tmp_path / "b.parquet"), spec())


def test_columns_that_are_not_there(hub: Path) -> None:
    with pytest.raises(DataError, match=r"expected columns 'words' and 'tags', or 'text' and 'entities'"):
        read_tagged(f"hf:{hub}", spec(tokens_column="words", tags_column="tags"))
    with pytest.raises(
        DataError, match=r"expected a column 'domian', found: .*did you mean 'domain'.*Set `slice_columns`"
    ):
        read_tagged(f"hf:{hub}", spec(slice_columns=["domian"]))
