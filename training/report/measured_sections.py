"""What the report says of any kind of task whose parts it asks for: intervals, scores, confusions, mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.evaluation.bootstrap import Estimate
from training.evaluation.calibration import ReliabilityBin, expected_calibration_error
from training.evaluation.evaluate import Confusion
from training.evaluation.mistakes import Mistake, Mistakes
from training.report.analysis_sections import TEXT_CHARS, WITHHELD
from training.report.blocks import (
    Cell,
    Chart,
    Prose,
    Section,
    Table,
    free_cell,
    number_cell,
    percent,
    share_cell,
    text_cell,
)
from training.report.charts import reliability_diagram
from training.report.svg import shortened

_PAIRS = 12


@dataclass(frozen=True)
class MistakeHead:
    """What the columns of a table of mistakes are called; without `beside` there is no such column."""

    text: str = "Text"
    beside: str = ""
    wanted: str = "Label"
    answer: str = "Answer"
    score: str = "Score"


def intervals_section(estimates: Mapping[str, Estimate], *, wide: bool = False) -> Section:
    """Figures by their titles, each with its interval."""
    rows = tuple(
        (text_cell(name), share_cell(one.value), number_cell(_range(one.interval.low, one.interval.high)))
        for name, one in estimates.items()
    )
    note = "Of 100 test sets like this one, about 95 give an interval that holds the true figure (1000 resamples)."
    return Section("How sure these figures are", (Table(("", "Found#", "95 % interval#"), rows, note),), wide=wide)


def reliability_section(title: str, bins: Sequence[ReliabilityBin], note: str) -> Section:
    """How often answers are right by their score, with the calibration error."""
    told = f"Expected calibration error {percent(expected_calibration_error(list(bins)))}. {note}"
    legend = (("bar", "accuracy by score"), ("ideal", "where both are equal"))
    return Section(title, (Chart(reliability_diagram(bins), legend, told),), wide=False)


def confusions_table(found: Sequence[Confusion], head: tuple[str, str, str, str]) -> Table | Prose:
    """The commonest pairs of what is true and what was answered."""
    if not found:
        return Prose("Nothing was taken for anything else.")
    rows = tuple(
        (text_cell(pair.truth), text_cell(pair.predicted), number_cell(f"{pair.rows:,}"), share_cell(pair.share))
        for pair in found[:_PAIRS]
    )
    hidden = len(found) - len(rows)
    return Table(head, rows, f"And {hidden} more pairs, in metrics.json." if hidden else "")


def mistakes_section(found: Mistakes, head: MistakeHead, *, note: str, title: str = "The surest mistakes") -> Section:
    """Where to look first; `note` says, as a sentence, what is counted."""
    if not found.surest:
        return Section(title, (Prose("None was found on the test rows."),))
    withheld = any(one.text is None for one in found.surest)
    texts = () if withheld else tuple(filter(None, (head.text, head.beside)))
    table = Table(
        ("Row", *texts, head.wanted, head.answer, f"{head.score}#"),
        tuple(_mistake(one, beside=bool(head.beside)) for one in found.surest),
        f"{note} {WITHHELD}" if withheld else note,
        tall=True,
    )
    return Section(title, (table,))


def _mistake(one: Mistake, *, beside: bool) -> tuple[Cell, ...]:
    texts = () if one.text is None else (one.text, *((one.beside or "",) if beside else ()))
    return (
        Cell(f"{one.file}, line {one.line}", "soft"),
        *(free_cell(shortened(text, TEXT_CHARS)) for text in texts),
        text_cell(shortened(one.wanted, TEXT_CHARS)),
        text_cell(shortened(one.answer, TEXT_CHARS)),
        number_cell(f"{one.score:.3f}"),
    )


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {percent(high)}"
