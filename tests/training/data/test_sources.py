"""The same rows come out of every format, each with the line that it stands on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from training.data.sources import PlacedText, Row, read_rows, read_texts, read_usable_rows

Write = Callable[[str, str | bytes], Path]


def read(path: Path | str, **columns: str) -> list[Row]:
    return read_rows(str(path), **{"text_column": "text", "label_column": "label", **columns})


def refused(path: Path | str, **columns: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, **columns)
    assert str(path) in str(caught.value)
    return caught.value


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.csv", "text,label\nhello there,hi\nwhere is it,delivery\n"),
            ("a.CSV", 'label,id,text\r\nhi,1,hello there\r\ndelivery,2,"where is it"\r\n'),
            ("a.csv", "\ufefftext,label\nhello there,hi\nwhere is it,delivery"),
            ("a.csv", "text;label\nhello there;hi\nwhere is it;delivery\n"),
            ("a.csv", '"text";"label"\n"hello there";"hi"\nwhere is it;delivery\n'),
            ("a.tsv", "text\tlabel\nhello there\thi\nwhere is it\tdelivery\n"),
            ("a.jsonl", '{"text": "hello there", "label": "hi"}\n{"label": "delivery", "text": "where is it", "n": 1}'),
            ("a.ndjson", '{"text": "hello there", "label": "hi"}\r\n{"text": "where is it", "label": "delivery"}\r\n'),
            ("a.jsonl", '{"text": "hello there", "label": "hi"}\r{"text": "where is it", "label": "delivery"}\r'),
        ],
    )
    def test_the_same_two_rows_come_out_of_each(self, write: Write, name: str, content: str) -> None:
        path = write(name, content)
        first = 1 if path.suffix in (".jsonl", ".ndjson") else 2
        assert read(path) == [
            Row("hello there", "hi", str(path), first),
            Row("where is it", "delivery", str(path), first + 1),
        ]

    def test_parquet_counts_rows_from_one_and_reads_categories(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        labels = pa.array(["hi", "delivery"]).dictionary_encode()
        pq.write_table(pa.table({"text": ["hello", "where"], "label": labels, "other": [1, 2]}), path)
        assert read(path) == [Row("hello", "hi", str(path), 1), Row("where", "delivery", str(path), 2)]

    def test_other_column_names(self, write: Write) -> None:
        path = write("a.csv", "Message, Intent \nhello,hi\n")
        assert read(path, text_column="Message", label_column="Intent") == [Row("hello", "hi", str(path), 2)]

    def test_a_dataset_folder_in_the_hub_format_gives_label_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        datasets.disable_progress_bars()
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["hi", "bye"])}
        )
        made = {"train": ([1, 0], ["see you", "hello"]), "test": ([0], ["good day"]), "validation": ([-1], ["hm"])}
        for split, (labels, texts) in made.items():
            part = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)
            part.to_parquet(tmp_path / "data" / f"{split}.parquet")
        source = f"hf:{tmp_path / 'data'}"
        assert [(row.text, row.label, row.line) for row in read(source)] == [("see you", "bye", 1), ("hello", "hi", 2)]
        assert [(row.text, row.file) for row in read(f"{source}@test")] == [("good day", f"{source}@test")]
        named = read_rows(source, text_column="text", label_column="label", split="test")
        assert [(row.text, row.file) for row in named] == [("good day", f"{source}@test")]
        assert "split 'nope'" in str(refused(f"{source}@nope"))
        assert "did you mean 'label'" in str(refused(source, label_column="labels"))
        assert "null" in str(refused(f"{source}@validation"))

    def test_without_a_network_the_hub_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        error = refused("hf:perennial-tests/no-such-data")
        assert "cannot be reached" in str(error)
        assert "Connect to the network" in str(error)

    def test_a_hub_source_needs_a_name(self) -> None:
        assert "expected hf:NAME" in str(refused("hf:"))


class TestLines:
    def test_quoted_fields_over_several_lines(self, write: Write) -> None:
        path = write("a.csv", 'text,label\n"one\ntwo\n\nfour",a\n\n\nplain,b\n"say ""hi"", you",c\n')
        assert [(row.text, row.line) for row in read(path)] == [
            ("one\ntwo\n\nfour", 2),
            ("plain", 8),
            ('say "hi", you', 9),
        ]

    @given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.just("\n"), min_size=1), min_size=1))
    @settings(deadline=None, max_examples=100)
    def test_any_text_survives_csv_with_its_line(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
    ) -> None:
        texts = [f"x{text}" for text in texts]
        path = tmp_path_factory.mktemp("csv") / "a.csv"
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(["text", "label"])
        begins = []
        for text in texts:
            begins.append(buffer.getvalue().count("\n") + 1)
            writer.writerow([text, "a"])
        path.write_bytes(buffer.getvalue().encode())
        assert [(row.text, row.line) for row in read(path)] == list(zip(texts, begins, strict=True))

    @given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs"))), min_size=1), st.booleans())
    @settings(deadline=None, max_examples=100)
    def test_any_text_survives_json_lines(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool
    ) -> None:
        path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
        lines = [json.dumps({"text": f"x{text}", "label": "a"}, ensure_ascii=ascii_only) for text in texts]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert [(row.text, row.line) for row in read(path)] == [(f"x{text}", i) for i, text in enumerate(texts, 1)]


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        for suffix in (".csv", ".jsonl", ".parquet"):
            assert "no such file" in str(refused(tmp_path / f"no{suffix}"))

    @pytest.mark.parametrize("content", ["", "\n\n", " \n", "\ufeff"])
    def test_empty(self, write: Write, content: str) -> None:
        assert "empty" in str(refused(write("a.csv", content)))

    def test_only_a_header(self, write: Write) -> None:
        assert "found no rows" in str(refused(write("a.csv", "text,label\n")))

    @pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.parquet"])
    def test_a_folder(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        assert "is a folder" in str(refused(tmp_path / name))

    @pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz"])
    def test_a_suffix_that_is_not_known(self, write: Write, name: str) -> None:
        assert ".csv, .tsv, .jsonl, .ndjson, .parquet" in str(refused(write(name, "text,label\na,b\n")))

    def test_a_parquet_file_that_is_none(self, write: Write) -> None:
        assert "expected a Parquet file" in str(refused(write("a.parquet", "text,label\na,b\n")))


class TestColumns:
    def test_missing_ones_are_named_with_the_nearest(self, write: Write) -> None:
        error = refused(write("a.csv", "texts,category,id\na,b,1\n"))
        assert "expected a column 'text', found: 'texts', 'category', 'id' (did you mean 'texts'?)" in str(error)
        assert "expected a column 'label'" in str(error)
        assert error.line == 1

    def test_in_another_case(self, write: Write) -> None:
        assert "did you mean 'TEXT'?" in str(refused(write("a.csv", "TEXT,label\na,b\n")))

    def test_twice_in_the_header(self, write: Write) -> None:
        assert "'text' stands twice" in str(refused(write("a.csv", "text,label,text\na,b,c\n")))

    def test_one_column_for_both(self, write: Write) -> None:
        assert "both 'text'" in str(refused(write("a.csv", "text\na\n"), label_column="text"))

    def test_missing_in_one_json_line(self, write: Write) -> None:
        error = refused(write("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", "lable": "b"}\n'))
        assert (error.line, "did you mean 'lable'?" in str(error)) == (2, True)

    def test_missing_in_parquet(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"text": ["a"], "target": ["b"]}), tmp_path / "a.parquet")
        assert "'text', 'target'" in str(refused(tmp_path / "a.parquet"))


class TestUsableRows:
    def test_what_cannot_be_used_is_left_out_and_told(self, write: Write) -> None:
        lines = [{"text": "fine", "label": "a"}, {"text": "be\x07ll", "label": "a"}, {"text": " ", "label": "b"}]
        path = write("a.jsonl", "\n".join(map(json.dumps, lines)))
        usable = read_usable_rows(str(path), text_column="text", label_column="label")
        assert usable.rows == [Row("fine", "a", str(path), 1)]
        (warning,) = usable.warnings
        assert f"{path}, line 2: the text holds the control character U+0007" in warning
        assert "2 problems in all" in warning

    def test_nothing_to_tell(self, write: Write) -> None:
        path = write("a.csv", "text,label\nfine,a\n")
        assert read_usable_rows(str(path), text_column="text", label_column="label").warnings == ()

    def test_a_source_that_cannot_be_read_is_an_error_still(self, write: Write, tmp_path: Path) -> None:
        for path in (tmp_path / "none.jsonl", write("a.jsonl", b"\xff"), write("a.csv", "texts,label\na,b\n")):
            with pytest.raises(DataError, match=path.name):
                read_usable_rows(str(path), text_column="text", label_column="label")


def test_texts_alone_need_no_labels(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text('id,text\n1,hello there\n2,"two\nlines"\n', encoding="utf-8")
    path = str(tmp_path / "texts.csv")
    expected = [PlacedText("hello there", path, 2), PlacedText("two\nlines", path, 3)]
    assert read_texts(path, text_column="text") == expected
    (tmp_path / "bad.csv").write_text("text\nfine\n\x00\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        read_texts(str(tmp_path / "bad.csv"), text_column="text")
