"""Tags and spans come back saying the same, and every row that is malformed is told with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.task import DataSpec
from contracts.words import word_offsets
from training.data.bio import Span, as_bio2, first_break, spans_of, tags_of
from training.data.rows import Row, rows_of
from training.data.tagged import TaggedRow, read_tagged

Write = Callable[[str, str], Path]


def read(path: Path, **settings: object) -> list[TaggedRow]:
    return read_tagged(str(path), DataSpec.model_validate({"path": str(path), **settings}))


def lines(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def refused(path: Path, **settings: object) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, **settings)
    assert str(path) in str(caught.value)
    return caught.value


class TestForms:
    @pytest.mark.parametrize("name", ["a.csv", "a.TSV"])
    def test_a_form_that_holds_no_lists_is_refused_whatever_its_columns(self, write: Write, name: str) -> None:
        error = str(refused(write(name, "tokens,ner_tags\nAnn left,B-per O\n")))
        assert "such as JSONL; found" in error
        assert 'Write one JSON object a line: {"text"' in error

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.conll", "-DOCSTART- -X- O\n\nAnn NNP B-per\nLee NNP I-per\nleft VB O\nRome NNP B-loc\n\n"),
            ("a.bio", "Ann\tB-per\rLee\tI-per\rleft\tO\rRome\tB-loc\r\r"),
            ("a.txt", "Ann\tB-per\nLee\tI-per\nleft\tO\nRome\tB-loc"),
            (
                "a.jsonl",
                lines({"tokens": ["Ann", "Lee", "left", "Rome"], "ner_tags": ["B-per", "I-per", "O", "B-loc"]}),
            ),
            ("a.json", json.dumps({"data": [{"tokens": ["Ann", "Lee", "left", "Rome"], "ner_tags": [1, 2, 0, 3]}]})),
            (
                "a.jsonl",
                lines(
                    {
                        "text": "Ann Lee left Rome",
                        "entities": [
                            {"start": 13, "end": 17, "label": "loc", "text": "Rome"},
                            {"start": 0, "end": 7, "label": "per"},
                        ],
                    }
                ),
            ),
        ],
    )
    def test_the_same_row_comes_out_of_each(self, write: Write, name: str, content: str) -> None:
        (row,) = read(write(name, content), tag_names=["O", "B-per", "I-per", "B-loc"])
        assert row.text == "Ann Lee left Rome"
        assert row.tokens == ("Ann", "Lee", "left", "Rome")
        assert row.offsets == ((0, 3), (4, 7), (8, 12), (13, 17))
        assert row.tags == ("B-per", "I-per", "O", "B-loc")
        assert row.spans == (Span(0, 7, "per"), Span(13, 17, "loc"))
        assert row.label == "loc+per"

    def test_a_row_of_nothing_but_empty_tokens_is_left_out(self, write: Write) -> None:
        rows = lines(
            {"tokens": ["", " "], "ner_tags": ["O", "O"]}, {"tokens": ["", "Rome"], "ner_tags": ["O", "B-loc"]}
        )
        assert [row.text for row in read(write("a.jsonl", rows))] == ["Rome"]

    def test_sentences_know_their_first_line(self, write: Write) -> None:
        rows = read(write("a.conll", "# a comment\nAnn B-per\n.\tO\n\n\n\nLee B-per\nran O\n"))
        assert [(row.text, row.line, row.label) for row in rows] == [("Ann .", 2, "per"), ("Lee ran", 7, "per")]

    def test_tokens_in_a_text_of_their_own_keep_its_spaces(self, write: Write) -> None:
        (row,) = read(
            write(
                "a.jsonl", lines({"text": "“Ann!” - no", "tokens": ["Ann", "!", "no"], "ner_tags": ["B-per", "O", "O"]})
            )
        )
        assert row.offsets == ((1, 4), (4, 5), (9, 11))
        assert row.text[1:4] == "Ann"

    def test_a_span_inside_a_word_and_a_text_without_entities(self, write: Write) -> None:
        rows = read(
            write(
                "a.jsonl",
                lines({"text": "New Yorkers", "entities": [{"start": 0, "end": 8, "label": "loc"}]})
                + lines({"text": "nobody", "entities": []}),
            )
        )
        assert rows[0].tokens == ("New", "York", "ers")
        assert rows[0].tags == ("B-loc", "I-loc", "O")
        assert (rows[1].tags, rows[1].label) == (("O",), "none")

    @pytest.mark.parametrize(
        ("scheme", "tags"),
        [
            ("bio2", "B-x I-x B-x O B-y B-x"),
            ("iob1", "I-x I-x B-x O I-y I-x"),
            ("bioes", "B-x E-x S-x O S-y S-x"),
            ("bioes", "B-x L-x U-x O U-y U-x"),
        ],
    )
    def test_tags_of_other_schemes(self, write: Write, scheme: str, tags: str) -> None:
        tokens = list("abcdef")
        path = write("a.jsonl", lines({"tokens": tokens, "ner_tags": tags.split()}))
        columns = "".join(f"{token} {tag}\n" for token, tag in zip(tokens, tags.split(), strict=True))
        for source in (path, write("a.conll", columns)):
            assert read(source, tag_scheme=scheme)[0].tags == ("B-x", "I-x", "B-x", "O", "B-y", "B-x")

    @given(st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"]), max_size=12))
    def test_iob1_is_never_broken_and_bio2_is_told_to_be_itself(self, tags: list[str]) -> None:
        assert first_break(as_bio2(tags, "iob1")) is None
        if first_break(tags) is None:
            assert as_bio2(tags, "bio2") == as_bio2(tags, "bioes") == tags

    def test_columns_for_slices_come_along(self, write: Write) -> None:
        content = lines({"tokens": ["a"], "ner_tags": ["O"], "domain": "news", "year": 2014})
        assert read(write("a.jsonl", content), slice_columns=["domain", "year"])[0].extra == (
            ("domain", "news"),
            ("year", "2014"),
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            (
                {"tokens": ["a", "b"], "ner_tags": ["O", "I-x"]},
                "break BIO2 at token 2: 'I-x' continues no 'x'",
            ),
            ({"tokens": ["a", "b"], "ner_tags": ["B-y", "I-x"]}, "it follows 'B-y'"),
            ({"tokens": ["a"], "ner_tags": ["S-x"]}, "expected O, B-TYPE or I-TYPE, found 'S-x'"),
            ({"tokens": ["a"], "ner_tags": ["B-"]}, "found 'B-'"),
            ({"tokens": ["a"], "ner_tags": ["O", "O"]}, "expected a tag for each of 1 tokens, found 2"),
            ({"tokens": ["a", ""], "ner_tags": ["B-x", "I-x"]}, "an entity holds an empty token"),
            ({"tokens": ["a", 3], "ner_tags": ["O", "O"]}, "expected a token, found the number 3"),
            ({"tokens": "a b", "ner_tags": ["O", "O"]}, "expected lists of tokens and tags, found a str"),
            ({"tokens": [], "ner_tags": []}, "the text is empty"),
            ({"tokens": ["a"], "ner_tags": [7]}, "the tag is the number 7, and there are no tag names"),
            ({"tokens": ["a"], "ner_tags": [None]}, "expected a label, found null"),
            ({"tokens": ["a", "b"], "ner_tags": ["O", "O"], "text": "b a"}, "token 2, 'b', is not in the text"),
            ({"text": "Ann", "entities": {}}, "expected a list of spans, found an object"),
            ({"text": "Ann", "entities": [{"start": 0, "end": 4, "label": "x"}]}, "0 to 4 is not in its text of 3"),
            ({"text": "Ann", "entities": [{"start": 2, "end": 2, "label": "x"}]}, "span 1: 2 to 2 is not in"),
            ({"text": "Ann", "entities": [{"start": "0", "end": 2, "label": "x"}]}, "whole numbers"),
            ({"text": "Ann", "entities": [{"start": 0, "end": 2}]}, "expected a label, found null"),
            ({"text": "Ann b", "entities": [{"start": 0, "end": 4, "label": "x"}]}, "ends with white space"),
            (
                {"text": "Ünal left", "entities": [{"start": 0, "end": 5, "label": "x", "text": "Ünal"}]},
                "its text is 'Ünal', but 0 to 5 is 'Ünal '",
            ),
            (
                {
                    "text": "Ann Lee",
                    "entities": [{"start": 0, "end": 7, "label": "x"}, {"start": 4, "end": 7, "label": "y"}],
                },
                "the spans 'Ann Lee' (0 to 7) and 'Lee' (4 to 7) overlap",
            ),
            ({"tokens": ["a"], "ner_tags": ["B-none"]}, "neither 'none' nor '(other labels)', found 'none'"),
            ({"text": "Ann", "entities": [{"start": 0, "end": 3, "label": "x+y"}]}, "without '+'"),
            ({"tokens": ["a"]}, "expected columns 'tokens' and 'ner_tags', or 'text' and 'entities', found: 'tokens'"),
        ],
    )
    def test_a_bad_row(self, write: Write, row: object, problem: str) -> None:
        error = refused(write("a.jsonl", lines({"tokens": ["fine"], "ner_tags": ["O"]}, row)))
        assert error.line == 2
        assert problem in str(error)

    def test_a_tag_that_breaks_off_is_told_with_its_own_line(self, write: Write) -> None:
        error = refused(write("a.conll", "Ann B-per\n\nran O\nLee I-per\n"))
        assert error.line == 4
        assert "it follows 'O'" in str(error)

    @pytest.mark.parametrize(
        ("content", "line", "problem"),
        [
            ("Ann\n", 1, "expected two columns or more, found 1: 'Ann'"),
            ("Ann O\n\nLee NNP O\n", 3, "expected 2 columns as in the first line, found 3"),
            ("Ann\tO\nLee\t\n", 2, "expected a token and a tag, found no tag: 'Lee"),
            ("\tO\n", 1, "expected a token and a tag, found no token"),
            ("Ann O\nLee\nran O\n", 2, "expected 2 columns as in the first line, found 1"),
            ("Ann O\n\nLee B-x\nRoy B-x+y\nSue B-x+y\n", 4, "an entity type without '+'"),
            ("Ann O\n\nLee\tO\nR\x08y\tO\n", 3, "the text holds the control character U+0008"),
            ("Ann O\n\nLee\tO\nRoy\tB-\x08\n", 4, "the label holds the control character U+0008"),
        ],
    )
    def test_bad_columns(self, write: Write, content: str, line: int, problem: str) -> None:
        error = refused(write("a.conll", content))
        assert error.line == line
        assert problem in str(error)

    def test_a_type_that_is_left_out_may_have_any_name(self, write: Write) -> None:
        content = lines({"tokens": ["a", "b"], "ner_tags": ["B-x+y", "B-z"]})
        (row,) = read(write("a.jsonl", content), ignore_labels=["x+y"])
        assert row.names == ("x+y", "z")

    def test_no_sentence_at_all(self, write: Write) -> None:
        assert "found no rows" in str(refused(write("a.conll", "-DOCSTART- O\n\n")))

    def test_rows_of_another_kind_are_a_defect(self) -> None:
        with pytest.raises(TypeError, match="TaggedRow"):
            rows_of(TaggedRow, [Row("a", "b", "f", 1)])


class TestWords:
    def test_indic_vowel_signs_stay_with_their_word(self) -> None:
        text = "मेरी पार्सल कहाँ है? it's 5€"
        assert [text[start:end] for start, end in word_offsets(text)] == [
            *("मेरी", "पार्सल", "कहाँ", "है", "?", "it", "'", "s", "5", "€"),
        ]

    @given(st.text())
    def test_all_but_white_space_is_in_one_word(self, text: str) -> None:
        offsets = word_offsets(text)
        covered = [at for start, end in offsets for at in range(start, end)]
        assert covered == [at for at, character in enumerate(text) if not character.isspace()]

    @given(st.data(), st.text(min_size=1))
    def test_spans_survive_as_tags(self, data: st.DataObject, text: str) -> None:
        places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
        spans = [
            Span(start, end, data.draw(st.sampled_from(["x", "y-z"])))
            for start, end in zip(places[::2], places[1::2], strict=False)
            if text[start:end] == text[start:end].strip() != ""
        ]
        offsets = word_offsets(text, {place for span in spans for place in (span.start, span.end)})
        tags = tags_of(spans, offsets)
        assert first_break(tags) is None
        assert spans_of(tags, offsets) == tuple(spans)
