"""Every way in which a data file can be wrong is told with its file, its line and what to do."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from training.data.rows import MAX_TEXT_CHARS
from training.data.sources import Row, read_rows, read_texts, read_usable_rows

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


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


class TestEncoding:
    def test_windows_text_is_told_with_its_line_and_the_command(self, write: Write) -> None:
        path = write("my data.csv", "text,label\nplain,a\ncaf\u00e9 \u201cquoted\u201d,b\n".encode("cp1252"))
        error = refused(path)
        assert error.line == 3
        assert "CP1252" in str(error)
        assert f"iconv -f CP1252 -t UTF-8 '{path}' > " in str(error)

    def test_latin_1(self, write: Write) -> None:
        error = refused(write("a.csv", "text,label\ncaf\u00e9,b\n".encode("latin-1")))
        assert (error.line, "ISO-8859-1" in str(error)) == (2, True)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_utf_16(self, write: Write, encoding: str) -> None:
        error = refused(write("a.csv", "text,label\nhello,b\n".encode(encoding)))
        assert "iconv -f UTF-16" in str(error)

    def test_two_encodings_in_one_file(self, write: Write) -> None:
        lines = [b"text,label", "caf\u00e9,a".encode(), "na\u00efve,a".encode("latin-1"), b"x,a", b"\xff\xfe,b"]
        error = refused(write("a.csv", b"\n".join(lines)))
        assert error.line == 3
        assert "mixed encodings" in str(error)
        assert "lines that are not UTF-8: 3, 5; 2 in all" in str(error)

    def test_a_bad_byte_behind_a_byte_order_mark(self, write: Write) -> None:
        assert refused(write("a.csv", b"\xef\xbb\xbftext,label\n\xe9t\xe9,a\n")).line == 2

    def test_a_nul_byte(self, write: Write) -> None:
        error = refused(write("a.csv", b"text,label\nhello,a\nhel\0lo,b\n"))
        assert (error.line, "NUL" in str(error)) == (3, True)

    @given(st.binary(max_size=200))
    @settings(deadline=None, max_examples=200)
    def test_any_bytes_give_rows_or_a_data_error(self, tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
        folder = tmp_path_factory.mktemp("junk")
        for suffix, head in (
            (".csv", b"text,label\na,b\n"),
            (".jsonl", b'{"text": "a", "label": "b"}\n'),
            (".parquet", b"PAR1"),
        ):
            path = folder / f"a{suffix}"
            path.write_bytes(head + junk)
            with suppress(DataError):
                assert read(path)[0].text == "a"


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


class TestRows:
    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            (",a", "the text is empty"),
            ("   ,a", "the text is empty"),
            ("x,", "the label is empty"),
            ("x,a,b", "expected 2 fields as in the header, found 3"),
            ("x", "expected 2 fields as in the header, found 1"),
            ("x\x07y,a", "U+0007 at position 2"),
            ("x\x85y,a", "U+0085"),
            ("x,a\x01", "the label holds the control character U+0001"),
        ],
    )
    def test_a_bad_csv_row(self, write: Write, row: str, problem: str) -> None:
        error = refused(write("a.csv", f'text,label\n"two\nlines",a\n{row}\nfine,b\n'))
        assert error.line == 4
        assert problem in str(error)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ('{"text": "a", "label"', "invalid JSON"),
            ("text", "invalid JSON"),
            ('["a", "b"]', "expected a JSON object, found list"),
            ('{"text": 5, "label": "b"}', "expected a text, found the number 5"),
            ('{"text": null, "label": "b"}', "expected a text, found null"),
            ('{"text": "a", "label": null}', "expected a label, found null"),
            ('{"text": "a", "label": true}', "expected a label, found true"),
            ('{"text": "a", "label": ["b"]}', "expected a label, found a list"),
            ('{"text": "a", "label": NaN}', "expected a label, found the number nan"),
            ('{"text": "a\\u0000b", "label": "b"}', "U+0000"),
            ('{"text": "a\\ud800", "label": "b"}', "U+D800"),
            ('{"text": "a", "label": "b\\nc"}', "the label holds the control character U+000A"),
            ("[" * 100_000, "nested too deep"),
            ('{"label": ' + "1" * 5000 + ', "text": "a"}', "invalid JSON"),
        ],
    )
    def test_a_bad_json_line(self, write: Write, line: str, problem: str) -> None:
        error = refused(write("a.jsonl", f'{{"text": "a", "label": "b"}}\n\n{line}\n'))
        assert error.line == 3
        assert problem in str(error)

    def test_numbers_as_labels_become_strings(self, write: Write) -> None:
        rows = read(write("a.jsonl", '{"text": "a", "label": 3}\n{"text": "b", "label": 0.5}\n'))
        assert [row.label for row in rows] == ["3", "0.5"]

    def test_a_parquet_text_in_another_encoding(self, tmp_path: Path) -> None:
        buffers = pa.array([b"fine", "caf\xe9".encode("latin-1")], pa.binary()).buffers()
        texts = pa.Array.from_buffers(pa.string(), 2, buffers)
        pq.write_table(pa.table({"text": texts, "label": ["a", "b"]}), tmp_path / "a.parquet")
        error = refused(tmp_path / "a.parquet")
        assert error.line == 2
        assert "as UTF-8" in str(error)

    def test_a_parquet_column_that_stands_twice(self, tmp_path: Path) -> None:
        table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "label", "text"])
        pq.write_table(table, tmp_path / "a.parquet")
        assert "'text' stands 2 times" in str(refused(tmp_path / "a.parquet"))

    def test_a_label_of_more_digits_than_a_float_has(self, write: Write) -> None:
        path = write("a.jsonl", '{"text": "a", "label": 1' + "0" * 400 + "}")
        assert read(path)[0].label == "1" + "0" * 400

    def test_a_path_with_a_nul(self) -> None:
        assert "is no path" in str(refused(Path("a\0.csv")))

    def test_a_parquet_null(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"text": ["a", None], "label": [1, 2]}), tmp_path / "a.parquet")
        error = refused(tmp_path / "a.parquet")
        assert (error.line, "found null" in str(error)) == (2, True)

    def test_five_problems_are_told_and_all_are_counted(self, write: Write) -> None:
        error = refused(write("a.csv", "text,label\n" + "ok,a\n" + ",a\n" * 9 + "x,\n"))
        assert error.line == 3
        told = str(error)
        assert [f"line {line}: " in told for line in (3, 4, 5, 6, 7, 8)] == [True] * 5 + [False]
        assert "10 problems in all" in told

    def test_a_text_of_a_million_characters_is_read_and_a_longer_one_refused(self, write: Write) -> None:
        assert len(read(write("a.csv", f"text,label\n{'x' * MAX_TEXT_CHARS},a\n"))[0].text) == MAX_TEXT_CHARS
        for name, content in (
            ("b.csv", f"text,label\n{'x' * (MAX_TEXT_CHARS + 1)},a\n"),
            ("b.jsonl", json.dumps({"text": "x" * (MAX_TEXT_CHARS + 1), "label": "a"})),
        ):
            assert f"{MAX_TEXT_CHARS:,}" in str(refused(write(name, content)))


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


class TestQuotes:
    def test_one_that_is_never_closed_is_told_where_it_opens(self, write: Write) -> None:
        error = refused(write("a.csv", 'text,label\nfine,a\n"never closed,a\n' + "more,b\n" * 50))
        assert error.line == 3
        assert "runs on to line 53" in str(error)

    def test_one_that_a_later_quote_closes(self, write: Write) -> None:
        error = refused(write("a.csv", 'text,label\n"open,a\nmore,b\n"quoted, too",b\n'))
        assert error.line == 2
        assert "not closed where it should be" in str(error)

    def test_problems_before_it_are_told_too(self, write: Write) -> None:
        told = str(refused(write("a.csv", 'text,label\n,a\n"never closed,a\n')))
        assert "the text is empty" in told
        assert "line 3: a quoted field is not closed" in told


def test_texts_alone_need_no_labels(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text('id,text\n1,hello there\n2,"two\nlines"\n', encoding="utf-8")
    assert read_texts(str(tmp_path / "texts.csv"), text_column="text") == ["hello there", "two\nlines"]
    (tmp_path / "bad.csv").write_text("text\nfine\n\x00\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        read_texts(str(tmp_path / "bad.csv"), text_column="text")
