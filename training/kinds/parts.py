"""What is told of a model whatever its kind: intervals, calibration, parts of the data, ways of writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from contracts.reference import Floats, Integers
from training.data.rows import Row
from training.evaluation.analysis import properties_of
from training.evaluation.bootstrap import Bools, Estimate, intervals_content
from training.evaluation.calibration import expected_calibration_error, reliability_of
from training.evaluation.errors import Suspects
from training.evaluation.evaluate import Confusion
from training.evaluation.mistakes import Mistakes
from training.evaluation.sensitivity import Sensitivity
from training.evaluation.slices import judge_slices, warn_of
from training.kinds.told import Told
from training.report.analysis_sections import sensitivity_section, slice_sections, suspects_section
from training.report.blocks import Prose, Section
from training.report.measured_sections import (
    MistakeHead,
    confusions_table,
    intervals_section,
    mistakes_section,
    reliability_section,
)


def parts_of(rows: Sequence[Row], lengths: Integers, right: Bools, *, most: int, means: str) -> Told:
    """By length in tokens (of which `most` are read), script, language and the task's own columns, of [n] test rows.

    `means` says, as a sentence, when a row is right.
    """
    found = judge_slices(properties_of(rows, lengths, most), right)
    warnings = tuple(warn_of(found))
    sections = tuple(Section(one.title, (*one.blocks, Prose(means, "soft"))) for one in slice_sections(found))
    details = {"slices": [asdict(one) for one in found], "warnings": list(warnings)}
    return Told(sections=sections, details=details, warnings=warnings)


def rewritten(found: Sensitivity, *, means: str) -> Told:
    """What ways of writing cost. `means` says, as a sentence, when a row is right, and what of it was rewritten."""
    section = sensitivity_section(found)
    blocks = (*section.blocks, Prose(means, "soft"))
    return Told(sections=(Section(section.title, blocks),), details=found.details, warnings=tuple(found.warnings))


def estimated(estimates: Mapping[str, Estimate], titles: Mapping[str, str]) -> Told:
    """Figures by their names, each with its interval, as the report calls them."""
    return Told(
        figures={name: figure for key, one in estimates.items() for name, figure in one.figures(key).items()},
        sections=(intervals_section({titles[name]: one for name, one in estimates.items()}, wide=True),),
        details={"intervals": intervals_content(estimates)},
    )


def calibrated(served: Floats, raw: Floats, right: Bools, *, temperature: float, means: str) -> Told:
    """How far [n] scores, as they are served and without temperature, are from how often answers are right.

    Nothing of no scores. `means` says, as a sentence, whose scores they are.
    """
    if not len(right):
        return Told()
    bins, raw_bins = reliability_of(served, right), reliability_of(raw, right)
    note = f"Logits are divided by {temperature:.2f}, fitted on validation. {means}"
    return Told(
        figures={"ece": expected_calibration_error(bins), "ece_uncalibrated": expected_calibration_error(raw_bins)},
        sections=(
            reliability_section("Scores as they are served", bins, note),
            reliability_section("Scores without temperature", raw_bins, f"The bare logits, to compare with. {means}"),
        ),
        details={
            "reliability": [asdict(one) for one in bins],
            "reliability_uncalibrated": [asdict(one) for one in raw_bins],
        },
    )


def mistaken(
    listed: Mistakes,
    confusions: Sequence[Confusion],
    suspects: Suspects | None = None,
    *,
    head: MistakeHead,
    columns: tuple[str, str, str, str],
    note: str,
    unit: str = "rows",
) -> Told:
    """Which answers are wrong, what is taken for what, and, of so many `unit`, which labels may be wrong themselves.

    `columns` are of confusions: what is true, what was answered, how often, and which share of the true ones that is.
    """
    sections = [
        mistakes_section(listed, head, note=note),
        Section("What is taken for what", (confusions_table(confusions, columns),)),
    ]
    errors = asdict(listed)
    if suspects is not None:
        sections.append(suspects_section(suspects, unit))
        errors["suspects"] = asdict(suspects)
    details = {"errors": errors, "confusions": [asdict(one) for one in confusions]}
    return Told(sections=tuple(sections), details=details)
