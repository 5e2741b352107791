"""Every way in which a data file can be wrong is told with its file, its line and what to do."""

from __future__ import annotations

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
from training.data.sources import Row, read_rows

Write = Callable[[str, str | bytes], Path]


def read(path: Path | str, **columns: str) -> list[Row]:
    return read_rows(str(path), **{"text_column": "text", "label_column": "label", **columns})


def refused(path: Path | str, **columns: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, **columns)
    assert str(path) in str(caught.value)
    return caught.value


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
