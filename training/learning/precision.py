"""In which number format the CPU trains fastest."""

from __future__ import annotations

from pathlib import Path

from contracts.task import TrainSpec


def trains_in_bf16(recipe: TrainSpec, *, on_cpu: bool, cpu_info: str) -> bool:
    """Whether to compute in bfloat16; the weights and the optimizer stay in float32 either way.

    `auto` takes bfloat16 on a CPU that multiplies in it natively (`cpu_info` reads as /proc/cpuinfo): there a step
    takes half the time or less. A CPU that emulates it would be slower, and so is a graphics card with a small model,
    which the casts hold up.
    """
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    return on_cpu and bool({"avx512_bf16", "amx_bf16"} & set(cpu_info.split()))


def this_cpu() -> str:
    """/proc/cpuinfo of this machine; empty where there is none."""
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.is_file() else ""
