"""Alertmanager's webhook message, version 4: the one form in which the controller hears of trouble.

On one machine the monitor posts it itself; in a cluster Alertmanager does. Fields that Perennial does not use
are accepted and ignored, since another program writes the message there.
Source: Prometheus documentation, Alertmanager configuration, `webhook_config`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DRIFT_ALERT = "PerennialDrift"


class Alert(BaseModel):
    """One alert. Label `task` names the task, label `alertname` the rule."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str = Field(alias="startsAt", description="RFC 3339")
    ends_at: str = Field("0001-01-01T00:00:00Z", alias="endsAt")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str = ""


class AlertMessage(BaseModel):
    """What is posted to `/alerts`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal["4"] = "4"
    group_key: str = Field("", alias="groupKey")
    status: Literal["firing", "resolved"]
    receiver: str = "perennial"
    alerts: tuple[Alert, ...]
