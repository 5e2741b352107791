"""The page as text: what it tells, what it escapes, what it keeps out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.home import Home
from contracts.release import METRICS_FILE, REPORT_FILE


@pytest.mark.parametrize("labels", [2, 6, 60, 170])
def test_the_page_is_well_formed_and_nothing_of_the_data_is_markup(
    made_up: Callable, elements_of: Callable, labels: int
) -> None:
    page = made_up(labels, 300).page
    assert not elements_of(page) & {"script", "img", "iframe"}
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']|url\(|@import", page.replace("src=x", ""))
    assert "&lt;script&gt;" in page


def test_it_tells_what_was_found(made_up: Callable) -> None:
    found = made_up()
    for title in (
        "ROC: true positives against false ones",
        "Precision against recall",
        "How sure these figures are",
        "Scores without temperature",
        "What is taken for what",
        "Labels, the weakest first",
        "Parts of the data",
        "The same texts, written otherwise",
        "The surest mistakes",
        "Labels that may be wrong in the data",
    ):
        assert title in found.page
    assert "Texts whose source is &#39;mail&#39; fall behind" in found.page
    assert f"{found.analysis.errors.mistakes} test texts were labelled wrong" in found.page
    assert "secret number" in found.page


def test_no_text_where_texts_are_kept_out(made_up: Callable) -> None:
    found = made_up(with_texts=False)
    assert "secret number" not in found.page
    assert "secret number" not in json.dumps(found.analysis.details)
    assert "rows.csv, line" in found.page
    assert "/home/of/somebody" not in found.page


def test_a_training_that_keeps_texts_out_of_its_log_keeps_them_out_of_its_release(
    tiny_spec: Callable, tiny_rows: Callable, write_rows: Callable, home: Home, tmp_path: Path
) -> None:
    from contracts.task import GateSpec, LimitSpec
    from training.pipeline import train

    rows = [(f"zebra{number} {text}", label) for number, (text, label) in enumerate(tiny_rows(90, 4))]
    rows += [(rows[0][0], "other" if rows[0][1] != "other" else "billing")]
    path = write_rows(tmp_path / "rows.csv", rows)
    spec = tiny_spec(data=path, epochs=1, gate=GateSpec(max_quantization_drop=1.0))
    manifest = train(home, spec.model_copy(update={"limits": LimitSpec(log_text=False)}))
    folder = home.release("support", manifest.version)
    for name in (METRICS_FILE, REPORT_FILE, "MODEL_CARD.md", "manifest.json"):
        assert "zebra" not in (folder / name).read_text()
    manifest = train(home, spec)
    assert "zebra" in (home.release("support", manifest.version) / REPORT_FILE).read_text()
