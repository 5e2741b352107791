"""What is found out about a model beside its figures, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.report.blocks import Section


@dataclass(frozen=True)
class Told:
    """What the manifest, the report, metrics.json and whoever is about to use the release are told."""

    figures: Mapping[str, float] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def together(*parts: Told) -> Told:
    """All of it, in the order given; the warnings are told in metrics.json too."""
    warnings = tuple(warning for part in parts for warning in part.warnings)
    details = {name: found for part in parts for name, found in part.details.items()}
    return Told(
        figures={name: figure for part in parts for name, figure in part.figures.items()},
        sections=tuple(section for part in parts for section in part.sections),
        details={**details, "warnings": list(warnings)},
        warnings=warnings,
    )
