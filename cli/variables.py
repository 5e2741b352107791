"""Environment variables that look like settings and are none: misspelled, left over, or of another program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Literal

from cli.nearest import nearest
from cli.parent import PARENT_VARIABLE
from contracts.home import HOME_VARIABLE
from monitoring.settings import PREFIX as MONITOR_PREFIX
from monitoring.settings import MonitorSettings
from service.settings import VARIABLES

Program = Literal["service", "monitor", "controller"]

_PREFIX = "PERENNIAL_"
_CONTROLLER_PREFIX = "PERENNIAL_CONTROLLER_"
_CONTROLLER = (
    *("HOST", "PORT", "RECONCILE_SECONDS", "RUNNER", "JOB_TIMEOUT_SECONDS", "JOB_ATTEMPTS", "JOB_COMMAND"),
    *("JOB_TEMPLATE", "STOP_GRACE_SECONDS", "NAMESPACE"),
)
_REPLAY_KEY = "PERENNIAL_API_KEY"
# Of the verb `replay`, of the tests, and what one program tells another.
_OTHERS = (HOME_VARIABLE, PARENT_VARIABLE, _REPLAY_KEY, "PERENNIAL_DATA", "PERENNIAL_TEST_SOAK_SECONDS")
KNOWN = frozenset(
    {
        *VARIABLES.values(),
        *(f"{MONITOR_PREFIX}{field.name.upper()}" for field in fields(MonitorSettings)),
        *(f"{_CONTROLLER_PREFIX}{name}" for name in _CONTROLLER),
        *_OTHERS,
    }
)
# What Kubernetes and Docker set for a service whose name begins with `perennial`: PERENNIAL_API_SERVICE_HOST,
# PERENNIAL_API_PORT=tcp://10.0.0.1:80, PERENNIAL_API_PORT_80_TCP_ADDR and the like.
_INJECTED = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_INJECTED_PORT = re.compile(r"(tcp|udp|sctp)://")


def unknown_variables(environment: Mapping[str, str], program: Program) -> list[str]:
    """One message for each PERENNIAL_ variable that nothing reads, and that concerns this program; no values.

    Each concerns just one: the program whose variable it is most like, else the service, which is also told of a key
    that is for `replay` where it asks for none itself.
    """
    found = _lone_key(environment) if program == "service" else []
    for name in sorted(environment):
        if not name.startswith(_PREFIX) or name in KNOWN or _is_injected(name, environment[name]):
            continue
        # Without what they all begin with, which would make any two of them alike.
        meant = nearest(name.removeprefix(_PREFIX), [known.removeprefix(_PREFIX) for known in sorted(KNOWN)])
        if _program_of(f"{_PREFIX}{meant}" if meant else name) == program:
            remedy = f"Did you mean {_PREFIX}{meant}?" if meant else "service/README.md has a table of all settings."
            found.append(f"{name} is set, but there is no such setting, so it changes nothing. {remedy}")
    return found


def _lone_key(environment: Mapping[str, str]) -> list[str]:
    if not environment.get(_REPLAY_KEY) or any(
        VARIABLES[name] in environment for name in ("api_keys", "api_keys_file")
    ):
        return []
    return [
        f"{_REPLAY_KEY} is set, but it is for `perennial replay`, and this service answers whoever reaches it. "
        f"To ask callers for keys, set {VARIABLES['api_keys']} or {VARIABLES['api_keys_file']}."
    ]


def _is_injected(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _INJECTED_PORT.match(value):
        return True
    return _INJECTED.fullmatch(name) is not None


def _program_of(name: str) -> Program:
    if name.startswith(MONITOR_PREFIX):
        return "monitor"
    return "controller" if name.startswith(_CONTROLLER_PREFIX) else "service"
