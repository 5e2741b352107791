"""How well the model does: measured where true labels have arrived, estimated where they have not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.reference import Floats
from contracts.verdict import Accuracy

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """Low and high end, 0..1."""

    low: float
    high: float


def wilson_interval(right: int, total: int, z: float = _Z95) -> Interval:
    """Interval of a share, good for small counts and near 0 and 1; 0..1 for no observations.

    Source: Wilson 1927, JASA 22; Brown, Cai and DasGupta 2001 recommend it over the normal interval.
    """
    if total == 0:
        return Interval(0.0, 1.0)
    share = right / total
    scale = 1.0 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    # The exact ends at 0 and total right are 0 and 1; rounding must not miss them.
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == total else min(1.0, centre + half)
    return Interval(low, high)


def fit_threshold(scores: Floats, correct: npt.NDArray[np.bool_]) -> float:
    """The score that as large a share of the reference reaches as is predicted right.

    Source: Garg et al. 2022, Average Thresholded Confidence, arXiv 2201.04234, section 3, with the top score as
    the confidence. Ties make the share jump; the nearest one is taken.
    """
    ordered = np.sort(scores.astype(np.float64))
    candidates = np.append(np.unique(ordered), np.nextafter(ordered[-1], np.inf))
    reached = 1.0 - np.searchsorted(ordered, candidates, side="left") / len(ordered)
    return float(candidates[int(np.argmin(np.abs(reached - float(correct.mean()))))])


def estimate(threshold: float, scores: Floats) -> float:
    """Estimated accuracy of texts with these top scores (at least one), 0..1.

    It believes in the confidence: where the meaning of texts has changed and their look has not, it sees nothing.
    """
    return float((scores.astype(np.float64) >= threshold).mean())


@dataclass(frozen=True)
class Answer:
    """One prediction whose accuracy is asked for."""

    id: str
    label: str
    score: float


def assess(
    answers: Sequence[Answer], truth: Mapping[str, str], reference_accuracy: float, threshold: float
) -> Accuracy:
    """Measured (with its 95 % interval) on the answers whose id is in `truth`, estimated on all (at least one).

    Callers may choose ids, and send one again: of several answers with one id the last counts.
    """
    answers = list({answer.id: answer for answer in answers}.values())
    known = [(answer.label, truth[answer.id]) for answer in answers if answer.id in truth]
    right = sum(said == true for said, true in known)
    scores = np.array([answer.score for answer in answers], dtype=np.float32)
    estimated = estimate(threshold, scores)
    if not known:
        return Accuracy(reference=reference_accuracy, labelled=0, estimated=estimated)
    interval = wilson_interval(right, len(known))
    return Accuracy(
        reference=reference_accuracy,
        labelled=len(known),
        measured=right / len(known),
        measured_low=interval.low,
        measured_high=interval.high,
        estimated=estimated,
    )
