"""A running service as `perennial replay` meets it: what it is asked, and what its answers and refusals mean."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from contracts.errors import PerennialError

API_KEY_VARIABLE = "PERENNIAL_API_KEY"
_RETRIES = 5
_TIMEOUT_SECONDS = 30.0
_UNAUTHORIZED = 401
_BUSY = (429, 503)
# Of this body: another one may be answered.
_OF_ONE_BODY = (413, 422)
_KEY_REMEDY = f"Give a key: {API_KEY_VARIABLE} in the environment, or --api-key."


class ReplayError(PerennialError):
    """Traffic that could not be sent."""


@dataclass(frozen=True)
class Endpoint:
    """Where a service is, and the key that it is asked with, if any. Raises ReplayError for what cannot be used."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_key(self.api_key)

    def client(self) -> httpx.AsyncClient:
        """For `post`; to be closed by who asked for it."""
        return httpx.AsyncClient(base_url=self.url, headers=self._headers, timeout=_TIMEOUT_SECONDS)

    def only_task(self) -> str:
        """The task that is served. Raises ReplayError when there are others, or none."""
        response = self._get("/v1/models")
        try:
            models = response.raise_for_status().json()["models"]
            served = sorted(str(model["name"]) for model in models if model["version"] is not None)
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
            raise foreign(self.url) from error
        if len(served) != 1:
            found = ", ".join(served) or "none"
            raise ReplayError(f"Expected one served task at {self.url}, found: {found}. Name it: --task.")
        return served[0]

    def kind_of(self, task: str) -> str | None:
        """What the task is for; None where the service does not tell. Raises ReplayError when there is no service."""
        response = self._get(f"/v1/models/{task}")
        shown = _json(response) if response.is_success else None
        return str(shown["kind"]) if isinstance(shown, dict) and shown.get("kind") else None

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self.api_key} if self.api_key else {}

    def _get(self, path: str) -> httpx.Response:
        try:
            response = httpx.get(self.url.rstrip("/") + path, headers=self._headers, timeout=_TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _absent(self.url, error) from error
        if response.status_code == _UNAUTHORIZED:
            raise ReplayError(f"{self.url}: {_detail(response)} {_KEY_REMEDY}")
        return response


@dataclass(frozen=True)
class Refusal:
    """Why one body was not taken. `busy`: it might be another time."""

    reason: str
    busy: bool


@dataclass(frozen=True)
class Predicted:
    """One answer, its label in one word as the prediction log has it."""

    id: str
    label: str
    version: str


async def post(client: httpx.AsyncClient, path: str, payload: dict[str, object]) -> dict[str, Any] | Refusal:
    """The answer's body, or why this one was not taken: the service was too busy each time, or it cannot be (422).

    Raises ReplayError when there is no service, or it refuses for a reason that concerns all.
    """
    url = str(client.base_url)
    for attempt in range(_RETRIES):
        try:
            response = await client.post(path, json=payload)
        except httpx.HTTPError as error:
            raise _absent(url, error) from error
        if response.status_code in _BUSY:
            # Retry-After may be a date, too.
            wanted = response.headers.get("retry-after", "1")
            await asyncio.sleep(min(5.0, float(wanted) if wanted.isdecimal() else 1.0) * (attempt + 1) / 2)
            continue
        if response.is_success:
            body = _json(response)
            if not isinstance(body, dict):
                raise foreign(url)
            return body
        if response.status_code in _OF_ONE_BODY:
            return Refusal(_detail(response), busy=False)
        remedy = f" {_KEY_REMEDY}" if response.status_code == _UNAUTHORIZED else ""
        raise ReplayError(f"The service refused {path} with {response.status_code}: {_detail(response)}{remedy}")
    told = f"too busy each of {_RETRIES} times ({response.status_code}). {_detail(response)}"
    return Refusal(told.strip(), busy=True)


def predicted(body: dict[str, Any], url: str) -> Predicted:
    """The one answer that a body holds. Raises ReplayError when it does not."""
    try:
        found = body["predictions"][0]
        return Predicted(id=str(found["id"]), label=label_of(found), version=str(body["model_version"]))
    except (KeyError, IndexError, TypeError) as error:
        raise foreign(url) from error


def label_of(found: dict[str, Any]) -> str:
    """What was answered, in one word, as the prediction log has it."""
    if "entities" in found:
        return "+".join(sorted({str(entity["label"]) for entity in found["entities"]})) or "none"
    if "embedding" in found:
        return "vector"
    return str(found["label"])


def foreign(url: str) -> ReplayError:
    """The error for answers that are none of a Perennial service."""
    return ReplayError(f"Expected a Perennial service at {url}, found another program that answers there. Check --url.")


def _absent(url: str, error: Exception) -> ReplayError:
    return ReplayError(
        f"Expected a Perennial service at {url}, found none ({type(error).__name__}). "
        "Start one with `perennial serve` or `perennial up`, or say with --url where it is."
    )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        # Asked for because that is what raises an error for a port beyond 65535.
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ReplayError(f"--url: expected a URL such as http://127.0.0.1:3000, found {url!r}.")


def _check_key(api_key: str | None) -> None:
    """Raises ReplayError for what no header can carry, without showing it."""
    if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ReplayError(f"{API_KEY_VARIABLE} or --api-key: expected visible ASCII characters. Look for a line's end.")


def _json(response: httpx.Response) -> object:
    """None for what is no JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def _detail(response: httpx.Response) -> str:
    """What the service says is wrong; of several things the first, without its place in a body nobody has seen."""
    problem = _json(response)
    if problem is None:
        return response.text[:300]
    if not isinstance(problem, dict):
        return str(problem)[:500]
    errors = problem.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    told = first.get("detail") if isinstance(first, dict) else None
    return str(told or problem.get("detail") or problem.get("title") or problem)[:500]
