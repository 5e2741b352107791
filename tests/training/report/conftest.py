"""A report of made-up answers, with labels and texts that try to be markup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pytest

from training.data.rows import Row
from training.evaluation.analysis import Analysis
from training.evaluation.calibration import softmax
from training.evaluation.errors import Answered, analyse_errors
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.perturb import perturbed
from training.evaluation.sensitivity import Replies, measure_sensitivity
from training.evaluation.slices import by_length, judge_slices
from training.report.analysis_sections import analysis_sections
from training.report.classification_sections import classification_sections
from training.report.page import Tile, render_page

VOID = {"meta", "link", "br", "wbr", "img"}


class Outline(HTMLParser):
    """Every element opened is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"
_TEMPERATURE = 1.6


@dataclass(frozen=True)
class MadeUp:
    """What a training would have found, and the page that tells it."""

    evaluation: Evaluation
    analysis: Analysis
    page: str


@pytest.fixture(scope="session")
def made_up() -> Callable[..., MadeUp]:
    """A classifier of so many labels on so many rows, right for the most part; every fifth row is of a worse source."""

    def make(labels: int = 6, rows: int = 400, *, with_texts: bool = True) -> MadeUp:
        rng = np.random.default_rng(labels)
        names = tuple(f"intent_{number}_of_a_rather_long_name_{HOSTILE}" for number in range(labels))
        truth = rng.integers(0, labels, rows)
        logits = rng.normal(0, 1.5, (rows, labels)).astype(np.float32)
        logits[np.arange(rows), truth] += np.where(np.arange(rows) % 5 == 0, 1.0, 7.0)
        found = [
            Row(f"{HOSTILE} secret number {n}, {'verylong' * 30}", names[truth[n]], "/home/of/somebody/rows.csv", n + 2)
            for n in range(rows)
        ]
        right = logits.argmax(axis=1) == truth
        sources = ["mail" if number % 5 == 0 else "chat" for number in range(rows)]

        def answer(places: list[int], texts: list[str]) -> Replies:
            found = np.array([len(text) % labels for text in texts])
            return Replies(right=found == truth[places], same=found == logits.argmax(axis=1)[places])

        analysis = Analysis(
            right=right,
            errors=analyse_errors(
                Answered("test", found, softmax(logits, _TEMPERATURE), truth), (), names, with_texts=with_texts
            ),
            sensitivity=measure_sensitivity([row.text for row in found], right, perturbed, answer, seed=1),
            slices=judge_slices({"source": sources, **by_length(rng.integers(4, 40, rows), 32)}, right),
        )
        evaluation = evaluate(logits, truth, names, _TEMPERATURE)
        page = render_page(
            title=f"support {HOSTILE}",
            subtitle=HOSTILE,
            tiles=[Tile("accuracy", "91.2 %", "95 %: 90.0 to 92.3"), Tile("model size", "22.9 MB")],
            warnings=[HOSTILE, *analysis.warnings],
            sections=[*classification_sections(evaluation, _TEMPERATURE), *analysis_sections(analysis)],
        )
        return MadeUp(evaluation, analysis, page)

    return make


@pytest.fixture(scope="session")
def elements_of() -> Callable[[str], set[str]]:
    """The names of all elements of a page or picture, which must be well formed."""

    def read(content: str) -> set[str]:
        outline = Outline()
        outline.feed(content)
        assert outline.open == []
        return outline.seen

    return read
