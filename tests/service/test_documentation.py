from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

from service.settings import VARIABLES, ServiceSettings

README = Path(__file__).resolve().parents[2] / "service" / "README.md"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(
        r"^\| `(PERENNIAL_\w+)` \| (?:`([^`]*)`|none) \|", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    documented = dict(rows)
    assert len(documented) == len(rows)
    assert documented.pop("PERENNIAL_HOME") == "perennial-home"
    defaults = {one.name: one.default for one in fields(ServiceSettings)}
    for name, variable in VARIABLES.items():
        default = defaults[name]
        assert default is not MISSING
        written = documented.pop(variable)
        if isinstance(default, int | float):
            assert float(written) == default, variable
        else:
            assert written == (default or ""), variable
    assert documented == {}, "these are no settings"
