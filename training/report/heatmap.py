"""The confusion matrix as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import escape

from training.evaluation.evaluate import Confusion, LabelScore
from training.report.svg import shortened, svg, text

MOST_LABELS = 160
_NAMED, _NUMBERED = 45, 24
_SIDE = 720.0
_NAME_CHARS = 26
_LETTER = 7.4  # pixels, at the most, of a letter of a name
_LARGEST_CELL = 72.0


def confusion_heatmap(scores: Sequence[LabelScore], confusions: Sequence[Confusion]) -> str:
    """True labels down, answers across, each cell the share of its row; at most the 160 labels most often confused.

    A label that is not on the test set has no row. Names stand beside it up to 45 labels, numbers in it up to 24.
    """
    shown = _chosen(scores, confusions)
    place = {score.label: number for number, score in enumerate(shown)}
    margin = _margin(shown)
    cell = min(_LARGEST_CELL, (_SIDE - margin) / len(shown))
    square = cell * len(shown)
    parts = [f'<rect class="matrix" x="{margin:g}" y="{margin:g}" width="{square:g}" height="{square:g}"/>']
    cells = [(score.label, score.label, score.right, score.right / score.rows) for score in shown if score.right]
    cells += [(pair.truth, pair.predicted, pair.rows, pair.share) for pair in confusions]
    for truth, answer, rows, share in cells:
        if truth not in place or answer not in place:
            continue
        x, y = margin + place[answer] * cell, margin + place[truth] * cell
        style = "hit" if truth == answer else "miss"
        # The square root, so that one in a hundred can be seen beside ninety-nine.
        parts.append(
            f'<rect class="{style}" x="{x:.2f}" y="{y:.2f}" width="{cell:.2f}" height="{cell:.2f}" '
            f'style="opacity:{0.12 + 0.88 * share**0.5:.2f}"><title>{escape(truth)} taken for {escape(answer)}: '
            f"{rows} texts, {100 * share:.1f} %</title></rect>"
        )
        if len(shown) <= _NUMBERED:
            parts.append(text(x + cell / 2, y + cell / 2 + 4, str(rows), "middle", "count"))
    parts += _names(shown, margin, cell)
    return svg(parts, "Confusion matrix", width=margin + square, height=margin + square, natural=True)


def _margin(shown: Sequence[LabelScore]) -> float:
    """Room for the longest name that is written, and for the axis' own."""
    if len(shown) > _NAMED:
        return 24.0
    return 34.0 + _LETTER * max(4, *(min(len(score.label), _NAME_CHARS) for score in shown))


def _chosen(scores: Sequence[LabelScore], confusions: Sequence[Confusion]) -> list[LabelScore]:
    present = [score for score in scores if score.rows or any(pair.predicted == score.label for pair in confusions)]
    if len(present) <= MOST_LABELS:
        return present
    wrong: Counter[str] = Counter()
    for pair in confusions:
        wrong[pair.truth] += pair.rows
        wrong[pair.predicted] += pair.rows
    kept = {score.label for score in sorted(present, key=lambda score: -wrong[score.label])[:MOST_LABELS]}
    return [score for score in present if score.label in kept]


def _names(shown: Sequence[LabelScore], margin: float, cell: float) -> list[str]:
    middle = margin + cell * len(shown) / 2
    axes = [
        text(middle, 14, "answer", "middle", "axis"),
        f'<g transform="translate(14 {middle:.1f}) rotate(-90)">{text(0, 0, "true label", "middle", "axis")}</g>',
    ]
    if len(shown) > _NAMED:
        return axes
    for number, score in enumerate(shown):
        centre = margin + (number + 0.5) * cell
        name = shortened(score.label, _NAME_CHARS)
        axes.append(text(margin - 6, centre + 4, name, "end"))
        turned = text(0, 4, name, "start")
        axes.append(f'<g transform="translate({centre:.1f} {margin - 6:.1f}) rotate(-90)">{turned}</g>')
    return axes
