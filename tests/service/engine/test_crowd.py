from __future__ import annotations

import asyncio

import pytest
import uvloop

from service.engine.crowd import Crowd


def test_who_comes_at_once_makes_a_crowd_for_a_while_and_who_comes_later_does_not() -> None:
    async def run() -> None:
        crowd = Crowd()
        crowd.came(100.0)
        assert crowd.has_gone(100.0)
        crowd.ran()
        crowd.came(100.0)
        assert not crowd.has_gone(100.2)
        assert crowd.has_gone(100.3)
        crowd.ran()
        await asyncio.sleep(0.01)
        crowd.came(200.0)
        assert crowd.has_gone(200.0)

    uvloop.run(run())


def test_the_loop_rests_though_it_runs_again_while_turns_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[None] = []

    async def run() -> None:
        crowd = Crowd()
        turn = crowd._turn

        def noted() -> None:
            turned.append(None)
            turn()

        monkeypatch.setattr(crowd, "_turn", noted)
        for _ in range(3):
            crowd.ran()
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        crowd.came(100.0)
        assert crowd.has_gone(100.0)

    uvloop.run(run())
    assert len(turned) < 10
