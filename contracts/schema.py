"""What all contract models share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TASK_NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
VERSION = r"^[0-9]{4,}$"
SHA256 = r"^[0-9a-f]{64}$"


class Contract(BaseModel):
    """Frozen; an unknown field is an error; numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
