"""The monitor's settings, read once at the start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from contracts.errors import SettingsError

PREFIX = "PERENNIAL_MONITOR_"
_OFF = ("off", "none", "")


@dataclass(frozen=True)
class MonitorSettings:
    """How often the monitor looks, where it shows what it saw, and whom it tells."""

    interval_seconds: float = 30.0
    host: str = "127.0.0.1"
    port: int | None = 3001  # 0: any free port; None: no metrics server
    alert_url: str | None = None  # the controller's /alerts, in full
    repeat_seconds: float = 60.0
    idle_seconds: float = 300.0  # quiet time after which a partial window of enough rows is judged
    once: bool = False  # one pass, in which every partial window of enough rows is judged

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], overrides: Mapping[str, object] | None = None
    ) -> MonitorSettings:
        """Defaults, then PERENNIAL_MONITOR_* variables, then `overrides` (by field name; None overrides nothing).

        To switch the metrics server off, the port is "off". Raises SettingsError naming the setting.
        """
        given: dict[str, object] = {}
        for field in cls.__dataclass_fields__:
            variable = f"{PREFIX}{field.upper()}"
            if variable in environment:
                given[field] = environment[variable]
            if overrides is not None and overrides.get(field) is not None:
                given[field] = overrides[field]
        defaults = cls()
        return cls(
            interval_seconds=_seconds(
                "interval_seconds", given.get("interval_seconds", defaults.interval_seconds), least=0.05
            ),
            host=str(given.get("host", defaults.host)),
            port=_port(given.get("port", defaults.port)),
            alert_url=_url(given.get("alert_url", defaults.alert_url)),
            repeat_seconds=_seconds("repeat_seconds", given.get("repeat_seconds", defaults.repeat_seconds), least=0.05),
            idle_seconds=_seconds("idle_seconds", given.get("idle_seconds", defaults.idle_seconds), least=0.0),
            once=_flag("once", given.get("once", defaults.once)),
        )


def _seconds(name: str, found: object, least: float) -> float:
    expected = f"a number of seconds, at least {least:g}"
    try:
        value = float(str(found))
    except ValueError as error:
        raise SettingsError(PREFIX + name.upper(), found, expected) from error
    if not math.isfinite(value) or value < least:
        raise SettingsError(PREFIX + name.upper(), found, expected)
    return value


def _port(found: object) -> int | None:
    if found is None or str(found).strip().lower() in _OFF:
        return None
    expected = 'a port from 0 (any free one) to 65535, or "off"'
    try:
        value = int(str(found))
    except ValueError as error:
        raise SettingsError(PREFIX + "PORT", found, expected) from error
    if not 0 <= value <= 65535:
        raise SettingsError(PREFIX + "PORT", found, expected)
    return value


def _url(found: object) -> str | None:
    if found is None or str(found).strip().lower() in _OFF:
        return None
    url = str(found).strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(PREFIX + "ALERT_URL", found, "an http or https URL such as http://127.0.0.1:3002/alerts")
    return url


def _flag(name: str, found: object) -> bool:
    value = str(found).strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off", ""):
        return False
    raise SettingsError(PREFIX + name.upper(), found, "true or false")
