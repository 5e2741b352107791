from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.task import LimitSpec
from service.errors import BodyMalformedError, RequestInvalidError
from service.http.bodies import check_typed, feedback_items, predict_request, typed_request
from service.logs.prediction_ids import PredictionIds
from service.requests import PredictRequest

LIMITS = LimitSpec(max_instances=4, max_text_chars=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.sampled_from(["instances", "parameters", "items", "text", "id", "label", "top_k", "x~/"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
GOOD_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)


@given(st.lists(GOOD_TEXT, min_size=1, max_size=4), st.booleans())
def test_good_texts_come_back_in_order(texts: list[str], wrapped: bool) -> None:
    instances = [{"text": text} for text in texts] if wrapped else texts
    assert predict_request(json.dumps({"instances": instances}).encode(), LIMITS, 3) == PredictRequest(texts)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_junk_is_refused_in_one_of_two_ways(body: bytes) -> None:
    with suppress(BodyMalformedError, RequestInvalidError):
        assert 1 <= len(predict_request(body, LIMITS, 3).texts) <= 4
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
        (b'{"instances": [{"text": "a", "id": ""}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": null}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": 7}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": "a b"}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": "x\\n"}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": "' + b"x" * 65 + b'"}]}', "#/instances/0/id"),
        (b'{"instances": [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]}', "#/instances/1/id"),
        (b'{"instances": ["a"], "parameters": null}', "#/parameters"),
        (b'{"instances": ["a"], "parameters": {"topk": 3}}', "#/parameters/topk"),
        (b'{"instances": ["a"], "parameters": {"top_k": 0}}', "#/parameters/top_k"),
        (b'{"instances": ["a"], "parameters": {"top_k": 1.5}}', "#/parameters/top_k"),
        (b'{"instances": ["a"], "parameters": {"top_k": 10001}}', "#/parameters/top_k"),
        (b'{"instances": ["a"], "parameters": {"top_k": true}}', "#/parameters/top_k"),
        (b'{"instances": ["a"], "parameters": {"all_scores": 1}}', "#/parameters/all_scores"),
        (b'{"instances": ["a"], "parameters": {"version": 2}}', "#/parameters/version"),
        (b'{"instances": ["a"], "parameters": {"version": "../1"}}', "#/parameters/version"),
        (b'{"instances": ["a"], "parameters": {"key": ""}}', "#/parameters/key"),
        (b'{"instances": ["a"], "parameters": {"key": "\\ud800"}}', "#/parameters/key"),
    ],
)
def test_the_place_of_a_fault_is_named(body: bytes, pointer: str) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        predict_request(body, LIMITS, 3)
    assert [violation.pointer for violation in caught.value.violations] == [pointer]


def test_options_say_how_the_request_is_to_be_answered() -> None:
    body = {
        "instances": ["a", {"text": "b", "id": "order:17~b"}],
        "parameters": {"top_k": 2.0, "version": "0002", "key": "customer-17"},
    }
    assert predict_request(json.dumps(body).encode(), LIMITS, 3) == PredictRequest(
        ["a", "b"], ids=[None, "order:17~b"], top_k=2, version="0002", key="customer-17"
    )


@given(st.integers(1, 10_000), st.booleans(), st.integers(2, 9))
def test_no_more_scores_are_wanted_than_there_are_labels(top_k: int, everything: bool, labels: int) -> None:
    body = {"instances": ["a"], "parameters": {"top_k": top_k, "all_scores": everything}}
    found = predict_request(json.dumps(body).encode(), LIMITS, labels)
    assert found.top_k == (labels if everything else min(top_k, labels))


def test_an_id_that_claims_to_be_the_services_is_refused() -> None:
    own = PredictionIds(b"k" * 32).make("support", 1_800_000_000.0)
    body = json.dumps({"instances": [{"text": "a", "id": own}]}).encode()
    with pytest.raises(RequestInvalidError, match="the service's"):
        predict_request(body, LIMITS, 3)
    longer = json.dumps({"instances": [{"text": "a", "id": own + "-"}]}).encode()
    assert predict_request(longer, LIMITS, 3).ids == [own + "-"]


def test_long_texts_are_cut_where_the_task_says_so() -> None:
    limits = LimitSpec(max_text_chars=5, long_texts="truncate")
    found = predict_request(b'{"instances": ["12345", "123456", "1234567"]}', limits, 3)
    assert found == PredictRequest(["12345", "12345", "12345"], cut=frozenset({1, 2}))
    assert typed_request(["12345", "123456"], limits) == PredictRequest(["12345", "12345"], cut=frozenset({1}))
    with pytest.raises(RequestInvalidError, match="white space"):
        predict_request(b'{"instances": ["      x"]}', limits, 3)


def test_faults_of_several_kinds_are_named_together() -> None:
    body = b'{"instances": ["", {"text": "a", "id": ""}, {"id": "x"}, {"text": 1}]}'
    with pytest.raises(RequestInvalidError) as caught:
        predict_request(body, LIMITS, 3)
    pointers = {violation.pointer for violation in caught.value.violations}
    assert pointers == {"#/instances/0", "#/instances/1/id", "#/instances/2", "#/instances/3/text"}


def test_all_faults_are_named_up_to_a_bound() -> None:
    body = json.dumps({"instances": [""] * 100}).encode()
    with pytest.raises(RequestInvalidError) as caught:
        predict_request(body, LimitSpec(max_instances=100), 3)
    assert len(caught.value.violations) == 20


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nope", b"\xff\xfe", b'{"instances": ["\xed\xa0\x80"]}', b'{"instances": [NaN]}', b"[" * 100_000,
     b'{"instances": ["\\u12"]}', b'{"a": "\\ud800", "b": ' + b"[" * 100_000, b"{'instances': []}",
     b'{"a": "\\ud800", "b": ' + b"1" * 10_000 + b"}"],
)  # fmt: skip
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(BodyMalformedError):
        predict_request(body, LIMITS, 3)


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


def test_thousands_of_wrong_labels_are_not_held_against_thousands_of_right_ones_each() -> None:
    labels = [f"label-{number}" for number in range(10_000)]
    body = json.dumps({"items": [{"id": "a", "label": "none of them"}] * 4096}).encode()
    begun = time.process_time()
    with pytest.raises(RequestInvalidError) as caught:
        feedback_items(body, frozenset(labels))
    assert len(caught.value.violations) == 20
    assert time.process_time() - begun < 1


def test_bytes_that_are_no_utf8_are_told_with_their_place() -> None:
    with pytest.raises(BodyMalformedError, match="invalid continuation byte at byte 17"):
        predict_request('{"instances": ["é"]}'.encode("latin-1").replace(b"[", b"[ "), LimitSpec(), 2)


def test_what_is_missing_is_told_beside_what_is_unknown() -> None:
    with pytest.raises(RequestInvalidError) as refused:
        predict_request(b'{"inputs": ["a"]}', LimitSpec(), 2)
    assert [one.pointer for one in refused.value.violations] == ["#/instances", "#/inputs"]


def test_the_typed_endpoint_has_no_options() -> None:
    check_typed(b'{"task": "support", "instances": ["a"]}')
    with pytest.raises(RequestInvalidError, match="#/parameters"):
        check_typed(b'{"task": "support", "instances": ["a"], "parameters": {"top_k": 2}}')
