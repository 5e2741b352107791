"""Pictures that hold what they are drawn from, within their frame."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.proportions import Interval
from training.report.charts import Series, curve_chart, line_chart
from training.report.forest import Estimated, forest_plot
from training.report.heatmap import MOST_LABELS, confusion_heatmap
from training.report.svg import BOTTOM, HEIGHT

share = st.floats(-1, 1)


@given(
    figures=st.lists(st.tuples(share, share, share), min_size=1, max_size=12), mark=st.sampled_from([None, 0.0, 0.5])
)
def test_whiskers_stay_within_the_picture(
    elements_of: Callable, figures: list[tuple[float, float, float]], mark: float | None
) -> None:
    lines = [Estimated("a & b <c>", sorted(f)[1], Interval(min(f), max(f))) for f in figures]
    picture = forest_plot(lines, title="t & u", x_label="x", mark=mark)
    assert "c" not in elements_of(picture)
    width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', picture)[0])
    for x in re.findall(r' (?:x1|x2|cx)="([^"]+)"', picture):
        assert 0 <= float(x) <= width
    for y in re.findall(r' (?:y1|y2|cy)="([^"]+)"', picture):
        assert 0 <= float(y) <= height
    assert picture.count("<circle") == len(lines)


@pytest.mark.parametrize("labels", [2, 6, 60, 170])
def test_the_heatmap_has_a_cell_for_every_pair_that_occurs(
    made_up: Callable, elements_of: Callable, labels: int
) -> None:
    found = made_up(labels, 300).evaluation
    picture = confusion_heatmap(found.labels, found.confusions)
    assert "script" not in elements_of(picture)
    if labels <= MOST_LABELS:
        assert picture.count('class="miss"') == len(found.confusions)
        assert picture.count('class="hit"') == sum(score.right > 0 for score in found.labels)
    else:
        assert 0 < picture.count('class="hit"') <= MOST_LABELS


def test_curves_are_all_drawn_and_named(made_up: Callable, elements_of: Callable) -> None:
    curves = made_up().evaluation.curves.roc
    picture = curve_chart(curves, title="ROC", x_label="x", diagonal=True)
    assert "script" not in elements_of(picture)
    assert picture.count("<polyline") == len(curves) == 3
    assert picture.count('class="ideal"') == 1


def test_one_epoch_is_a_line_chart_too(elements_of: Callable) -> None:
    picture = line_chart([Series("a & b", "first", [(1, 0.5)])], x_label="epoch", percent=True)
    assert {"polyline", "circle"} <= elements_of(picture)


@given(st.lists(share, min_size=1, max_size=8))
def test_scores_below_nothing_stay_within_the_picture(scores: list[float]) -> None:
    points = [(float(epoch), score) for epoch, score in enumerate(scores, start=1)]
    picture = line_chart([Series("rank correlation", "first", points)], x_label="epoch", percent=True)
    for y in re.findall(r' cy="([^"]+)"', picture):
        assert 0 <= float(y) <= HEIGHT - BOTTOM + 0.1
