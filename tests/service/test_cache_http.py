from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import PredictionRecord
from contracts.release import Manifest


def runs(server: Any) -> float:
    return float(server.metric('perennial_batch_size_sum{task="support"}'))


def test_known_texts_are_answered_from_memory_alike_and_on_their_own(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_CACHE_ENTRIES": "2"})
    first = server.predict("my invoice", "courier").json()
    again = server.predict("courier", "hello", "my invoice").json()
    known = {one["label"]: one["score"] for one in first["predictions"]}
    assert [one["label"] for one in again["predictions"]] == ["delivery", "other", "billing"]
    assert (again["predictions"][0]["score"], again["predictions"][2]["score"]) == (known["delivery"], known["billing"])
    ids = [one["id"] for body in (first, again) for one in body["predictions"]]
    assert len(set(ids)) == 5, "each answer has an id of its own"
    assert runs(server) == 3
    assert server.metric('perennial_cache_lookups_total{outcome="hit",task="support"}') == 2
    assert server.metric('perennial_cache_lookups_total{outcome="miss",task="support"}') == 3
    release_served(home)
    server.wait_for(lambda: server.version() == "0002", "the next release")
    assert server.predict("my invoice").json()["model_version"] == "0002"
    assert runs(server) == 4, "the next release answers for itself"
    assert server.feedback((ids[3], "billing")).status_code == 202
    server.end(signal.SIGTERM)
    records = list(read_new(home.predictions("support"), PredictionRecord, Cursor()))
    assert [record.id for record in records[:5]] == ids
    assert [record.release for record in records] == ["0001"] * 5 + ["0002"]
