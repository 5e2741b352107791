"""Names of labels in Markdown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.report.card import plain


def test_markup_is_text() -> None:
    assert plain("a|b") == "a\\|b"
    assert plain("<script>") == "\\<script\\>"
    assert plain("two\nlines  here") == "two lines here"


@given(st.text(max_size=40))
def test_no_line_ends_and_no_cell_ends(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert shown.replace("\\\\", "").count("|") == shown.replace("\\\\", "").count("\\|")
