"""The page in a real browser, in both colour schemes and on a narrow screen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

# Written into a copy of the page: what the browser made of it, as JSON in an element.
PROBE = """<script>
const card = document.querySelector('section');
const shown = element => getComputedStyle(element);
const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(v => { v /= 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05); };
const ground = shown(card).backgroundColor;
const out = document.createElement('pre');
out.id = 'probe';
out.textContent = JSON.stringify({
  hacked: typeof window.hacked,
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  ground,
  page: light(shown(document.body).backgroundColor),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  columns: shown(document.querySelector('.cards')).gridTemplateColumns.split(' ').length,
  requests: performance.getEntriesByType('resource').length,
  contrasts: [...document.querySelectorAll('section p, section td, section th, section h2, svg text')]
    .map(e => contrast(e.namespaceURI.endsWith('svg') ? shown(e).fill : shown(e).color, ground)),
  pictures: [...document.querySelectorAll('svg')].map(e => [e.getBoundingClientRect().width,
    e.getBoundingClientRect().height]),
  outside: [...document.querySelectorAll('svg')].flatMap(e => { const frame = e.getBoundingClientRect();
    return [...e.querySelectorAll('text, circle, polyline, rect')].filter(p => { const b = p.getBoundingClientRect();
      return Math.min(b.left - frame.left, frame.right - b.right, b.top - frame.top, frame.bottom - b.bottom) < -2;
    }).map(p => p.textContent || p.tagName); }),
});
document.body.append(out);
</script>"""


def seen_by_browser(page: str, folder: Path, *, width: int, dark: bool) -> dict[str, Any]:
    if BROWSER is None:
        pytest.skip("no Chromium on this machine: install it to test the report in a browser")
    path = folder / "report.html"
    path.write_text(page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=2000",
    ]
    found = subprocess.run(
        [
            BROWSER,
            *options,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},1400",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    probe = re.search(r'<pre id="probe">(.*?)</pre>', found, re.DOTALL)
    assert probe, found[-500:]
    seen: dict[str, Any] = json.loads(unescape(probe[1]))
    return seen


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 500)])
def test_the_report_is_readable(made_up: Callable, tmp_path: Path, dark: bool, width: int) -> None:
    seen = seen_by_browser(made_up().page, tmp_path, width=width, dark=dark)
    assert seen["dark"] is dark
    assert (seen["page"] < 0.1) is dark
    assert seen["hacked"] == "undefined"
    assert seen["requests"] == 0
    assert seen["overflow"] <= 0
    assert seen["columns"] == (1 if width < 760 else 2)
    assert min(seen["contrasts"]) >= 4.5  # WCAG 2.2, level AA
    assert len(seen["pictures"]) == 7
    assert all(wide > 200 and high > 80 for wide, high in seen["pictures"])
    assert seen["outside"] == []


def test_many_labels_are_readable_too(made_up: Callable, tmp_path: Path) -> None:
    seen = seen_by_browser(made_up(60, 600).page, tmp_path, width=1280, dark=True)
    assert seen["overflow"] <= 0
    assert seen["outside"] == []
