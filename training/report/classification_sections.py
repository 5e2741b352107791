"""What the report says of a classifier of one label a text: figures, curves, calibration, confusions, labels."""

from __future__ import annotations

from training.evaluation.curves import Curve
from training.evaluation.evaluate import Evaluation, LabelScore
from training.report.blocks import Cell, Chart, Section, Table, number_cell, share_cell, text_cell
from training.report.charts import STYLES, curve_chart
from training.report.heatmap import MOST_LABELS, confusion_heatmap
from training.report.measured_sections import confusions_table, intervals_section, reliability_section


def classification_sections(found: Evaluation, temperature: float) -> list[Section]:
    """From the whole to the single label."""
    return [
        _averages(found),
        intervals_section({"accuracy": found.accuracy_estimate, "macro F1": found.macro_f1_estimate}),
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
        ("Scores as they are served", found.reliability, found.brier),
        ("Scores without temperature", found.reliability_uncalibrated, found.brier_uncalibrated),
    )
    notes = (
        f"Logits are divided by {temperature:.2f}, fitted on validation: 80 % should be right 80 times in 100.",
        "The bare softmax of the logits, to compare with.",
    )
    return [
        reliability_section(title, bins, f"Brier score {brier:.4f}. {note}")
        for (title, bins, brier), note in zip(told, notes, strict=True)
    ]


def _confusions(found: Evaluation) -> Section:
    shown = min(len(found.labels), MOST_LABELS)
    picture = Chart(
        confusion_heatmap(found.labels, found.confusions),
        (("hit", "right"), ("miss", "taken for another")),
        f"A row is a true label, the tone is the share of its texts; {shown} of {len(found.labels)} labels are shown.",
    )
    told = confusions_table(found.confusions, ("True label", "Taken for", "Texts#", "Of the label#"))
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
