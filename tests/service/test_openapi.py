"""The OpenAPI document: true to itself here, true to a real server below."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import LimitSpec
from service import __version__
from service.http.bodies import feedback_items, predict_request
from service.http.docs_page import DOCS_PAGE, DOCS_POLICY
from service.http.embeddings import read_embeddings
from service.http.open_inference import infer_request
from service.http.openapi import openapi_document
from service.http.problems import TABLE

# As whoever fetches it sees it.
DOCUMENT: dict[str, Any] = json.loads(orjson.dumps(openapi_document(["support"], "0.1.0")))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def references(found: object) -> set[str]:
    if isinstance(found, dict):
        own = {found["$ref"]} if "$ref" in found else set()
        return own.union(*(references(value) for value in found.values()))
    return set().union(*(references(value) for value in found)) if isinstance(found, list) else set()


def test_every_reference_leads_somewhere_and_every_part_is_used() -> None:
    parts = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "parameters")
        for name in DOCUMENT["components"][kind]
    }
    wanted = references(DOCUMENT)
    assert wanted <= parts
    assert parts - wanted == set()


@pytest.mark.parametrize("name", [name for name in SCHEMAS if "examples" in SCHEMAS[name]])
def test_examples_are_what_their_schema_says(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    for example in SCHEMAS[name]["examples"]:
        assert list(jsonschema_rs.Draft202012Validator(schema).iter_errors(example)) == []


def test_examples_of_requests_are_accepted() -> None:
    limits = LimitSpec()
    for example in SCHEMAS["PredictRequest"]["examples"]:
        assert predict_request(json.dumps(example).encode(), limits, 3).texts
    for example in SCHEMAS["QuestionsRequest"]["examples"]:
        assert predict_request(json.dumps(example).encode(), limits, 0, asks=True).texts
    for example in SCHEMAS["EmbeddingsRequest"]["examples"]:
        assert read_embeddings(json.dumps(example).encode()).inputs
    for example in SCHEMAS["InferRequest"]["examples"]:
        assert infer_request(json.dumps(example).encode(), None, limits, 3).predict.texts
    for example in SCHEMAS["Feedback"]["examples"]:
        assert feedback_items(json.dumps(example).encode(), ("billing",))


def test_every_status_of_a_problem_is_documented() -> None:
    documented = {int(name.removeprefix("Problem")) for name in DOCUMENT["components"]["responses"] if "Prob" in name}
    # Heads that are too slow or too large are refused before there is a route.
    assert {status for status, _, _ in TABLE.values()} - {431} <= documented


def test_refusals_are_shown_as_they_are_told() -> None:
    found = json.loads(orjson.dumps(openapi_document(["tickets", "orders"], "0.1.0")))
    types = {f"urn:perennial:problem:{name}": (status, title) for status, name, title in TABLE.values()}
    types["urn:perennial:problem:internal-error"] = (500, "The service failed")
    shown: dict[str, set[str]] = {}
    for name, response in found["components"]["responses"].items():
        ((media, content),) = response["content"].items()
        schema = {**content["schema"], "components": found["components"]}
        for example in content.get("examples", {}).values():
            value = example["value"]
            assert list(jsonschema_rs.Draft202012Validator(schema).iter_errors(value)) == []
            if media == "application/problem+json":
                assert types[value["type"]] == (value["status"], value["title"])
                assert name == f"Problem{value['status']}"
                shown.setdefault(name, set()).add(value["type"].rsplit(":", 1)[1])
        # What is unexpected there is BentoML's to tell.
        assert "examples" in content or name == "Typed500"
    assert shown["Problem400"] == {"malformed-json", "invalid-header"}
    assert shown["Problem404"] == {"unknown-task", "version-not-served", "unknown-prediction", "unknown-route"}
    assert shown["Problem503"] == {"task-not-served", "queue-full", "stopping", "not-ready"}


def test_examples_name_a_task_that_is_served() -> None:
    found = json.dumps(openapi_document(["tickets"], "0.1.0"))
    assert "/v1/models/tickets:predict" in found
    assert re.search(r"\bsupport\b", found) is None


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for path in DOCUMENT["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names)) == 23


def test_the_page_names_no_other_host() -> None:
    assert b"://" not in DOCS_PAGE
    assert b"://" not in DOCS_POLICY


def test_the_page_gives_descriptions_of_groups_a_line_of_their_own_on_narrow_screens() -> None:
    assert b"style-src 'self' 'unsafe-inline'" in DOCS_POLICY
    assert re.search(
        rb"<style>\s*@media \(max-width: 640px\) {\s*.swagger-ui .opblock-tag { flex-wrap: wrap; }", DOCS_PAGE
    )


def test_a_server_does_what_the_document_says(
    tmp_path: Path, release_served: Callable[..., Manifest], start_server: Callable[..., Any]
) -> None:
    home = Home(tmp_path / "home")
    release_served(home)
    server = start_server(home)
    folder = Path(__file__).parent
    command = [str(Path(sys.executable).with_name("st")), "--config-file", str(folder / "schemathesis.toml")]
    done = subprocess.run(
        [*command, "run", f"{server.url}/openapi.json"],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, "\n".join(line[:1000] for line in (done.stdout + done.stderr).splitlines())
    assert "Selected: 23/23" in done.stdout
    assert "Traceback" not in server.output()


def test_every_page_of_the_document_is_served(shared: Any) -> None:
    served = shared.get("/openapi.json").json()
    assert served["openapi"] == "3.1.0"
    assert set(served["components"]["parameters"]["Task"]["examples"]) == {"orders", "support"}
    assert shared.get("/docs.json").json() == served
    page = shared.get("/docs")
    assert page.headers["content-security-policy"].encode() == DOCS_POLICY
    for address in re.findall(r'(?:src|href)="(static_content/[^"]+)"', page.text):
        assert shared.get(f"/{address}").status_code == 200, address


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert __version__ == project["project"]["version"]


def test_what_the_document_calls_open_needs_no_key_and_all_else_does(
    tmp_path: Path, release_served: Callable[..., Manifest], start_server: Callable[..., Any]
) -> None:
    home = Home(tmp_path / "home")
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_API_KEYS": "shop:a-secret-of-the-shop"})
    for path, methods in DOCUMENT["paths"].items():
        address = server.url + path.replace("{task}", "support").replace("{version}", "0001")
        for method in methods.keys() - {"parameters"}:
            operation = methods[method]
            response = server.client.request(method, address)
            expected = 200 if operation.get("security") == [] else 401
            assert response.status_code == expected, path
            if expected == 401 and "401" in operation["responses"]:
                refusal = DOCUMENT["components"]["responses"][operation["responses"]["401"]["$ref"].rsplit("/", 1)[1]]
                assert list(refusal["content"]) == [response.headers["content-type"]], path
            known = server.client.request(method, address, headers={"x-api-key": "a-secret-of-the-shop"})
            assert known.status_code != 401, path
