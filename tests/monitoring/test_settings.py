"""Settings: defaults, environment, options, and what is refused."""

from __future__ import annotations

import pytest

from contracts.errors import SettingsError
from monitoring.settings import MonitorSettings


def test_nothing_set_gives_the_defaults() -> None:
    assert MonitorSettings.from_environment({}, {"port": None, "once": None}) == MonitorSettings()


def test_an_option_wins_over_the_environment() -> None:
    environment = {
        "PERENNIAL_MONITOR_INTERVAL_SECONDS": "5",
        "PERENNIAL_MONITOR_PORT": "9000",
        "PERENNIAL_MONITOR_HOST": "0.0.0.0",
        "PERENNIAL_MONITOR_ALERT_URL": "http://controller:3002/alerts",
    }
    found = MonitorSettings.from_environment(environment, {"interval_seconds": 2.5, "repeat_seconds": 1, "once": True})
    assert found == MonitorSettings(
        interval_seconds=2.5, host="0.0.0.0", port=9000, alert_url="http://controller:3002/alerts",
        repeat_seconds=1.0, once=True,
    )  # fmt: skip


@pytest.mark.parametrize("off", ["off", "none", "OFF", ""])
def test_the_metrics_server_and_the_alerts_can_be_off(off: str) -> None:
    found = MonitorSettings.from_environment({"PERENNIAL_MONITOR_PORT": off, "PERENNIAL_MONITOR_ALERT_URL": off})
    assert (found.port, found.alert_url) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval_seconds", "0"),
        ("interval_seconds", "nan"),
        ("interval_seconds", "soon"),
        ("repeat_seconds", "-1"),
        ("idle_seconds", "inf"),
        ("port", "70000"),
        ("port", "http"),
        ("alert_url", "127.0.0.1:3002"),
        ("alert_url", "file:///etc/passwd"),
        ("once", "perhaps"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"PERENNIAL_MONITOR_{name.upper()}: expected .*{value}"):
        MonitorSettings.from_environment({}, {name: value})
