"""What the report says of a classifier of one label a text: figures, curves, calibration, confusions, labels."""

from __future__ import annotations

from training.evaluation.curves import Curve
from training.evaluation.evaluate import Evaluation, LabelScore
from training.report.blocks import Cell, Chart, Prose, Section, Table, number_cell, percent, share_cell, text_cell
from training.report.charts import STYLES, curve_chart, reliability_diagram
from training.report.heatmap import MOST_LABELS, confusion_heatmap

_PAIRS = 12


def classification_sections(found: Evaluation, temperature: float) -> list[Section]:
    """From the whole to the single label."""
    return [
        _averages(found),
        _intervals(found),
        *_curves(found),
        *_calibration(found, temperature),
        _confusions(found),
        _labels(found),
    ]


def _averages(found: Evaluation) -> Section:
    rows = [
        (text_cell(name), share_cell(one.precision), share_cell(one.recall), share_cell(one.f1))
        for name, one in (
            ("macro: the mean of the labels", found.macro),
            ("weighted: by the labels' rows", found.weighted),
            ("micro: all answers together", found.micro),
        )
    ]
    area = "not defined" if found.auc_roc is None else f"{found.auc_roc:.4f}"
    note = f"AUC-ROC, one label against the rest, mean of the labels: {area}. Labels without test texts are left out."
    return Section(
        "Averages over the labels", (Table(("", "Precision#", "Recall#", "F1#"), tuple(rows), note),), wide=False
    )


def _intervals(found: Evaluation) -> Section:
    estimates = (("accuracy", found.accuracy_estimate), ("macro F1", found.macro_f1_estimate))
    rows = tuple(
        (text_cell(name), share_cell(one.value), number_cell(_range(one.interval.low, one.interval.high)))
        for name, one in estimates
    )
    note = "95 of 100 test sets drawn like this one would give a figure in the interval (bootstrap, 1000 resamples)."
    return Section("How sure these figures are", (Table(("", "Found#", "95 % interval#"), rows, note),), wide=False)


def _curves(found: Evaluation) -> list[Section]:
    if not found.curves.roc:
        return []
    roc = curve_chart(found.curves.roc, title="ROC curves", x_label="false positive rate", diagonal=True)
    precision = curve_chart(
        found.curves.precision_recall, title="Precision-recall curves", x_label="recall", diagonal=False
    )
    return [
        Section("ROC: true positives against false ones", (_with_legend(roc, found.curves.roc, "AUC"),), wide=False),
        Section(
            "Precision against recall", (_with_legend(precision, found.curves.precision_recall, "AP"),), wide=False
        ),
    ]


def _with_legend(svg: str, curves: tuple[Curve, ...], area: str) -> Chart:
    legend = ((style, f"{curve.name}, {area} {curve.area:.3f}") for curve, style in zip(curves, STYLES, strict=False))
    return Chart(svg, tuple(legend))


def _calibration(found: Evaluation, temperature: float) -> list[Section]:
    told = (
        ("Scores as they are served", found.reliability, found.ece, found.brier),
        (
            "Scores without temperature",
            found.reliability_uncalibrated,
            found.ece_uncalibrated,
            found.brier_uncalibrated,
        ),
    )
    notes = (
        f"Logits are divided by {temperature:.2f}, fitted on validation: 80 % should be right 80 times in 100.",
        "The bare softmax of the logits, to compare with.",
    )
    return [
        Section(
            title,
            (
                Chart(
                    reliability_diagram(bins),
                    (("bar", "accuracy by score"), ("ideal", "where both are equal")),
                    f"Expected calibration error {percent(ece)}, Brier score {brier:.4f}. {note}",
                ),
            ),
            wide=False,
        )
        for (title, bins, ece, brier), note in zip(told, notes, strict=True)
    ]


def _confusions(found: Evaluation) -> Section:
    shown = min(len(found.labels), MOST_LABELS)
    picture = Chart(
        confusion_heatmap(found.labels, found.confusions),
        (("hit", "right"), ("miss", "taken for another")),
        f"A row is a true label, the tone is the share of its texts; {shown} of {len(found.labels)} labels are shown.",
    )
    rows = tuple(
        (text_cell(pair.truth), text_cell(pair.predicted), number_cell(f"{pair.rows:,}"), share_cell(pair.share))
        for pair in found.confusions[:_PAIRS]
    )
    hidden = len(found.confusions) - len(rows)
    note = f"And {hidden} more pairs, in metrics.json." if hidden else ""
    table = Table(("True label", "Taken for", "Texts#", "Of the label#"), rows, note)
    told = table if rows else Prose("Every test text was labelled right.")
    return Section("What is taken for what", (picture, told))


def _labels(found: Evaluation) -> Section:
    ordered = sorted(found.labels, key=lambda score: (score.rows == 0, score.f1, score.label))
    head = ("Label", "F1#", "Precision#", "Recall#", "AUC-ROC#", "Test texts#")
    table = Table(head, tuple(_label(score) for score in ordered), tall=True)
    return Section("Labels, the weakest first", (table,))


def _label(score: LabelScore) -> tuple[Cell, ...]:
    if not score.rows:
        absent = (number_cell("not tested", "soft"), *(number_cell("", "soft"),) * 3)
        return (text_cell(score.label), *absent, number_cell("0"))
    return (
        Cell(score.label, rail=score.f1),
        share_cell(score.f1),
        share_cell(score.precision),
        share_cell(score.recall),
        number_cell("" if score.auc_roc is None else f"{score.auc_roc:.3f}"),
        number_cell(f"{score.rows:,}"),
    )


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {percent(high)}"
