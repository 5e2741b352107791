"""Looks at a log after a kill, or where the log, the state or the reference is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ReleaseCorruptError
from contracts.home import Home
from contracts.log import segments
from contracts.release import REFERENCE_FILE
from contracts.verdict import Verdict, read_latest
from monitoring.evaluation import Watch
from monitoring.state import read_verdicts, state_path, verdicts_path

Traffic = Any  # tests/monitoring/conftest.py


@pytest.mark.parametrize("killed_in", ["save_state", "publish_verdict", "write_latest"])
def test_a_kill_at_any_step_neither_repeats_nor_loses_a_window(
    look: Callable[..., list[Verdict]],
    released: Home,
    traffic: Traffic,
    monkeypatch: pytest.MonkeyPatch,
    killed_in: str,
) -> None:
    class Killed(BaseException):
        pass

    traffic.send(50)
    look(released, Watch(), traffic.clock)
    traffic.send(50, foreign=0.8)
    with monkeypatch.context() as patch:

        def kill(*_: Any) -> None:
            raise Killed

        target = (
            "monitoring.state.write_latest" if killed_in == "write_latest" else f"monitoring.evaluation.{killed_in}"
        )
        patch.setattr(target, kill)
        with pytest.raises(Killed):
            look(released, Watch(), traffic.clock)
    traffic.send(50, foreign=0.8)
    look(released, Watch(), traffic.clock)
    found = read_verdicts(released, "support")
    assert [verdict.window_id for verdict in found] == ["0001-000001", "0001-000002", "0001-000003"]
    assert [verdict.run for verdict in found] == [0, 1, 2]
    latest = read_latest(released, "support")
    assert latest is not None
    assert latest.alerting


def test_a_lost_state_is_rebuilt_from_the_verdicts(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    traffic.send(60, foreign=0.8)
    look(released, Watch(), traffic.clock)
    state_path(released, "support").write_text("{ torn")
    with verdicts_path(released, "support").open("ab") as file:
        file.write(b'{"torn')
    traffic.send(40, foreign=0.8)
    assert [verdict.run for verdict in look(released, Watch(), traffic.clock)] == [2]
    assert set(judged_ids["0001-000001"]).isdisjoint(judged_ids["0001-000002"])


def test_malformed_lines_are_counted_once_and_passed_over(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    watch = Watch()
    good = traffic.send(10)
    path = segments(released.predictions("support"))[0]
    wrong = [
        good[0].model_copy(update={"label": "nonsense"}),
        good[0].model_copy(update={"projection": (0.0,) * 7}),
        good[0].model_copy(update={"task": "another"}),
    ]
    with path.open("ab") as file:
        file.write(b"not json\n\xff\xfe\n" + json.dumps({"id": "x"}).encode() + b"\n")
        file.writelines(record.model_dump_json().encode() + b"\n" for record in wrong)
    for _ in range(3):
        look(released, watch, traffic.clock)
    assert watch.malformed_lines == 6
    traffic.send(40)
    assert [verdict.malformed for verdict in look(released, watch, traffic.clock)] == [6]
    with path.open("ab") as file:
        file.write(b'{"half a line')
    look(released, watch, traffic.clock)
    assert watch.malformed_lines == 6, "a line without its end is still being written"


def test_a_damaged_reference_is_named(look: Callable[..., list[Verdict]], released: Home) -> None:
    path: Path = released.release("support", "0001") / REFERENCE_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ReleaseCorruptError, match=r"support/0001: reference\.npz has sha256"):
        look(released, Watch(), 1.0)
