"""Receiver operating characteristic and precision-recall curves, one label against the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from contracts.reference import Floats
from training.evaluation.bootstrap import Bools

_POINTS = 51
_MOST_CELLS = 4_000_000  # rows times labels that the curve of all labels together is drawn from


@dataclass(frozen=True)
class Curve:
    """One line on the unit square, at the same x for every curve of its kind."""

    name: str
    area: float  # under it, 0..1; for precision and recall the average precision
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curves:
    """All labels together (micro average), the mean of the labels (macro), and the label with the least area."""

    roc: tuple[Curve, ...]  # x: false positive rate, y: true positive rate
    precision_recall: tuple[Curve, ...]  # x: recall, y: the best precision at that recall or a higher one
    label_auc: dict[int, float]  # AUC-ROC of each label against the rest


@dataclass(frozen=True)
class _Line:
    area: float
    heights: Floats  # over the grid


def draw_curves(scores: Floats, wanted: Bools, labels: tuple[str, ...]) -> Curves:
    """Curves of [n, labels] scores against what is true; a label on no row or on all of them has none."""
    rows = wanted.sum(axis=0)
    judged = [label for label in range(len(labels)) if 0 < rows[label] < len(wanted)]
    if not judged:
        return Curves((), (), {})
    roc = {label: _roc(wanted[:, label], scores[:, label]) for label in judged}
    precision = {label: _precision_recall(wanted[:, label], scores[:, label]) for label in judged}
    # Rows stand in the order of their digests, so every so many of them are as good as drawn.
    step = 1 + wanted.size // _MOST_CELLS
    together = wanted[::step, judged].ravel(), scores[::step, judged].ravel()
    return Curves(
        roc=_family(roc, _roc(*together), labels),
        precision_recall=_family(precision, _precision_recall(*together), labels),
        label_auc={label: line.area for label, line in roc.items()},
    )


def _family(lines: dict[int, _Line], together: _Line, labels: tuple[str, ...]) -> tuple[Curve, ...]:
    mean = _Line(
        float(np.mean([line.area for line in lines.values()])),
        np.mean([line.heights for line in lines.values()], axis=0),
    )
    named = [("all labels together", together), ("mean of the labels", mean)]
    if len(lines) > 2:
        weakest = min(lines, key=lambda label: lines[label].area)
        named.append((f"weakest: {labels[weakest]}", lines[weakest]))
    return tuple(_curve(name, line) for name, line in named)


def _roc(wanted: Bools, scores: Floats) -> _Line:
    """The area is by trapezoids, which is the chance that a row of the label has the higher score (Fawcett 2006)."""
    false, true, _ = roc_curve(wanted, scores)
    # Where the rate of false positives stands still the curve rises: the last of its points is its height there.
    last = np.searchsorted(false, _grid(), side="right") - 1
    following = np.minimum(last + 1, len(false) - 1)
    width = false[following] - false[last]
    share = np.where(width > 0, (_grid() - false[last]) / np.where(width > 0, width, 1), 0)
    return _Line(float(auc(false, true)), true[last] + share * (true[following] - true[last]))


def _precision_recall(wanted: Bools, scores: Floats) -> _Line:
    """The area is the average precision, a sum of steps: trapezoids flatter (Davis and Goadrich 2006)."""
    precision, recall, _ = precision_recall_curve(wanted, scores)
    # Both run from the lowest threshold to the highest: recall falls, and what came before has a higher one.
    best = np.maximum.accumulate(precision)
    last = len(recall) - 1 - np.searchsorted(recall[::-1], _grid(), side="left")
    return _Line(float(-np.sum(np.diff(recall) * precision[:-1])), best[np.maximum(last, 0)])


def _grid() -> Floats:
    """Closer together at the left, where a good classifier's curve bends."""
    return (np.linspace(0.0, 1.0, _POINTS) ** 2).astype(np.float32)


def _curve(name: str, line: _Line) -> Curve:
    points = zip(_grid(), line.heights, strict=True)
    return Curve(name, line.area, tuple((round(float(x), 4), round(float(y), 4)) for x, y in points))
