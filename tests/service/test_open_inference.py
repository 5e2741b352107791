"""The protocol's pure part, against bodies that the real client makes and reads."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult

from contracts.task import LimitSpec
from service.errors import BodyMalformedError, RequestInvalidError
from service.http.open_inference import InferRequest, WantedOutput, infer_request
from service.http.open_inference_answers import Address, find_address, infer_reply, model_metadata
from service.requests import PredictRequest

LIMITS = LimitSpec(max_instances=6, max_text_chars=20)
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
        lambda text: bool(text.strip())
    ),
    min_size=1,
    max_size=6,
)


@dataclass(frozen=True)
class Answered:
    id: str
    label: str
    score: float
    scores: list[tuple[str, float]] | None = None
    truncated: bool = False
    fields: dict[str, object] | None = None


def sent(texts: list[str], *, binary: bool, column: bool = False, **options: object) -> tuple[bytes, str | None]:
    """A body and its header as Triton's client sends them."""
    array = np.array([text.encode() for text in texts], dtype=np.object_)
    tensor = InferInput("text", [len(texts), 1] if column else [len(texts)], "BYTES")
    tensor.set_data_from_numpy(array.reshape(-1, 1) if column else array, binary_data=binary)
    body, length = InferenceServerClient.generate_request_body([tensor], **options)
    return body, None if length is None else str(length)


@given(TEXTS, st.booleans(), st.booleans())
def test_texts_come_as_the_real_client_sends_them(texts: list[str], binary: bool, column: bool) -> None:
    body, length = sent(texts, binary=binary, column=column, request_id="r-1")
    found = infer_request(body, length, LIMITS, 3)
    assert found.predict == PredictRequest(texts)
    assert found.id == "r-1"
    assert found.outputs == tuple(WantedOutput(name, True) for name in ("label", "score", "id", "truncated"))


def test_parameters_and_outputs_are_the_requests() -> None:
    body, length = sent(
        ["a"],
        binary=True,
        timeout=250_000,
        parameters={"top_k": 9, "key": "customer-17"},
        outputs=[InferRequestedOutput("scores"), InferRequestedOutput("label", binary_data=False)],
    )
    assert infer_request(body, length, LIMITS, 3, "0002") == InferRequest(
        PredictRequest(["a"], top_k=3, version="0002", key="customer-17"),
        (WantedOutput("scores", True), WantedOutput("label", False)),
        timeout=0.25,
    )


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.floats(0, 1, width=32)),
             min_size=2, max_size=4),
    st.integers(1, 5),
    st.permutations(["label", "score", "id", "truncated", "labels", "scores"]),
    st.lists(st.booleans(), min_size=6, max_size=6),
)  # fmt: skip
def test_the_real_client_reads_the_answers(
    scores: list[tuple[str, float]], rows: int, names: list[str], binary: list[bool]
) -> None:
    answers = [Answered(f"id-{row}", *scores[0], scores, truncated=row == 1) for row in range(rows)]
    wanted = tuple(WantedOutput(*each) for each in zip(names, binary, strict=True))
    reply = infer_reply("support", "0001", InferRequest(PredictRequest([]), wanted, "r-1"), answers)
    length = dict(reply.headers).get(b"inference-header-content-length")
    result = InferResult.from_response_body(reply.body, header_length=None if length is None else int(length))
    assert result.get_response()["model_version"] == "0001"
    assert result.get_response()["id"] == "r-1"

    def texts(name: str) -> list[object]:
        array = result.as_numpy(name)
        decode = np.vectorize(lambda value: value.decode() if isinstance(value, bytes) else value, otypes=[object])
        return decode(array).tolist()  # as objects: numpy's own strings lose a NUL at their end

    assert texts("id") == [f"id-{row}" for row in range(rows)]
    assert texts("label") == [scores[0][0]] * rows
    assert texts("labels") == [[label for label, _ in scores]] * rows
    assert result.as_numpy("score").tolist() == [scores[0][1]] * rows
    assert result.as_numpy("scores").tolist() == [[score for _, score in scores]] * rows
    assert result.as_numpy("truncated").tolist() == [row == 1 for row in range(rows)]
    assert result.as_numpy("score").dtype == np.float32


def tensor(**changes: object) -> dict[str, object]:
    """A good tensor with changes; None takes a field away."""
    whole = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"], **changes}
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "#/inputs"),
        ({"inputs": []}, "#/inputs"),
        ({"inputs": [tensor(), tensor()]}, "#/inputs"),
        ({"inputs": [7]}, "#/inputs"),
        ({"inputs": [tensor(name="words")]}, "#/inputs/0/name"),
        ({"inputs": [tensor(datatype="FP32")]}, "#/inputs/0/datatype"),
        ({"inputs": [tensor(shape=None)]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[3])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[1, 2])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[-1])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[2.5])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[0], data=[])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(shape=[10**9], data=["a"])]}, "#/inputs/0/shape"),
        ({"inputs": [tensor(data=None)]}, "#/inputs/0/data"),
        ({"inputs": [tensor(data=["a", 3])]}, "#/inputs/0/data/1"),
        ({"inputs": [tensor(data=["a", ["b"]])]}, "#/inputs/0/data/1"),
        ({"inputs": [tensor(data=["a", " "])]}, "#/inputs/0/data/1"),
        ({"inputs": [tensor(data=["a", "123456789012345678901"])]}, "#/inputs/0/data/1"),
        ({"inputs": [tensor(parameters={"binary_data_size": 9})]}, "#/inputs/0/data"),
        ({"inputs": [tensor(data=None, parameters={"binary_data_size": 9})]}, "#/inputs/0/parameters/binary_data_size"),
        ({"inputs": [tensor(parameters={"shared_memory_region": "x"})]}, "#/inputs/0/parameters/shared_memory_region"),
        ({"inputs": [tensor()], "id": 7}, "#/id"),
        ({"inputs": [tensor()], "id": "\ud800"}, "#/id"),
        ({"inputs": [tensor()], "extra": 7}, "#/extra"),
        ({"inputs": [tensor()], "parameters": {"sequence_id": 7}}, "#/parameters/sequence_id"),
        ({"inputs": [tensor()], "parameters": {"top_k": 0}}, "#/parameters/top_k"),
        ({"inputs": [tensor()], "parameters": {"timeout": "1s"}}, "#/parameters/timeout"),
        ({"inputs": [tensor()], "parameters": {"binary_data_output": 1}}, "#/parameters/binary_data_output"),
        ({"inputs": [tensor()], "outputs": [{"name": "logits"}]}, "#/outputs/0/name"),
        ({"inputs": [tensor()], "outputs": [{"name": "scores"}]}, "#/outputs/0/name"),
        ({"inputs": [tensor()], "outputs": [{"name": "id"}, {"name": "id"}]}, "#/outputs/1/name"),
        ({"inputs": [tensor()], "outputs": [{"name": "id", "parameters": {"classification": 2}}]},
         "#/outputs/0/parameters/classification"),
    ],
)  # fmt: skip
def test_the_place_of_a_fault_is_named(body: dict[str, object], place: str) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        infer_request(json.dumps(body).encode(), None, LIMITS, 3)
    assert [violation.pointer for violation in caught.value.violations] == [place]


@pytest.mark.parametrize(
    "binary",
    [b"", b"\x01", struct.pack("<I", 5) + b"abc", struct.pack("<I", 2**32 - 1) + b"abc",
     struct.pack("<I", 1) + b"a", (struct.pack("<I", 1) + b"a") * 3, struct.pack("<I", 1) + b"\xff" + b"\0\0\0\0"],
)  # fmt: skip
def test_bytes_that_are_no_two_texts_are_refused(binary: bytes) -> None:
    head = {"inputs": [tensor(data=None, parameters={"binary_data_size": len(binary)})]}
    text = json.dumps(head).encode()
    with pytest.raises(RequestInvalidError):
        infer_request(text + binary, str(len(text)), LIMITS, 3)


@pytest.mark.parametrize("length", ["", "-1", "9999", "x", "1.0", "\u0663", "9" * 30])
def test_a_header_that_is_no_length_is_refused(length: str) -> None:
    body, _ = sent(["a"], binary=True)
    with pytest.raises(RequestInvalidError, match="Inference-Header-Content-Length"):
        infer_request(body, length, LIMITS, 3)


@given(st.binary(max_size=200), st.integers(0, 250) | st.none(), st.booleans())
def test_junk_is_refused_in_one_of_two_ways(junk: bytes, length: int | None, around: bool) -> None:
    body, header = sent(["a", "b"], binary=True)
    if around:
        body, header = body[: int(header or 0)] + junk, header
    else:
        body, header = junk, None if length is None else str(length)
    with suppress(BodyMalformedError, RequestInvalidError):
        assert len(infer_request(body, header, LIMITS, 3).predict.texts) == 2


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/v2", Address("server")),
        ("/v2/health/live", Address("live")),
        ("/v2/health/ready", Address("ready")),
        ("/v2/models/a", Address("model", "a")),
        ("/v2/models/a/ready", Address("model_ready", "a")),
        ("/v2/models/a/infer", Address("infer", "a")),
        ("/v2/models/a/versions/0001", Address("model", "a", "0001")),
        ("/v2/models/a/versions/0001/ready", Address("model_ready", "a", "0001")),
        ("/v2/models/a/versions/0001/infer", Address("infer", "a", "0001")),
        ("/v2/models/versions/versions/versions", Address("model", "versions", "versions")),
    ],
)
def test_addresses_of_the_protocol(path: str, address: Address) -> None:
    assert find_address(path) == address


@pytest.mark.parametrize(
    "path",
    ["/v2/", "/v2/models", "/v2/models/", "/v2/models/a/", "/v2/models//infer", "/v2/models/a/versions",
     "/v2/models/a/versions/", "/v2/models/a/versions/1/", "/v2/models/a/versions//infer", "/v2/models/a/infer/x",
     "/v2/models/a/versions/1/infer/x", "/v2/models/a/load", "/v2/health", "/v1/models/a"],
)  # fmt: skip
def test_nothing_else_is_an_address(path: str) -> None:
    assert find_address(path) is None


def test_metadata_names_every_tensor_that_can_be_asked_for() -> None:
    found = model_metadata("support", ["0001"])
    outputs = found["outputs"]
    assert isinstance(outputs, list)
    body = {
        "inputs": [tensor()],
        "parameters": {"top_k": 2},
        "outputs": [{"name": output["name"]} for output in outputs],
    }
    assert len(infer_request(json.dumps(body).encode(), None, LIMITS, 3).outputs) == len(outputs) == 6
