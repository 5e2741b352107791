from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.task import LimitSpec
from service.bodies import feedback_items, predict_texts
from service.errors import BodyMalformedError, RequestInvalidError

LIMITS = LimitSpec(max_instances=4, max_text_chars=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(["instances", "items", "text", "id", "label", "x~/"]), inner, max_size=4)
    ),
    max_leaves=12,
)
GOOD_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)


@given(st.lists(GOOD_TEXT, min_size=1, max_size=4), st.booleans())
def test_good_texts_come_back_in_order(texts: list[str], wrapped: bool) -> None:
    instances = [{"text": text} for text in texts] if wrapped else texts
    assert predict_texts(json.dumps({"instances": instances}).encode(), LIMITS) == texts


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_junk_is_refused_in_one_of_two_ways(body: bytes) -> None:
    with suppress(BodyMalformedError, RequestInvalidError):
        assert 1 <= len(predict_texts(body, LIMITS)) <= 4
    with suppress(BodyMalformedError, RequestInvalidError):
        assert all(label in ("a", "b") for _, label in feedback_items(body, ("a", "b")))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[]", "#"),
        (b'"x"', "#"),
        (b"{}", "#/instances"),
        (b'{"instances": 1}', "#/instances"),
        (b'{"instances": []}', "#/instances"),
        (b'{"instances": ["a","b","c","d","e"]}', "#/instances"),
        (b'{"instances": ["a"], "extra": 1}', "#/extra"),
        (b'{"instances": ["a"], "a/b~": 1}', "#/a~1b~0"),
        (b'{"instances": ["a", null]}', "#/instances/1"),
        (b'{"instances": ["a", true]}', "#/instances/1"),
        (b'{"instances": [["a"]]}', "#/instances/0"),
        (b'{"instances": [{}]}', "#/instances/0"),
        (b'{"instances": [{"text": 3}]}', "#/instances/0/text"),
        (b'{"instances": [{"text": "a", "lang": "en"}]}', "#/instances/0/lang"),
        (b'{"instances": ["a", ""]}', "#/instances/1"),
        (b'{"instances": [" \\t\\n"]}', "#/instances/0"),
        (b'{"instances": ["\\u3000\\u2003"]}', "#/instances/0"),
        (b'{"instances": ["a\\u0000b"]}', "#/instances/0"),
        (b'{"instances": ["a\\ud800b"]}', "#/instances/0"),
        (b'{"instances": ["123456789012345678901"]}', "#/instances/0"),
    ],
)
def test_the_place_of_a_fault_is_named(body: bytes, pointer: str) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        predict_texts(body, LIMITS)
    assert [violation.pointer for violation in caught.value.violations] == [pointer]


def test_all_faults_are_named_up_to_a_bound() -> None:
    body = json.dumps({"instances": [""] * 100}).encode()
    with pytest.raises(RequestInvalidError) as caught:
        predict_texts(body, LimitSpec(max_instances=100))
    assert len(caught.value.violations) == 20


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nope", b"\xff\xfe", b'{"instances": ["\xed\xa0\x80"]}', b'{"instances": [NaN]}', b"[" * 100_000,
     b'{"instances": ["\\u12"]}', b'{"a": "\\ud800", "b": ' + b"[" * 100_000, b"{'instances': []}",
     b'{"a": "\\ud800", "b": ' + b"1" * 10_000 + b"}"],
)  # fmt: skip
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(BodyMalformedError):
        predict_texts(body, LIMITS)


def test_feedback_names_the_labels_that_there_are() -> None:
    with pytest.raises(RequestInvalidError, match="billing, delivery") as caught:
        feedback_items(
            b'{"items": [{"id": "x", "label": "billing"}, {"id": "y", "label": "nope"}]}', ("billing", "delivery")
        )
    assert [violation.pointer for violation in caught.value.violations] == ["#/items/1/label"]


def test_a_refusal_stays_small_however_many_labels_there_are() -> None:
    labels = tuple(f"label-{number:04d}" for number in range(1000))
    body = json.dumps({"items": [{"id": "x", "label": "nope"}] * 4096}).encode()
    with pytest.raises(RequestInvalidError) as raised:
        feedback_items(body, labels)
    assert "label-0000" in raised.value.violations[0].detail
    assert "950 more" in raised.value.violations[0].detail
    assert sum(len(one.detail) for one in raised.value.violations) < 20_000
