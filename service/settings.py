"""The service's settings, read once by the program that starts it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from contracts.errors import SettingsError
from contracts.home import HOME_VARIABLE, Home
from service.access import format_keys, parse_keys
from service.errors import ApiKeysError

# Kubernetes and Docker set PERENNIAL_PORT, PERENNIAL_SERVICE_HOST and the like for a service named `perennial`;
# none of these names can be one of theirs.
VARIABLES = {
    "host": "PERENNIAL_LISTEN_HOST",
    "port": "PERENNIAL_LISTEN_PORT",
    "workers": "PERENNIAL_WORKERS",
    "threads": "PERENNIAL_THREADS",
    "poll_seconds": "PERENNIAL_POLL_SECONDS",
    "batch_tokens": "PERENNIAL_BATCH_TOKENS",
    "queue_tokens": "PERENNIAL_QUEUE_TOKENS",
    "deadline_seconds": "PERENNIAL_DEADLINE_SECONDS",
    "cache_entries": "PERENNIAL_CACHE_ENTRIES",
    "log_queue_bytes": "PERENNIAL_LOG_QUEUE_BYTES",
    "max_body_bytes": "PERENNIAL_MAX_BODY_BYTES",
    "drain_seconds": "PERENNIAL_DRAIN_SECONDS",
    "heartbeat_seconds": "PERENNIAL_HEARTBEAT_SECONDS",
    "api_keys": "PERENNIAL_API_KEYS",
    "api_keys_file": "PERENNIAL_API_KEYS_FILE",
    "rate_limit": "PERENNIAL_RATE_LIMIT",
    "rate_burst": "PERENNIAL_RATE_BURST",
    "metrics_port": "PERENNIAL_METRICS_PORT",
    "traces": "PERENNIAL_TRACES",
    "head_seconds": "PERENNIAL_HEAD_SECONDS",
    "keep_alive_seconds": "PERENNIAL_KEEP_ALIVE_SECONDS",
}
# Without a value these are off, and one that is there but empty is a mistake that would open the door.
_NEVER_EMPTY = ("api_keys", "api_keys_file")

_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "workers": (1, 256),
    "threads": (0, 256),
    "poll_seconds": (0.05, 3600),
    "batch_tokens": (1, 1_000_000),
    "queue_tokens": (1, 1_000_000_000),
    "deadline_seconds": (0.001, 3600),
    "cache_entries": (0, 100_000_000),
    "log_queue_bytes": (2**20, 2**40),
    "max_body_bytes": (1024, 2**31),
    "drain_seconds": (0, 3600),
    "heartbeat_seconds": (1, 3600),
    "rate_limit": (0, 1e9),
    "rate_burst": (0, 1e9),
    "metrics_port": (0, 65535),
    "head_seconds": (0.1, 3600),
    "keep_alive_seconds": (0.1, 3600),
}
# These may be 0, too, which is their being off.
_OR_OFF = ("heartbeat_seconds",)


@dataclass(frozen=True)
class ServiceSettings:
    """How one service process group runs. Each field has an environment variable, see VARIABLES."""

    home: Home
    host: str = "127.0.0.1"
    port: int = 3000  # 0: any free one
    workers: int = 1  # processes
    threads: int = 0  # for the model, of each worker; 0: the cores of this machine (or container) shared among them
    poll_seconds: float = 0.5  # between two looks at rollout.json
    batch_tokens: int = 384  # that a lane takes at a time, padding included; one text alone may be longer
    queue_tokens: int = 16_384  # that may wait, a task
    deadline_seconds: float = 30.0  # for an answer, where the request does not say
    cache_entries: int = 0  # texts of each release whose answers are remembered; 0: none
    log_queue_bytes: int = 32 * 2**20  # prediction records that may wait for the disk
    max_body_bytes: int = 4 * 2**20
    drain_seconds: float = 15.0  # for answering what was accepted, once told to stop
    heartbeat_seconds: float = 30.0  # without a sign of life from a worker's event loop; 0: for ever
    api_keys: str = field(default="", repr=False)  # digests of keys as `access.format_keys` writes them; "": none
    api_keys_file: Path | None = None  # followed; api_keys are then those read of it before, if any
    rate_limit: float = 0.0  # texts a second for each key, of all workers together; 0: none
    rate_burst: float = 0.0  # texts at once after a pause; 0: one second's worth
    metrics_port: int = 0  # of /metrics alone, on the same host; 0: on the main port
    traces: str = ""  # URL of an OTLP collector (http/protobuf); "": none are made
    head_seconds: float = 10.0  # for the head of a request to come whole
    keep_alive_seconds: float = 75.0  # that a connection may idle; more than the 60 s of common load balancers

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], overrides: Mapping[str, object] | None = None
    ) -> ServiceSettings:
        """Overrides (by field name; None is passed over) come before the environment, which comes before defaults.

        `home` may be overridden by a Home or a path. Raises SettingsError naming the variable and what it must be, and
        ApiKeysError.
        """
        given = {name: value for name, value in (overrides or {}).items() if value is not None}
        unknown = sorted(given.keys() - {one.name for one in fields(cls)})
        if unknown:
            raise SettingsError(unknown[0], given[unknown[0]], f"one of {', '.join(['home', *VARIABLES])}")
        home = given.pop("home", None)
        found: dict[str, object] = {
            name: environment[variable] for name, variable in VARIABLES.items() if environment.get(variable)
        }
        for name in _NEVER_EMPTY:
            # The value is blank, so that showing it shows no secret.
            if name not in given and environment.get(VARIABLES[name], "-").strip() == "":
                raise SettingsError(VARIABLES[name], "", "a value, or no such variable to serve without keys")
        found |= given
        if found.get("api_keys") and found.get("api_keys_file"):
            raise ApiKeysError(" and ".join(VARIABLES[name] for name in _NEVER_EMPTY), "both are set.")
        host = str(found.get("host", cls.host))
        if not host.strip():
            raise SettingsError(VARIABLES["host"], host, "an address such as 127.0.0.1 or 0.0.0.0")
        return cls(
            home=home
            if isinstance(home, Home)
            else Home.from_environment(environment, None if home is None else str(home)),
            host=host,
            port=_integer(found, "port", cls.port),
            workers=_integer(found, "workers", cls.workers),
            threads=_integer(found, "threads", cls.threads),
            poll_seconds=_number(found, "poll_seconds", cls.poll_seconds),
            batch_tokens=_integer(found, "batch_tokens", cls.batch_tokens),
            queue_tokens=_integer(found, "queue_tokens", cls.queue_tokens),
            deadline_seconds=_number(found, "deadline_seconds", cls.deadline_seconds),
            cache_entries=_integer(found, "cache_entries", cls.cache_entries),
            log_queue_bytes=_integer(found, "log_queue_bytes", cls.log_queue_bytes),
            max_body_bytes=_integer(found, "max_body_bytes", cls.max_body_bytes),
            drain_seconds=_number(found, "drain_seconds", cls.drain_seconds),
            heartbeat_seconds=_number(found, "heartbeat_seconds", cls.heartbeat_seconds),
            api_keys=_digests(found),
            api_keys_file=Path(str(found["api_keys_file"])) if found.get("api_keys_file") else None,
            rate_limit=_number(found, "rate_limit", cls.rate_limit),
            rate_burst=_number(found, "rate_burst", cls.rate_burst),
            metrics_port=_integer(found, "metrics_port", cls.metrics_port),
            traces=_collector(found),
            head_seconds=_number(found, "head_seconds", cls.head_seconds),
            keep_alive_seconds=_number(found, "keep_alive_seconds", cls.keep_alive_seconds),
        )

    def to_environment(self) -> dict[str, str]:
        """Variables from which `from_environment` makes these settings again, `api_keys` apart: how they reach workers.

        There may be more keys than one variable holds (128 KiB on Linux): see `service.workers` for their way.
        """
        values = asdict(self)
        told = {name: variable for name, variable in VARIABLES.items() if name != "api_keys"}
        return {
            HOME_VARIABLE: str(self.home.root),
            **{variable: str(values[name]) for name, variable in told.items() if values[name] not in (None, "")},
        }

    def session_threads(self, cores: int) -> int:
        """Session runs side by side, and threads of a run that is alone, given the cores that all workers share."""
        return self.threads or max(1, cores // self.workers)


def available_cores() -> int:
    """Cores that this process may use: its affinity, cut to the container's CPU quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))


def _digests(found: Mapping[str, object]) -> str:
    """Secrets go no further than this."""
    text = str(found.get("api_keys", ""))
    return format_keys(parse_keys(text, VARIABLES["api_keys"])) if text else ""


def _collector(found: Mapping[str, object]) -> str:
    url = str(found.get("traces", ""))
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        # What is before an @ may be a password.
        raise SettingsError(VARIABLES["traces"], url.rpartition("@")[2], "a URL such as http://collector:4318")
    return url


def _integer(found: Mapping[str, object], name: str, default: int) -> int:
    value = _number(found, name, default)
    if value != int(value):
        raise SettingsError(VARIABLES[name], found[name], "a whole number")
    return int(value)


def _number(found: Mapping[str, object], name: str, default: float) -> float:
    low, high = _RANGES[name]
    raw = found.get(name, default)
    try:
        value = float(str(raw))
    except ValueError:
        value = math.nan
    may_be_off = name in _OR_OFF
    if not (low <= value <= high or (may_be_off and value == 0)):
        # All digits: a rounded bound would be another.
        expected = f"a number from {low:.15g} to {high:.15g}"
        raise SettingsError(VARIABLES[name], raw, f"0 (off) or {expected}" if may_be_off else expected)
    return value
