"""Evidently's picture of a window beside its reference. The only file that knows Evidently.

Importing it takes seconds and some hundred megabytes, so that happens at the first report. It draws; its own tests do
not decide, which is why each column is given a plain method and threshold instead of Evidently's changing defaults.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from contracts.errors import PerennialError
from monitoring.window import Sample

if TYPE_CHECKING:
    import pandas as pd

# A plot gains nothing from more rows, and the page grows with them.
MOST_ROWS = 5000
AXES = 3

LABEL = "predicted label"
NUMBERS = ("confidence", "tokens per text", "share of unknown tokens", "word pieces per word")


class ReportError(PerennialError):
    """A report that could not be drawn. The verdict stands without it."""


def draw(reference: Sample, window: Sample, labels: Sequence[str], alpha: float) -> str:
    """A whole HTML page with one plot and one test (at level `alpha`, uncorrected) a column.

    Raises ReportError for whatever goes wrong in Evidently, and where it is not installed.
    """
    # Evidently posts usage data to its makers unless told not to before it is imported.
    os.environ["DO_NOT_TRACK"] = "1"
    try:
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift
    except ImportError as error:
        raise ReportError(
            f"Report: expected Evidently to be installed, found: {error}. Install perennial[monitoring]."
        ) from error
    axes = [f"embedding axis {number + 1}" for number in range(min(AXES, reference.projections.shape[1]))]
    numbers = [*NUMBERS, *axes]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=[LABEL])
    methods = {LABEL: "chisquare"} | dict.fromkeys(numbers, "ks")
    try:
        snapshot = Report(
            [ValueDrift(column=name, method=method, threshold=alpha) for name, method in methods.items()]
        ).run(
            Dataset.from_pandas(_frame(window, labels, axes), data_definition=definition),
            Dataset.from_pandas(_frame(reference, labels, axes), data_definition=definition),
        )
        return str(snapshot.get_html_str(as_iframe=False))
    # A foreign library may raise anything; turned into one error that the monitor expects.
    except Exception as error:
        raise ReportError(f"Report: Evidently could not draw this window ({type(error).__name__}: {error}).") from error


def _frame(sample: Sample, labels: Sequence[str], axes: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(
        {
            LABEL: [labels[index] for index in sample.labels],
            NUMBERS[0]: sample.scores,
            NUMBERS[1]: sample.lengths.astype(float),
            NUMBERS[2]: sample.unknown_shares,
            NUMBERS[3]: sample.fragmentation,
        }
        | {name: sample.projections[:, number] for number, name in enumerate(axes)}
    )
    return frame if len(frame) <= MOST_ROWS else frame.sample(MOST_ROWS, random_state=0).sort_index()
