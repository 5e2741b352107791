from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import SettingsError
from contracts.home import Home
from service.settings import VARIABLES, ServiceSettings


def test_overrides_come_before_the_environment_which_comes_before_defaults(tmp_path: Path) -> None:
    environment = {"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_LISTEN_PORT": "4000", "PERENNIAL_WORKERS": "2"}
    settings = ServiceSettings.from_environment(environment, {"port": 5000, "workers": None})
    assert (settings.port, settings.workers, settings.host) == (5000, 2, "127.0.0.1")
    assert settings.home == Home(tmp_path)


def test_they_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    settings = ServiceSettings.from_environment(
        {}, {"home": tmp_path, "workers": 3, "poll_seconds": 0.25, "host": "::"}
    )
    assert ServiceSettings.from_environment(settings.to_environment()) == settings


def test_no_keys_are_in_the_environment_of_a_worker_which_could_not_hold_many(tmp_path: Path) -> None:
    keys = " ".join(f"caller-{number}:secret-of-{number:08}" for number in range(2200))
    settings = ServiceSettings.from_environment({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_API_KEYS": keys})
    assert len(settings.api_keys) > 128 * 1024
    environment = settings.to_environment()
    assert "PERENNIAL_API_KEYS" not in environment
    assert ServiceSettings.from_environment(environment) == replace(settings, api_keys="")


@pytest.mark.parametrize("value", ["", "no", "-1", "70000", "1.5", "nan", "inf"])
def test_an_unusable_value_is_named_with_what_is_expected(value: str) -> None:
    if value == "":
        assert ServiceSettings.from_environment({"PERENNIAL_LISTEN_PORT": ""}).port == 3000
        return
    with pytest.raises(SettingsError, match="PERENNIAL_LISTEN_PORT"):
        ServiceSettings.from_environment({"PERENNIAL_LISTEN_PORT": value})


@pytest.mark.parametrize("value", ["0", "1", "3600"])
def test_a_heartbeat_is_off_or_a_second_or_more(value: str) -> None:
    assert ServiceSettings.from_environment({"PERENNIAL_HEARTBEAT_SECONDS": value}).heartbeat_seconds == float(value)


@pytest.mark.parametrize("value", ["0.02", "0.999", "-1", "3601", "nan"])
def test_a_heartbeat_that_no_worker_can_keep_is_refused(value: str) -> None:
    with pytest.raises(
        SettingsError, match=r"PERENNIAL_HEARTBEAT_SECONDS.*expected 0 \(off\) or a number from 1 to 3600"
    ):
        ServiceSettings.from_environment({"PERENNIAL_HEARTBEAT_SECONDS": value})


def test_the_log_may_hold_a_mebibyte_at_least() -> None:
    variable = "PERENNIAL_LOG_QUEUE_BYTES"
    assert ServiceSettings.from_environment({variable: "1048576"}).log_queue_bytes == 2**20
    for value in ("1048575", "1024", "0"):
        with pytest.raises(SettingsError, match=f"{variable}.*a number from 1048576 to 1099511627776"):
            ServiceSettings.from_environment({variable: value})


def test_no_setting_is_named_like_a_variable_that_kubernetes_makes_for_a_service() -> None:
    for service in ("PERENNIAL", "PERENNIAL_SERVICE", "PERENNIAL_SERVE"):
        made = {f"{service}_SERVICE_HOST", f"{service}_SERVICE_PORT", f"{service}_PORT"}
        assert made.isdisjoint(VARIABLES.values())


def test_an_unknown_override_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="prot"):
        ServiceSettings.from_environment({}, {"home": tmp_path, "prot": 1})


def test_threads_share_the_cores(tmp_path: Path) -> None:
    assert ServiceSettings(Home(tmp_path), workers=3).session_threads(8) == 2
    assert ServiceSettings(Home(tmp_path), workers=8).session_threads(2) == 1
    assert ServiceSettings(Home(tmp_path), threads=5).session_threads(2) == 5
