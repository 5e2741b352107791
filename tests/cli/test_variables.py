from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import get_args

import pytest

from cli.variables import KNOWN, Program, unknown_variables

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = get_args(Program)


def told(*names: str, **values: str) -> dict[str, list[str]]:
    """The messages of each program that has any."""
    environment = {"HOME": "/", "PATH": "/bin", **dict.fromkeys(names, "5"), **values}
    found = {program: unknown_variables(environment, program) for program in PROGRAMS}
    return {program: messages for program, messages in found.items() if messages}


@pytest.mark.parametrize(
    ("name", "program", "meant"),
    [
        ("PERENNIAL_LISTEN_PROT", "service", "PERENNIAL_LISTEN_PORT"),
        ("PERENNIAL_API_KEYS_FILES", "service", "PERENNIAL_API_KEYS_FILE"),
        ("PERENNIAL_APIKEYS", "service", "PERENNIAL_API_KEYS"),
        ("PERENNIAL_WORKER", "service", "PERENNIAL_WORKERS"),
        ("PERENNIAL_METRIC_PORT", "service", "PERENNIAL_METRICS_PORT"),
        ("PERENNIAL_MONITOR_INTERVAL", "monitor", "PERENNIAL_MONITOR_INTERVAL_SECONDS"),
        ("PERENNIAL_MONTIOR_PORT", "monitor", "PERENNIAL_MONITOR_PORT"),
        ("PERENNIAL_CONTROLLER_RUNER", "controller", "PERENNIAL_CONTROLLER_RUNNER"),
    ],
)
def test_a_misspelled_setting_is_told_by_the_program_that_it_is_meant_for(name: str, program: str, meant: str) -> None:
    ((found, messages),) = told(name).items()
    assert found == program
    assert messages == [f"{name} is set, but there is no such setting, so it changes nothing. Did you mean {meant}?"]


def test_what_is_like_nothing_is_told_with_where_to_look_and_no_value_is_shown() -> None:
    ((program, (message,)),) = told(PERENNIAL_XYZ="secret").items()
    assert program == "service"
    assert "PERENNIAL_XYZ" in message
    assert "service/README.md" in message
    assert "secret" not in message


def test_a_key_for_replay_alone_protects_no_service() -> None:
    ((program, (message,)),) = told(PERENNIAL_API_KEY="never-shown-0123456789").items()
    assert program == "service"
    assert "PERENNIAL_API_KEY is set, but it is for `perennial replay`" in message
    assert "set PERENNIAL_API_KEYS or PERENNIAL_API_KEYS_FILE" in message
    assert "never-shown" not in message
    assert told(PERENNIAL_API_KEY="") == {}
    for other in ("PERENNIAL_API_KEYS", "PERENNIAL_API_KEYS_FILE"):
        assert told("PERENNIAL_API_KEY", other) == {}


def test_settings_and_what_kubernetes_sets_are_no_mistakes() -> None:
    assert told(*KNOWN) == {}
    for service in ("PERENNIAL", "PERENNIAL_SERVICE", "PERENNIAL_API", "PERENNIAL_METRICS"):
        names = (
            *(f"{service}_SERVICE_HOST", f"{service}_SERVICE_PORT", f"{service}_SERVICE_PORT_HTTP"),
            *(f"{service}_PORT_3000_TCP{end}" for end in ("", "_PROTO", "_PORT", "_ADDR")),
        )
        assert told(*names, **{f"{service}_PORT": "tcp://10.0.0.1:80"}) == {}


def test_every_variable_that_is_read_or_documented_is_known() -> None:
    places = [
        *(path for room in ("cli", "service", "monitoring", "controller", "training", "contracts", "k8s", "tasks")
          for pattern in ("*.py", "*.yaml", "*.md") for path in (ROOT / room).rglob(pattern)),
        *(ROOT / name for name in ("README.md", "Makefile", "k8s/images/Dockerfile")),
    ]  # fmt: skip
    named = {name for path in places for name in re.findall(r"PERENNIAL_[A-Z_]*[A-Z]\b(?!_)", path.read_text())}
    examples = {"PERENNIAL_PORT", "PERENNIAL_SERVICE_HOST", "PERENNIAL_SERVICE_PORT"}
    examples |= {"PERENNIAL_API_SERVICE_HOST", "PERENNIAL_API_PORT"}
    assert len(named) > 30
    assert named - examples <= KNOWN


def test_a_service_that_starts_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from cli.main import main

    monkeypatch.setenv("PERENNIAL_LISTEN_PROT", "4000")
    # Refused further on, so that the start ends there.
    monkeypatch.setenv("PERENNIAL_WORKERS", "none")
    with caplog.at_level(logging.WARNING):
        assert main(["serve", "--home", str(tmp_path)]) == 1
    assert "PERENNIAL_LISTEN_PROT is set" in caplog.text
