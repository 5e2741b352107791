"""The monitor's own words in HTML: the verdict above Evidently's picture, and the index of windows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from contracts.verdict import Accuracy, Detector, Verdict
from monitoring.alerting import summary
from monitoring.drift import EFFECT_FLOORS

MEANINGS = {
    "labels": "Predicted labels come in other shares",
    "confidence": "The model is more, or less, sure of itself",
    "length": "Texts are longer or shorter",
    "unknown": "Another share of tokens is unknown to the tokenizer",
    "fragmentation": "Words break into more, or fewer, pieces: a sign of another language",
    "embedding": "Texts lie elsewhere in the model's own space",
}

# Colours follow the page they stand on (Evidently's has a switch between light and dark), hence currentColor.
_STYLE = """
.pv { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; max-width: 1120px;
  margin: 24px auto; padding: 0 24px; }
.pv h1 { font-size: 24px; font-weight: 650; margin: 0; display: flex; flex-wrap: wrap; gap: 12px; align-items: center; }
.pv h2 { font-size: 15px; font-weight: 600; margin: 26px 0 8px; }
.pv p { margin: 8px 0; }
.pv .dim { opacity: .68; }
.pv .word { font-size: 13px; font-weight: 650; letter-spacing: .02em; padding: 2px 11px; border-radius: 99px;
  white-space: nowrap; }
.pv .ok { background: #1a7f4e; color: #fff; } .pv .drift { background: #c43b1d; color: #fff; }
.pv .insufficient { background: #6b7280; color: #fff; }
.pv .card { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 10px;
  overflow-x: auto; }
.pv table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.pv th { text-align: left; font-weight: 600; font-size: 13px; opacity: .68; }
.pv th, .pv td { padding: 9px 14px; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.pv tr:last-child td { border-bottom: 0; }
.pv .n { text-align: right; } .pv .n, .pv .t { white-space: nowrap; }
.pv a { color: inherit; text-underline-offset: 3px; }
.pv .track { position: relative; height: 8px; min-width: 180px; border-radius: 4px;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.pv .fill { position: absolute; inset: 0 auto 0 0; border-radius: 4px; background: #3b76d6; }
.pv .range { position: absolute; top: -3px; bottom: -3px; border: 2px solid currentColor; border-radius: 4px; }
"""

_DRAWER = re.compile(r"<script>((?:(?!</script>).)*window\.drawDashboard=(?:(?!</script>).)*)</script>", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page, and the script that all pages share (empty when there is none)."""

    html: str
    script: str


def share_script(html: str, source: str) -> Page:
    """Evidently's page with its program of 3.5 MB taken out, to be read from `source` (an URL) instead.

    A page that is built in another way is left as it is.
    """
    found = _DRAWER.search(html)
    if found is None:
        return Page(html, "")
    return Page(f'{html[: found.start()]}<script src="{escape(source)}"></script>{html[found.end() :]}', found.group(1))


def with_banner(html: str, verdict: Verdict) -> str:
    """The page with our verdict on top, since it is the one that counts."""
    head, body, rest = html.partition("<body>")
    if not body:
        return banner(verdict) + html
    title = f"<title>{escape(verdict.task)} {verdict.window_id}: {verdict.verdict}</title>"
    return f"{head.replace('</head>', title + '</head>')}{body}\n{banner(verdict)}{rest}"


def banner(verdict: Verdict) -> str:
    """Verdict, detectors and accuracy of one window."""
    rows = "".join(_detector_row(found) for found in verdict.detectors)
    lead = summary(verdict) if verdict.verdict == "drift" else _calm(verdict)
    alerting = ' <span class="word drift">alert raised</span>' if verdict.alerting else ""
    return f"""<style>{_STYLE}</style>
<section class="pv">
<p><a href="index.html">All windows of {escape(verdict.task)}</a></p>
<h1>{escape(verdict.task)} {verdict.release}, window {verdict.window_id} {_word(verdict.verdict)}{alerting}</h1>
<p>{escape(lead)}</p>
<p class="dim">{verdict.rows} predictions from {_time(verdict.started)} to {_time(verdict.ended)} UTC,
compared with the release's held-out texts.</p>
<h2>Detectors</h2>
<div class="card"><table><thead><tr><th>Detector</th><th>What a change means</th><th class="n">Statistic</th>
<th class="n">Effect</th><th class="n">Floor</th><th class="n">Adjusted p</th><th></th></tr></thead>
<tbody>{rows}</tbody></table></div>
<p class="dim">Drift is said where the p-value (permutation, corrected by Holm over all detectors) is small enough and
the effect reaches its floor.</p>
{_accuracy(verdict.accuracy) if verdict.accuracy else ""}
<h2>The same window, drawn by Evidently</h2>
<p class="dim">Its tests are uncorrected and column by column. They illustrate; they do not decide.</p>
</section>
"""


def _calm(verdict: Verdict) -> str:
    if verdict.verdict == "insufficient":
        return "Too few texts, here or in the reference, to say anything."
    return "Production looks like the texts that the release was tested on."


def _detector_row(found: Detector) -> str:
    return (
        f"<tr><td>{escape(found.name)}</td><td class='dim'>{escape(MEANINGS.get(found.name, ''))}</td>"
        f"<td class='n'>{found.score:.4g}</td><td class='n'>{found.effect:.3f}</td>"
        f"<td class='n'>{EFFECT_FLOORS.get(found.name, 0.0):.2f}</td><td class='n'>{found.adjusted_p_value:.2g}</td>"
        f"<td class='n'>{_word(found.verdict)}</td></tr>"
    )


def _accuracy(accuracy: Accuracy) -> str:
    rows = [_bar("Reference", "on held-out texts", accuracy.reference)]
    if accuracy.estimated is not None:
        rows.append(_bar("Estimated", "from confidence alone", accuracy.estimated))
    if accuracy.measured is not None:
        note = f"on {accuracy.labelled} labelled predictions, with 95 % interval"
        rows.append(_bar("Measured", note, accuracy.measured, accuracy.measured_low, accuracy.measured_high))
    return f'<h2>Accuracy</h2><div class="card"><table><tbody>{"".join(rows)}</tbody></table></div>'


def _bar(name: str, note: str, value: float, low: float | None = None, high: float | None = None) -> str:
    interval, text = "", f"{value:.3f}"
    if low is not None and high is not None:
        width = max(0.0, high - low)
        interval = f'<span class="range" style="left:{low:.1%};width:{width:.1%}"></span>'
        text += f" ({low:.2f} to {high:.2f})"
    track = f'<div class="track"><span class="fill" style="width:{value:.1%}"></span>{interval}</div>'
    return f"<tr><td>{name}</td><td class='dim'>{note}</td><td>{track}</td><td class='n'>{text}</td></tr>"


def index_page(task: str, verdicts: Sequence[Verdict], reports: Collection[str]) -> str:
    """All windows given, newest first; those whose id is in `reports` lead to their report."""
    rows = "".join(_index_row(verdict, verdict.window_id in reports) for verdict in reversed(verdicts))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(task)}: windows</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 0; background: Canvas; color: CanvasText; }}
{_STYLE}</style>
</head><body><section class="pv"><h1>{escape(task)}</h1>
<p class="dim">The newest {len(verdicts)} windows of production traffic, times in UTC.
Where many were judged in one go, only the last has a page of its own.</p>
<div class="card"><table><thead><tr><th>Window</th><th>Ended</th><th class="n">Rows</th><th>Verdict</th>
<th>Drifted</th><th class="n">Estimated accuracy</th><th class="n">Measured accuracy</th></tr></thead>
<tbody>{rows}</tbody></table></div>
</section></body></html>
"""


def _index_row(verdict: Verdict, has_report: bool) -> str:
    name = f'<a href="{verdict.window_id}.html">{verdict.window_id}</a>' if has_report else verdict.window_id
    drifted = ", ".join(found.name for found in verdict.detectors if found.verdict == "drift")
    accuracy = verdict.accuracy
    estimated = f"{accuracy.estimated:.2f}" if accuracy and accuracy.estimated is not None else ""
    measured = f"{accuracy.measured:.2f} of {accuracy.labelled}" if accuracy and accuracy.measured is not None else ""
    alerting = ' <span class="word drift">alert</span>' if verdict.alerting else ""
    return (
        f"<tr><td class='t'>{name}</td><td class='t'>{_time(verdict.ended)}</td><td class='n'>{verdict.rows}</td>"
        f"<td>{_word(verdict.verdict)}{alerting}</td><td>{escape(drifted)}</td>"
        f"<td class='n'>{estimated}</td><td class='n'>{measured}</td></tr>"
    )


def _word(word: str) -> str:
    return f'<span class="word {word}">{word}</span>'


def _time(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
