from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.engine.answer_cache import AnswerCache
from service.engine.backlog import Placed
from service.engine.loading import load_release
from service.engine.model import LoadedRelease


@pytest.fixture
def load(home: Home, make_release: Callable[..., Manifest]) -> Callable[[], LoadedRelease]:
    return lambda: load_release(home, "support", make_release(home).version, threads=1)


def remember(cache: AnswerCache, release: LoadedRelease, *texts: str) -> None:
    encoded = release.encode(texts)
    output = release.predict([one.ids for one in encoded])
    for row, one in enumerate(encoded):
        cache.keep(release, one, Placed(output, row))


def answer(cache: AnswerCache, release: LoadedRelease, text: str) -> str | None:
    found = cache.find(release, text)
    return None if found is None else release.labels[int(found[1].output.indices[found[1].row])]


def test_a_text_is_found_exactly_as_it_was_written(load: Callable[[], LoadedRelease]) -> None:
    cache, release = AnswerCache(8), load()
    remember(cache, release, "my parcel", "my invoice", "hello")
    assert [answer(cache, release, text) for text in ("my parcel", "my invoice", "hello")] == [
        "delivery",
        "billing",
        "other",
    ]
    assert [answer(cache, release, text) for text in ("My parcel", "my parcel ", "parcel", "")] == [None] * 4
    found = cache.find(release, "my invoice")
    assert found is not None
    encoded, placed = found
    assert (encoded.text, encoded.length) == ("my invoice", 4)
    whole = release.predict([encoded.ids])
    assert placed.output.scores[placed.row] == pytest.approx(whole.scores[0])
    assert placed.output.logits[placed.row].tolist() == pytest.approx(whole.logits[0].tolist())


def test_what_one_release_answered_is_unknown_to_the_next(load: Callable[[], LoadedRelease]) -> None:
    cache, one, two = AnswerCache(8), load(), load()
    remember(cache, one, "my parcel")
    assert answer(cache, two, "my parcel") is None
    assert answer(cache, one, "my parcel") == "delivery"


def test_the_text_that_was_asked_for_longest_ago_goes_first(load: Callable[[], LoadedRelease]) -> None:
    cache, release = AnswerCache(3), load()
    for text in ("parcel 1", "parcel 2", "parcel 3"):
        remember(cache, release, text)
    assert answer(cache, release, "parcel 1") == "delivery"
    remember(cache, release, "parcel 4")
    known = {text for text in ("parcel 1", "parcel 2", "parcel 3", "parcel 4") if answer(cache, release, text)}
    assert known == {"parcel 1", "parcel 3", "parcel 4"}
    remember(cache, release, *(f"parcel {number}" for number in range(100)))
    assert sum(answer(cache, release, f"parcel {number}") is not None for number in range(100)) == 3


def test_an_entry_keeps_neither_its_batch_nor_its_release_in_memory(load: Callable[[], LoadedRelease]) -> None:
    cache, release = AnswerCache(8), load()
    encoded = release.encode(["my parcel", "hello"])
    output = release.predict([one.ids for one in encoded])
    cache.keep(release, encoded[0], Placed(output, 0))
    batch = weakref.ref(output)
    del output
    gc.collect()
    assert batch() is None
    assert answer(cache, release, "my parcel") == "delivery"
    gone = weakref.ref(release)
    del release
    gc.collect()
    assert gone() is None
