"""Triton's client, unchanged, asks tasks of every kind over the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

LONG = "please " * 60 + "is late my tuesday ? " + "help " * 60


def predictions(server: Any, task: str, *instances: object) -> list[dict[str, Any]]:
    """The same over /v1."""
    body = {"instances": list(instances)}
    found: list[dict[str, Any]] = server.client.post(f"{server.url}/v1/models/{task}:predict", json=body).json()[
        "predictions"
    ]
    return found


@pytest.fixture
def triton(server: Any) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def tensor_of(name: str, *texts: str, binary: bool = True, column: bool = False) -> InferInput:
    array = np.array([text.encode() for text in texts], dtype=np.object_)
    array = array.reshape(-1, 1) if column else array
    tensor = InferInput(name, list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def texts_of(*texts: str) -> list[InferInput]:
    return [tensor_of("text", *texts)]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_gets_entities_and_several_labels(triton: InferenceServerClient, binary: bool) -> None:
    text = "My  parcel, is of Rome — Paris!"
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("entities", "truncated", "id")]
    found = triton.infer("names", texts_of(text, "hello ?"), outputs=wanted)
    entities = [json.loads(one) for one in found.as_numpy("entities")]
    assert [(one["text"], one["label"]) for one in entities[0]] == [
        ("parcel", "way"),
        ("Rome", "place"),
        ("Paris", "place"),
    ]
    assert text[entities[0][0]["start"] : entities[0][0]["end"]] == "parcel"
    assert entities[1] == []
    assert found.as_numpy("truncated").tolist() == [False, False]

    several = triton.infer("several", texts_of("refund for my parcel", "the my"), parameters={"top_k": 3})
    assert several.as_numpy("label").tolist() == [b"billing+delivery", b"none"]
    both, none = (json.loads(one) for one in several.as_numpy("labels"))
    assert [one["label"] for one in both] == ["billing", "delivery"]
    assert none == []
    assert several.as_numpy("ranked_labels").shape == several.as_numpy("ranked_scores").shape == (2, 3)
    assert several.as_numpy("ranked_labels")[0, 2] == b"other"
    assert several.as_numpy("ranked_scores")[0, 2] == pytest.approx(0.5)


def test_triton_is_told_the_tensors_of_each_kind(triton: InferenceServerClient) -> None:
    def outputs(task: str) -> dict[str, tuple[str, list[int]]]:
        found = triton.get_model_metadata(task)["outputs"]
        return {one["name"]: (one["datatype"], one["shape"]) for one in found}

    always = {"id": ("BYTES", [-1]), "truncated": ("BOOL", [-1])}
    assert outputs("names") == {"entities": ("BYTES", [-1]), **always}
    assert outputs("several") == {
        "label": ("BYTES", [-1]),
        "score": ("FP32", [-1]),
        "labels": ("BYTES", [-1]),
        **always,
        "ranked_labels": ("BYTES", [-1, -1]),
        "ranked_scores": ("FP32", [-1, -1]),
    }
    with pytest.raises(InferenceServerException, match="ranked_scores need the parameter top_k"):
        triton.infer("several", texts_of("refund"), outputs=[InferRequestedOutput("ranked_labels")])
    with pytest.raises(InferenceServerException, match="Expected one of entities, id, truncated"):
        triton.infer("names", texts_of("rome"), outputs=[InferRequestedOutput("label")])


@pytest.mark.parametrize("binary", [True, False])
def test_triton_gets_vectors(triton: InferenceServerClient, server: Any, binary: bool) -> None:
    wanted = [InferRequestedOutput("embedding", binary_data=binary)]
    found = triton.infer("search", [tensor_of("text", "my invoice", "hello", binary=binary)], outputs=wanted)
    vectors = found.as_numpy("embedding")
    assert (vectors.shape, vectors.dtype) == ((2, 3), np.float32)
    answered = predictions(server, "search", "my invoice", "hello")
    np.testing.assert_allclose(vectors, [one["embedding"] for one in answered], atol=1e-6)
    outputs = {one["name"]: one["shape"] for one in triton.get_model_metadata("search")["outputs"]}
    assert outputs == {"embedding": [-1, 3], "id": [-1], "truncated": [-1]}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("binary", "other", "column"), [(True, True, False), (True, False, True), (False, True, False)]
)
def test_triton_gets_answers(
    triton: InferenceServerClient, server: Any, binary: bool, other: bool, column: bool, turned: bool
) -> None:
    contexts = ["My parcel —  is it late, this Tuesday?", LONG, "hello, and thanks"]
    inputs = [
        tensor_of("question", "When is\nit?", "When is it?", "When?", binary=binary),
        tensor_of("context", *contexts, binary=other, column=column),
    ]
    found = triton.infer("wiki", inputs[::-1] if turned else inputs, model_version="0001", request_id="r-1")
    assert [one.decode() for one in found.as_numpy("answer")] == ["late, this Tuesday", "late my tuesday", ""]
    assert found.as_numpy("start").dtype == found.as_numpy("end").dtype == np.int64
    for row, context in enumerate(contexts):
        start, end = found.as_numpy("start")[row], found.as_numpy("end")[row]
        assert context[start:end] == found.as_numpy("answer")[row].decode()
    assert found.as_numpy("score")[0] > 0.9
    questions = [{"question": "When is it?", "context": context} for context in contexts[:2]]
    answered = predictions(server, "wiki", *questions)
    np.testing.assert_allclose(found.as_numpy("score")[:2], [one["score"] for one in answered], atol=1e-5)
    assert [one["name"] for one in triton.get_model_metadata("wiki")["inputs"]] == ["question", "context"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([tensor_of("text", "When?")], "#/inputs: Expected 2 tensors, `question` and `context`; found 1 tensors."),
        ([tensor_of("question", "a"), tensor_of("question", "b")], '#/inputs/1/name: Expected "context"'),
        ([tensor_of("question", "a", "b"), tensor_of("context", "c")], "#/inputs: Expected as many values"),
        ([tensor_of("context", "a", "b"), tensor_of("question", "c", " ")], "#/inputs/1, element 1: Expected a text"),
        ([tensor_of("question", "a"), tensor_of("context", "c\0")], "#/inputs/1, element 0: Expected text; character"),
    ],
)
def test_triton_is_told_what_is_wrong_with_a_question(
    triton: InferenceServerClient, inputs: list[InferInput], words: str
) -> None:
    with pytest.raises(InferenceServerException) as caught:
        triton.infer("wiki", inputs)
    assert caught.value.status() == "400"
    assert words in caught.value.message()
