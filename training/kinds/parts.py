"""Parts of the test rows in which a model is right less often, for kinds that are not analysed text by text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from contracts.reference import Integers
from training.data.rows import Row
from training.evaluation.analysis import properties_of
from training.evaluation.bootstrap import Bools
from training.evaluation.slices import judge_slices, warn_of
from training.report.analysis_sections import slice_sections
from training.report.blocks import Prose, Section


@dataclass(frozen=True)
class Parts:
    """What the report, metrics.json and whoever is about to use the release are told."""

    sections: tuple[Section, ...]
    details: Mapping[str, object]
    warnings: tuple[str, ...]


def parts_of(rows: Sequence[Row], lengths: Integers, right: Bools, *, most: int, means: str) -> Parts:
    """By length in tokens (of which `most` are read), script, language and the task's own columns, of [n] test rows.

    `means` says, as a sentence, when a row is right.
    """
    found = judge_slices(properties_of(rows, lengths, most), right)
    warnings = tuple(warn_of(found))
    sections = tuple(Section(one.title, (*one.blocks, Prose(means, "soft"))) for one in slice_sections(found))
    return Parts(sections, {"slices": [asdict(one) for one in found], "warnings": list(warnings)}, warnings)
