"""Sections that any kind of task may ask for: what they show, escape and keep out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.evaluation.bootstrap import accuracy_estimate
from training.evaluation.calibration import reliability_of
from training.evaluation.evaluate import Confusion
from training.evaluation.mistakes import Mistake, Mistakes
from training.kinds.parts import calibrated, estimated, mistaken
from training.kinds.told import Told, together
from training.report.blocks import Prose
from training.report.measured_sections import MistakeHead, confusions_table, mistakes_section
from training.report.page import render_page

HOSTILE = "<script>window.hacked = 1</script>"
HEAD = MistakeHead("Question", "What was read", "Right", "Answer")


def mistake(text: str | None) -> Mistake:
    return Mistake(
        "rows.jsonl", 7, f"right {HOSTILE}", "given", 0.875, text, None if text is None else f"beside {text}"
    )


def page_of(told: Told) -> str:
    return render_page(title="t", subtitle="s", tiles=[], warnings=[], sections=list(told.sections))


@pytest.mark.parametrize("text", [f"secret {HOSTILE}", None])
def test_mistakes_are_shown_with_their_texts_or_without(text: str | None, elements_of: Callable) -> None:
    confusions = [Confusion(f"a{number}", "b", 1, 0.5) for number in range(20)]
    columns = ("True", "Given", "Rows#", "Of those#")
    told = mistaken(Mistakes(1, (mistake(text),)), confusions, head=HEAD, columns=columns, note="One is wrong.")
    page = page_of(told)
    assert "script" not in elements_of(page)
    assert "rows.jsonl, line 7" in page
    assert "0.875" in page
    assert "8 more pairs" in page
    assert ("secret" in page) == ("What was read" in page) == (text is not None)
    assert ("Texts are left out" in page) == (text is None)


def test_a_long_text_is_cut_in_the_page() -> None:
    section = mistakes_section(Mistakes(1, (mistake("x" * 5000),)), HEAD, note="")
    assert max(len(cell.text) for row in section.blocks[0].rows for cell in row) <= 240


def test_nothing_wrong_is_told_too() -> None:
    assert mistakes_section(Mistakes(0, ()), HEAD, note="").blocks == (Prose("None was found on the test rows."),)
    assert isinstance(confusions_table((), ("", "", "", "")), Prose)


def test_figures_intervals_and_warnings_are_put_together() -> None:
    right = np.array([True] * 30 + [False] * 10)
    scores = np.where(right, 0.9, 0.6).astype(np.float32)
    estimate = accuracy_estimate(right, seed=1)
    told = together(
        estimated({"exact_match": estimate}, {"exact_match": "exact match"}),
        calibrated(scores, scores / 2, right, temperature=1.5, means="Of answers."),
        Told(warnings=("first",)),
        Told(warnings=("second",), details={"warnings": ["second"]}),
    )
    assert told.figures["exact_match_low"] == estimate.interval.low < told.figures["exact_match"] == 0.75
    assert told.figures["ece"] == pytest.approx((30 * 0.1 + 10 * 0.6) / 40, abs=1e-6)
    assert told.figures["ece_uncalibrated"] > told.figures["ece"]
    assert told.details["warnings"] == ["first", "second"] == list(told.warnings)
    assert len(told.details["reliability"]) == len(reliability_of(scores, right))
    page = page_of(told)
    assert "exact match" in page
    assert "Of answers." in page
    assert calibrated(scores[:0], scores[:0], right[:0], temperature=1.0, means="") == Told()
