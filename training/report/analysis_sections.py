"""What the report says of mistakes, suspected labels, sensitivity and slices."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.analysis import Analysis
from training.evaluation.errors import DoubtfulRow, ErrorAnalysis, Suspects
from training.evaluation.sensitivity import Sensitivity
from training.evaluation.slices import FEWEST_ROWS, Slice
from training.report.blocks import (
    Block,
    Cell,
    Chart,
    Prose,
    Section,
    Table,
    Tone,
    free_cell,
    number_cell,
    percent,
    points,
    share_cell,
    text_cell,
)
from training.report.forest import Estimated, forest_plot
from training.report.svg import shortened

TEXT_CHARS = 240
WITHHELD = "Texts are left out, as the task keeps them out of its log: look at the lines named."
_VERDICTS: dict[str, tuple[str, Tone]] = {
    "ok": ("ok", ""),
    "behind": ("behind", "bad"),
    "insufficient": ("too few", "soft"),
}


def analysis_sections(found: Analysis) -> list[Section]:
    """What to look at, and where to be careful."""
    return [*slice_sections(found.slices), sensitivity_section(found.sensitivity), *_errors(found.errors)]


def slice_sections(found: Sequence[Slice]) -> list[Section]:
    """How each part of the data fares; nothing where no property has two values."""
    if not found:
        return []
    lines = [
        Estimated(f"{one.property}: {one.value}", one.accuracy, one.interval, bad=one.verdict == "behind")
        for one in found
        if one.verdict != "insufficient"
    ]
    rows = tuple(_slice_row(one) for one in found)
    note = (
        f"“behind”: less accurate than the other texts by more than chance, at a rate of 5 % over all slices "
        f"together (Newcombe intervals, Bonferroni). Under {FEWEST_ROWS} texts there is no verdict."
    )
    table = Table(("Texts by", "", "Texts#", "Accuracy#", "Against the others#", "Verdict#"), rows, note, tall=True)
    if not lines:
        return [Section("Parts of the data", (table,))]
    picture = forest_plot(lines, title="Accuracy by slice", x_label="accuracy, with its 95 % interval")
    return [Section("Parts of the data", (Chart(picture), table))]


def _slice_row(one: Slice) -> tuple[Cell, ...]:
    verdict, tone = _VERDICTS[one.verdict]
    return (
        text_cell(one.property),
        text_cell(one.value),
        number_cell(f"{one.rows:,}"),
        share_cell(one.accuracy),
        number_cell(points(one.gap)),
        number_cell(verdict, tone),
    )


def sensitivity_section(found: Sensitivity) -> Section:
    """What each way of writing costs."""
    lines = [Estimated(one.title, one.loss.value, one.loss.interval, bad=one.harms) for one in found.variants]
    rows = tuple(
        (
            text_cell(one.title),
            text_cell(one.example, "soft"),
            number_cell(f"{one.changed:,}"),
            share_cell(one.accuracy, "bad" if one.harms else ""),
            share_cell(one.other_answers),
        )
        for one in found.variants
    )
    note = f"{found.rows} test texts, of which {percent(found.accuracy)} are right as they stand."
    picture = forest_plot(
        lines, title="Accuracy lost by way of writing", x_label="accuracy lost, with its 95 % interval", mark=0.0
    )
    head = ("Written with", "For example", "Texts changed#", "Accuracy#", "Other answer#")
    return Section("The same texts, written otherwise", (Chart(picture), Table(head, rows, note)))


def _errors(found: ErrorAnalysis) -> list[Section]:
    if not found.mistakes:
        surest: tuple[Block, ...] = (Prose("Every test text was labelled right."),)
    else:
        surest = (_doubtful(found.surest, f"{found.mistakes:,} test texts were labelled wrong in all."),)
    return [Section("The surest mistakes", surest), suspects_section(found.suspects)]


def suspects_section(suspects: Suspects, unit: str = "rows") -> Section:
    """Labels to be looked at again; `unit` is what was examined one by one."""
    note = (
        f"{suspects.examined:,} {unit} were examined, and {suspects.found:,} of their labels suspected. Looked for by "
        "confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068); the training rows were learned from, "
        "so that more may be hidden there."
    )
    blocks: list[Block] = []
    if suspects.rows:
        blocks.append(_doubtful(suspects.rows, note))
    else:
        blocks.append(Prose(note))
    if suspects.pairs:
        rows = tuple((text_cell(p.label), text_cell(p.answer), number_cell(f"{p.rows:,}")) for p in suspects.pairs)
        blocks.append(Table(("Labelled", "Looks like", "Rows#"), rows))
    return Section("Labels that may be wrong in the data", tuple(blocks))


def _doubtful(rows: Sequence[DoubtfulRow], note: str) -> Table:
    withheld = any(row.text is None for row in rows)
    head = ("Row", *(() if withheld else ("Text",)), "Label", "Answer", "Score#")
    return Table(
        head,
        tuple(
            (
                Cell(f"{row.split}: {row.file}, line {row.line}", "soft"),
                *(() if row.text is None else (free_cell(shortened(row.text, TEXT_CHARS)),)),
                text_cell(row.label),
                text_cell(row.answer),
                share_cell(row.score),
            )
            for row in rows
        ),
        f"{note} {WITHHELD}" if withheld else note,
        tall=True,
    )
