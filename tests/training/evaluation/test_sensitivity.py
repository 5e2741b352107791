"""Texts written otherwise, and what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.perturb import PERTURBATIONS, perturbed, with_typos, without_ending, without_punctuation
from training.evaluation.sensitivity import Replies, measure_sensitivity, texts_needed

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(lambda text: bool(text.strip()))


@given(texts, st.integers(0, 9), st.sampled_from(PERTURBATIONS))
def test_any_text_stays_a_text_and_the_seed_decides(text: str, seed: int, perturbation: object) -> None:
    written = perturbed(perturbation, text, seed)
    assert written.strip()
    assert written == perturbed(perturbation, text, seed)


def test_a_letter_here_and_there_is_mistyped() -> None:
    text = "a quick brown fox jumps over the lazy dog " * 4
    written = with_typos(text, Random(3))
    assert written != text
    assert abs(len(written) - len(text)) <= 6
    assert len(set(written.split()) & set(text.split())) >= 6
    assert with_typos("123 !", Random(1)) == "123 !"


def test_what_is_left_out() -> None:
    assert without_punctuation("Where's it? Now-ish (please)...", Random(0)) == "Wheres it Now ish please"
    assert without_ending("one two three", Random(0)) == "one two"
    assert without_ending("one", Random(0)) == "one"
    assert perturbed(PERTURBATIONS[3], "?!", 1) == "?!"


def test_a_model_that_reads_capitals_is_caught() -> None:
    asked: list[int] = []

    def shouting(places: Sequence[int], found: Sequence[str]) -> Replies:
        asked.append(len(found))
        assert len(places) == len(set(places)) == len(found)
        quiet = np.array([not text.isupper() for text in found])
        return Replies(right=quiet, same=quiet)

    calm = [f"my parcel number {word} is late" for word in ("one", "two", "six", "ten", "nine") * 30]
    found = measure_sensitivity(calm, np.ones(len(calm), dtype=np.bool_), perturbed, shouting, seed=4)
    variants = {variant.name: variant for variant in found.variants}
    assert found.accuracy == 1.0
    assert variants["upper_case"].accuracy == 0.0
    assert variants["upper_case"].other_answers == 1.0
    assert variants["upper_case"].harms
    assert [name for name, variant in variants.items() if variant.harms] == ["upper_case"]
    assert variants["lower_case"].changed == variants["no_punctuation"].changed == 0
    assert "PARCEL" in variants["upper_case"].example
    assert 0 < sum(asked) <= texts_needed(len(calm))
    (warning,) = found.warnings
    assert warning == "Answers are right 100.0 points less often on the same texts with all capitals."


@pytest.mark.parametrize("rows", [1, 1300])
def test_few_texts_will_do_and_many_are_sampled(rows: int) -> None:
    calm = [f"text {number}" for number in range(rows)]
    right = np.arange(rows) % 2 == 0
    asked: list[int] = []

    def constant(places: Sequence[int], found: Sequence[str]) -> Replies:
        asked.append(len(found))
        return Replies(right=right[list(places)], same=np.ones(len(found), dtype=np.bool_))

    found = measure_sensitivity(calm, right, perturbed, constant, seed=1)
    assert found.rows == min(rows, 500)
    assert found.warnings == []
    assert all(variant.other_answers == 0 and variant.accuracy == found.accuracy for variant in found.variants)
    assert max(asked) <= 500
    assert measure_sensitivity(calm, right, perturbed, constant, seed=1, most=20).rows == min(rows, 20)
