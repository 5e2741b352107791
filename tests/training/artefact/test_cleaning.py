"""Cleaning does what its settings say, is off by default, and is read by the service from the tokenizer's own file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer, normalizers
from tokenizers.models import WordLevel

from contracts.cleaning import ENGLISH_STOP_WORDS, CleanSpec
from contracts.lemmas import LemmasError, lemmatizer, lemmatizer_of
from contracts.task import DataSpec, TaskSpec
from service.engine.encoding import TextEncoder
from training.artefact.cleaning import cleaner, with_cleaning
from training.artefact.onnx_artefact import tokenize
from training.artefact.tokenizer import write_tokenizer
from training.learning.base_model import resolve

ALL = CleanSpec(urls="remove", contractions="expand", case="lower", stop_words="english", punctuation="remove")


def cleaned(text: str, clean: CleanSpec) -> str:
    return cleaner(clean)(text)


class TestSteps:
    @pytest.mark.parametrize(
        ("settings", "text", "expected"),
        [
            ({"urls": "remove"}, "see https://a.b/c?d=e#f. And (www.x.org/y), ok", "see . And ( ), ok"),
            ({"urls": "mask"}, "HTTPS://A.B!", "url !"),
            ({"urls": "remove"}, "awww.nice http is a word", "awww.nice http is a word"),
            ({"contractions": "expand"}, "I won't, can’t, DON'T; it's we've I'm let's", None),
            ({"contractions": "expand"}, "Ann's cat, he'd and rock'n'roll", "Ann's cat, he'd and rock'n'roll"),
            ({"case": "lower"}, "ÄÖ Straße OK", "äö straße ok"),
            ({"punctuation": "remove"}, "¿Qué? “Ja” – 5€ a_b; मेरी, कहाँ!", "Qué Ja 5€ a b मेरी कहाँ"),
            ({"stop_words": "english"}, "The parcel is NOT with a courier", "parcel NOT courier"),
            ({"stop_words": "english"}, "don't the-matrix its'", "don't -matrix its'"),
            ({"stop_words": ("please", "c++")}, "Please, C++ or C", ", or C"),
            ({"stop_words": ("है",)}, "कहाँ है हैरान", "कहाँ हैरान"),
            ({"case": "lower"}, "  Much   space\t\nhere ", "much space here"),
        ],
    )
    def test_each(self, settings: dict[str, object], text: str, expected: str | None) -> None:
        wanted = expected or "I will not, can not, DO not; it is we have I am let us"
        assert cleaned(text, CleanSpec.model_validate(settings)) == wanted

    def test_all_together(self) -> None:
        text = "I can't see WHERE my parcel is: https://track.it/x, and it’s late!"
        assert cleaned(text, ALL) == "not see parcel late"

    def test_words_that_turn_a_sentence_round_are_no_stop_words(self) -> None:
        assert not {"no", "not", "nor", "never", "without", "against", "cannot"} & set(ENGLISH_STOP_WORDS)

    @given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
    def test_off_changes_nothing_and_all_leaves_what_it_says(self, text: str) -> None:
        assert cleaned(text, CleanSpec()) == text
        found = cleaned(text, ALL)
        assert not re.search(r"\s\s|^\s|\s$", found)
        assert not {"the", "is", "with"} & set(found.split())
        assert found == found.lower()


class TestLemmas:
    @pytest.mark.parametrize(
        ("language", "text", "expected"),
        [
            ("en", "The invoices were charged, twice!", "the invoice be charge, twice!"),
            ("en", "don't 3rd parcels", "don't 3rd parcel"),
            ("de", "Die Pakete kamen an", "der Paket kommen an"),
        ],
    )
    def test_words_become_their_dictionary_forms(self, language: str, text: str, expected: str) -> None:
        assert cleaned(text, CleanSpec(lemmas=language)).lower() == expected.lower()

    @given(st.text(st.characters(exclude_categories=("L", "M", "Cs"))))
    def test_what_is_no_word_stays(self, text: str) -> None:
        assert lemmatizer("en")(text) == text

    @pytest.mark.parametrize(
        "steps",
        [
            None,
            normalizers.Sequence([]),
            normalizers.Lowercase(),
            normalizers.Sequence([normalizers.Replace("a", "b")]),
        ],
    )
    def test_other_tokenizers_ask_for_nothing(self, steps: object) -> None:
        tokenizer = Tokenizer(WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
        tokenizer.normalizer = steps
        assert lemmatizer_of(tokenizer) is None
        tokenizer = with_cleaning(tokenizer, CleanSpec(lemmas="en"))
        assert lemmatizer_of(Tokenizer.from_str(tokenizer.to_str())) is not None

    def test_a_language_that_is_not_known(self) -> None:
        with pytest.raises(LemmasError, match="no language 'xx'"):
            lemmatizer("xx")

    def test_without_simplemma_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "simplemma", None)
        with pytest.raises(LemmasError, match=r"perennial\[lemmas\]"):
            lemmatizer("en")

    def test_training_and_service_look_them_up_alike(self, tiny_base: Path, tmp_path: Path) -> None:
        path = tmp_path / "tokenizer.json"
        base = resolve(str(tiny_base), max_tokens=32)
        trained = write_tokenizer(base, path, sample=[], clean=CleanSpec(lemmas="en", case="lower"))
        texts = ["Parcels were charged", "refunds " * 30, "it"]
        served = TextEncoder(Tokenizer.from_file(str(path)), 32).encode(texts)
        assert [one.ids for one in served] == tokenize(trained, texts, 32).ids
        assert TextEncoder(Tokenizer.from_file(str(path)), 32).encode(texts[1:2])[0].ids == served[1].ids
        assert [one.text for one in served] == texts
        plain = write_tokenizer(base, tmp_path / "plain.json", sample=[])
        assert served[0].ids == tokenize(plain, ["parcel be charge"], 32).ids[0]


class TestRelease:
    @pytest.fixture
    def tokenizer(self, tiny_base: Path, tmp_path: Path) -> Tokenizer:
        path = tmp_path / "tokenizer.json"
        return write_tokenizer(resolve(str(tiny_base), max_tokens=32), path, sample=["hello the card"], clean=ALL)

    def test_training_and_service_read_the_same(self, tokenizer: Tokenizer, tmp_path: Path, tiny_base: Path) -> None:
        texts = ["The parcel isn't late!!! https://a.b", "PLEASE help with my card", "", "the"]
        trained = tokenize(tokenizer, texts, 32).ids
        served = TextEncoder(Tokenizer.from_file(str(tmp_path / "tokenizer.json")), 32).encode(texts)
        assert [one.ids for one in served] == trained
        plain = write_tokenizer(resolve(str(tiny_base), max_tokens=32), tmp_path / "plain.json", sample=[])
        assert trained == tokenize(plain, ["parcel not late", "please help card", "", ""], 32).ids

    def test_the_service_keeps_the_text_as_it_was_sent(self, tokenizer: Tokenizer) -> None:
        assert TextEncoder(tokenizer, 32).encode(["The PARCEL!"])[0].text == "The PARCEL!"

    def test_off_leaves_the_file_as_it_is(self, tiny_base: Path, tmp_path: Path) -> None:
        base = resolve(str(tiny_base), max_tokens=32)
        write_tokenizer(base, tmp_path / "a.json", sample=[])
        write_tokenizer(base, tmp_path / "b.json", sample=[], clean=CleanSpec())
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("kind", ["token-classification", "question-answering"])
def test_kinds_whose_answers_are_places_refuse_it(kind: str) -> None:
    with pytest.raises(ValidationError, match="places in the text as it came"):
        TaskSpec.model_validate({"name": "t", "kind": kind, "data": DataSpec(path="a"), "clean": ALL})
