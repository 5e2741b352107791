from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.home import Home
from service.logs.prediction_ids import IdKeyError, PredictionIds, load_key

KEY = bytes(range(32))
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@given(st.floats(1.6e9, 4e9), st.sampled_from(["support", "a", "x" * 48]))
def test_an_id_proves_itself_to_every_holder_of_the_key(now: float, task: str) -> None:
    identifier = PredictionIds(KEY).make(task, now)
    assert len(identifier) == 26
    assert PredictionIds(KEY).verify(task, identifier)
    assert not PredictionIds(KEY).verify(task + "x", identifier)
    assert not PredictionIds(bytes(32)).verify(task, identifier)


@given(st.integers(0, 25), st.sampled_from(ALPHABET))
def test_no_character_can_be_changed(position: int, character: str) -> None:
    identifier = PredictionIds(KEY).make("support", 1.7e9)
    changed = identifier[:position] + character + identifier[position + 1 :]
    assert PredictionIds(KEY).verify("support", changed) == (changed == identifier)


@given(st.text(max_size=40))
def test_junk_is_no_id(junk: str) -> None:
    assert not PredictionIds(KEY).verify("support", junk)


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = PredictionIds(KEY)
    made = [ids.make("support", 1.7e9 + step / 1000) for step in range(2000)]
    assert made == sorted(made)
    again = [ids.make("support", 1.7e9) for _ in range(2000)]
    assert len({*made, *again}) == 4000


def test_the_key_is_made_once_whoever_comes_first(home: Home) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_key(home), range(64)))
    assert len(keys) == 1
    path = home.service() / "id.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in home.service().iterdir()] == ["id.key"]


def test_a_damaged_key_is_told_and_never_replaced(home: Home) -> None:
    load_key(home)
    (home.service() / "id.key").write_bytes(b"short")
    with pytest.raises(IdKeyError, match="found 5"):
        load_key(home)
    assert (home.service() / "id.key").read_bytes() == b"short"


def test_a_key_that_cannot_be_made_is_told_with_what_to_do(home: Home) -> None:
    home.service().write_text("a file where a folder should be")
    with pytest.raises(IdKeyError, match="access to PERENNIAL_HOME, or free space"):
        load_key(home)
