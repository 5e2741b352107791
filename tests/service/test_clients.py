"""Other people's clients, unchanged, against a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import LimitSpec


@pytest.fixture
def triton(shared: Any) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(shared.url.removeprefix("http://"))
    yield client
    client.close()


def texts(*found: str, column: bool = False, binary: bool = True) -> list[InferInput]:
    array = np.array([text.encode() for text in found], dtype=np.object_)
    array = array.reshape(-1, 1) if column else array
    tensor = InferInput("text", list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return [tensor]


def test_triton_sees_what_is_served(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("support")
    assert triton.is_model_ready("support", "0001")
    assert not triton.is_model_ready("support", "0009")
    assert not triton.is_model_ready("broken")
    assert not triton.is_model_ready("nobody")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    found = triton.get_model_metadata("support", "0001")
    assert found["versions"] == ["0001"]
    assert found["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("column", [True, False])
@pytest.mark.parametrize("version", ["", "0001"])
def test_triton_gets_labels(triton: InferenceServerClient, binary: bool, column: bool, version: str) -> None:
    found = triton.infer(
        "support",
        texts("my invoice", "the courier is late, größer als", column=column, binary=binary),
        model_version=version,
        request_id="r-17",
        timeout=30_000_000,
    )
    assert found.as_numpy("label").tolist() == [b"billing", b"delivery"]
    assert found.as_numpy("score").dtype == np.float32
    assert (found.as_numpy("score") > 0.5).all()
    assert found.as_numpy("truncated").tolist() == [False, False]
    assert len(set(found.as_numpy("id"))) == 2
    assert found.get_response()["id"] == "r-17"
    assert found.get_response()["model_version"] == "0001"


def test_triton_gets_the_outputs_that_it_names(triton: InferenceServerClient) -> None:
    wanted = [InferRequestedOutput("labels"), InferRequestedOutput("scores", binary_data=False)]
    found = triton.infer("support", texts("invoice", "parcel"), outputs=wanted, parameters={"top_k": 2, "key": "c-17"})
    assert found.as_numpy("labels").shape == found.as_numpy("scores").shape == (2, 2)
    assert found.as_numpy("labels")[:, 0].tolist() == [b"billing", b"delivery"]
    scores = found.as_numpy("scores")
    assert (scores[:, 0] >= scores[:, 1]).all()
    assert found.as_numpy("label") is None
    everything = triton.infer("support", texts("invoice"), parameters={"top_k": 99})
    assert everything.as_numpy("scores").shape == (1, 3)
    assert everything.as_numpy("scores").sum() == pytest.approx(1, abs=1e-5)


def test_feedback_on_what_triton_was_answered(triton: InferenceServerClient, shared: Any) -> None:
    identifier = triton.infer("support", texts("invoice")).as_numpy("id")[0].decode()
    assert shared.feedback((identifier, "billing")).json() == {"accepted": 1}


def test_triton_reads_our_refusals(triton: InferenceServerClient) -> None:
    def refused(*arguments: Any, **options: Any) -> InferenceServerException:
        with pytest.raises(InferenceServerException) as caught:
            triton.infer(*arguments, **options)
        return caught.value

    unknown = refused("nobody", texts("invoice"))
    assert unknown.status() == "404"
    assert "There are: " in unknown.message()
    assert refused("support", texts("invoice"), model_version="0009").status() == "404"
    assert refused("broken", texts("invoice")).status() == "503"
    empty = refused("support", texts("invoice", " "))
    assert empty.status() == "400"
    assert "element 1" in empty.message()
    assert refused("support", texts(*["invoice"] * 9)).status() == "400"
    assert "sequence_id" in refused("support", texts("invoice"), sequence_id=7).message()
    assert refused("support", texts("invoice"), request_compression_algorithm="gzip").status() == "415"


def test_a_web_pages_form_cannot_pass_for_tensors(shared: Any) -> None:
    body = b'{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["invoice"]}]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        response = shared.client.post(
            f"{shared.url}/v2/models/support/infer", content=body, headers={"content-type": kind}
        )
        assert (response.status_code, list(response.json())) == (415, ["error"])


def test_refusals_under_v2_are_the_protocols(shared: Any) -> None:
    for method, path, status in (
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/support/infer", 405),
        ("POST", "/v2", 405),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/support/versions/x", 404),
    ):
        response = shared.client.request(method, shared.url + path)
        assert (response.status_code, list(response.json())) == (status, ["error"]), path
        assert ("allow" in response.headers) == (status == 405)


def test_bentomls_client_is_typed(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    import bentoml

    with bentoml.SyncHTTPClient(shared.url, timeout=30) as client:
        found = client.predict(task="support", instances=["invoice", "parcel"])
        assert [one["label"] for one in found["predictions"]] == ["billing", "delivery"]
        assert found["model_version"] == "0001"
        with pytest.raises(bentoml.exceptions.BentoMLException, match="There are: "):
            client.predict(task="nobody", instances=["invoice"])
        with pytest.raises(bentoml.exceptions.ServiceUnavailable, match="Task broken is not served yet: "):
            client.predict(task="broken", instances=["invoice"])


def test_options_of_a_request_over_http(shared: Any) -> None:
    def ask(body: dict[str, object]) -> httpx.Response:
        return shared.client.post(f"{shared.url}/v1/models/support:predict", json=body)

    identifier = f"order:{os.getpid()}"
    body = {"instances": [{"text": "invoice", "id": identifier}, "parcel"], "parameters": {"all_scores": True}}
    first, second = ask(body).json()["predictions"]
    assert first["id"] == identifier
    assert len(second["id"]) == 26
    assert [len(one["scores"]) for one in (first, second)] == [3, 3]
    assert first["scores"][0] == {"label": "billing", "score": pytest.approx(first["score"], abs=1e-6)}
    assert len(ask({"instances": ["invoice"], "parameters": {"top_k": 2}}).json()["predictions"][0]["scores"]) == 2
    assert "scores" not in ask({"instances": ["invoice"]}).json()["predictions"][0]
    assert ask({"instances": ["invoice"], "parameters": {"version": "0001"}}).json()["model_version"] == "0001"
    assert ask({"instances": ["invoice"], "parameters": {"version": "0002"}}).status_code == 404
    assert shared.feedback((identifier, "billing")).status_code == 202


def test_long_texts_are_cut_and_said_to_be(
    tmp_path: Path, release_served: Callable[..., Manifest], start_server: Callable[..., Any]
) -> None:
    home = Home(tmp_path)
    release_served(home, limits=LimitSpec(max_text_chars=40, long_texts="truncate"))
    server = start_server(home)
    long, short = server.predict("invoice " + "x" * 100, "invoice").json()["predictions"]
    assert long["label"] == short["label"] == "billing"
    assert long["truncated"] is True
    assert "truncated" not in short
