"""`perennial replay`: send a file of texts to a running service, as production would, with feedback."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.progress import Progress

from cli.console import console, print_fields, print_json
from contracts.errors import PerennialError
from service.settings import VARIABLES

API_KEY_VARIABLE = "PERENNIAL_API_KEY"
_RETRIES = 5
_MOST_AT_ONCE = 1000
_UNAUTHORIZED = 401
_KEY_REMEDY = f"Give a key: {API_KEY_VARIABLE} in the environment, or --api-key."


class ReplayError(PerennialError):
    """Traffic that could not be sent."""


@dataclass
class Outcome:
    """What came back. Accuracies are shares 0..1 over the texts that were answered."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    feedback: int = 0
    accuracy: float | None = None
    seconds: float = 0.0
    versions: dict[str, int] = field(default_factory=dict)
    predicted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Traffic:
    """What to send, where, and how."""

    url: str
    task: str
    texts: Sequence[str]
    labels: Sequence[str] | None
    feedback_share: float
    concurrency: int
    rate: float | None
    seed: int
    api_key: str | None = field(default=None, repr=False)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("file", help="CSV, TSV, JSONL or Parquet with a text column")
    parser.add_argument("--task", help="the task to send to (default: the one that is served, if it is the only one)")
    parser.add_argument("--labels", action="store_true", help="the file has labels: measure accuracy, send feedback")
    parser.add_argument(
        "--feedback", type=float, default=1.0, metavar="SHARE", help="share of texts whose label is sent (default: 1)"
    )
    port = os.environ.get(VARIABLES["port"]) or "3000"
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="where the service is (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        metavar="SECRET",
        help=f"key of a service that asks for one (default: {API_KEY_VARIABLE}, which other users of this machine "
        "cannot read in the list of processes)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="send only the first N texts")
    parser.add_argument(
        "--rate", type=float, metavar="PER_SECOND", help="texts a second (default: as fast as answered)"
    )
    parser.add_argument(
        "--concurrency", type=int, default=8, metavar="N", help="requests under way at once (default: 8)"
    )
    parser.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    parser.add_argument("--label-column", default="label", metavar="NAME", help="default: label")
    parser.add_argument("--seed", type=int, default=13, help="chooses which texts get feedback")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(options: argparse.Namespace) -> int:
    """Exit code 0 when every text was answered, 1 otherwise."""
    from training.data.sources import read_rows, read_texts

    if (
        not 0.0 <= options.feedback <= 1.0
        or not 1 <= options.concurrency <= _MOST_AT_ONCE
        or (options.rate is not None and not options.rate > 0)
        or (options.limit is not None and options.limit < 1)
    ):
        raise ReplayError(
            f"--feedback is a share from 0 to 1; --concurrency from 1 to {_MOST_AT_ONCE}; --rate above 0; "
            "--limit at least 1."
        )
    if not options.file.startswith("hf:") and not Path(options.file).exists():
        raise ReplayError(f"{options.file}: no such file. Name a CSV, TSV, JSONL or Parquet file with texts.")
    labels = None
    if options.labels:
        rows = read_rows(
            options.file, text_column=options.text_column, label_column=options.label_column, by_option=True
        )
        texts, labels = [row.text for row in rows], [row.label for row in rows][: options.limit]
    else:
        texts = read_texts(options.file, text_column=options.text_column, by_option=True)
    url = _checked(options.url)
    api_key = _usable(options.api_key or os.environ.get(API_KEY_VARIABLE))
    traffic = Traffic(
        url=url,
        task=options.task or _only_task(url, api_key),
        texts=texts[: options.limit],
        labels=labels,
        feedback_share=options.feedback,
        concurrency=options.concurrency,
        rate=options.rate,
        seed=options.seed,
        api_key=api_key,
    )
    outcome = asyncio.run(send(traffic, show_progress=not options.json))
    if options.json:
        print_json(asdict(outcome))
    else:
        print_fields(_fields(outcome))
    return 0 if outcome.refused == 0 else 1


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        # Asked for because that is what raises an error for a port beyond 65535.
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ReplayError(f"--url: expected a URL such as http://127.0.0.1:3000, found {url!r}.")
    return url.rstrip("/")


def _usable(api_key: str | None) -> str | None:
    """Raises ReplayError for what no header can carry, without showing it."""
    if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ReplayError(f"{API_KEY_VARIABLE} or --api-key: expected visible ASCII characters. Look for a line's end.")
    return api_key or None


def _headers(api_key: str | None) -> dict[str, str]:
    return {"x-api-key": api_key} if api_key else {}


async def send(traffic: Traffic, *, show_progress: bool) -> Outcome:
    """Send every text as a request of its own, then its feedback; returns what came back.

    Raises ReplayError when the service cannot be reached, or refuses for a reason that will not pass (4xx).
    """
    outcome = Outcome(sent=len(traffic.texts))
    rng = random.Random(traffic.seed)
    with_feedback = [traffic.labels is not None and rng.random() < traffic.feedback_share for _ in traffic.texts]
    counted = {"right": 0}
    versions: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    started = time.monotonic()
    indices = iter(range(len(traffic.texts)))
    with Progress(console=console(), disable=not show_progress or not console().is_terminal) as progress:
        bar = progress.add_task("replay", total=len(traffic.texts))

        async def work(client: httpx.AsyncClient) -> None:
            for index in indices:
                if traffic.rate is not None:
                    await asyncio.sleep(max(0.0, started + index / traffic.rate - time.monotonic()))
                body = await _post(client, f"/v1/models/{traffic.task}:predict", {"instances": [traffic.texts[index]]})
                progress.advance(bar)
                if body is None:
                    outcome.refused += 1
                    continue
                outcome.answered += 1
                prediction = _prediction(body, traffic.url)
                versions[prediction["version"]] += 1
                predicted[prediction["label"]] += 1
                if traffic.labels is None:
                    continue
                counted["right"] += prediction["label"] == traffic.labels[index]
                if with_feedback[index]:
                    item = {"id": prediction["id"], "label": traffic.labels[index]}
                    if await _post(client, f"/v1/models/{traffic.task}:feedback", {"items": [item]}) is not None:
                        outcome.feedback += 1

        headers = _headers(traffic.api_key)
        async with httpx.AsyncClient(base_url=traffic.url, headers=headers, timeout=30.0) as client:
            await asyncio.gather(*(work(client) for _ in range(traffic.concurrency)))
    outcome.seconds = time.monotonic() - started
    outcome.versions = dict(sorted(versions.items()))
    outcome.predicted = dict(predicted.most_common())
    if traffic.labels is not None and outcome.answered:
        outcome.accuracy = counted["right"] / outcome.answered
    return outcome


async def _post(client: httpx.AsyncClient, path: str, payload: dict[str, object]) -> dict[str, Any] | None:
    """The answer's body, or None when the service was too busy every time (503)."""
    for attempt in range(_RETRIES):
        try:
            response = await client.post(path, json=payload)
        except httpx.HTTPError as error:
            raise _absent(str(client.base_url), error) from error
        if response.status_code in (429, 503):
            # Retry-After may be a date, too.
            wanted = response.headers.get("retry-after", "1")
            await asyncio.sleep(min(5.0, float(wanted) if wanted.isdecimal() else 1.0) * (attempt + 1) / 2)
            continue
        if response.is_success:
            try:
                body = response.json()
            except ValueError:
                body = None
            if not isinstance(body, dict):
                raise _foreign(str(client.base_url))
            return body
        remedy = f" {_KEY_REMEDY}" if response.status_code == _UNAUTHORIZED else ""
        raise ReplayError(f"The service refused {path} with {response.status_code}: {_detail(response)}{remedy}")
    return None


def _only_task(url: str, api_key: str | None) -> str:
    """The task that a service serves. Raises ReplayError when there are others, or none."""
    try:
        models = (
            httpx.get(f"{url}/v1/models", headers=_headers(api_key), timeout=30.0).raise_for_status().json()["models"]
        )
        served = sorted(str(model["name"]) for model in models if model["version"] is not None)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == _UNAUTHORIZED:
            raise ReplayError(f"{url}: {_detail(error.response)} {_KEY_REMEDY}") from error
        raise _foreign(url) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(url) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _absent(url, error) from error
    if len(served) != 1:
        raise ReplayError(f"Expected one served task at {url}, found: {', '.join(served) or 'none'}. Name it: --task.")
    return served[0]


def _prediction(body: dict[str, Any], url: str) -> dict[str, str]:
    try:
        found = body["predictions"][0]
        return {"id": str(found["id"]), "label": _label(found), "version": str(body["model_version"])}
    except (KeyError, IndexError, TypeError) as error:
        raise _foreign(url) from error


def _label(found: dict[str, Any]) -> str:
    """What was answered, in one word, as the prediction log has it."""
    if "entities" in found:
        return "+".join(sorted({str(entity["label"]) for entity in found["entities"]})) or "none"
    if "embedding" in found:
        return "vector"
    return str(found["label"])


def _absent(url: str, error: Exception) -> ReplayError:
    return ReplayError(
        f"Expected a Perennial service at {url}, found none ({type(error).__name__}). "
        "Start one with `perennial serve` or `perennial up`, or say with --url where it is."
    )


def _foreign(url: str) -> ReplayError:
    return ReplayError(f"Expected a Perennial service at {url}, found another program that answers there. Check --url.")


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return response.text[:300]
    if not isinstance(problem, dict):
        return str(problem)[:500]
    return str(problem.get("detail") or problem.get("title") or problem)[:500]


def _fields(outcome: Outcome) -> dict[str, str]:
    fields = {
        "sent": str(outcome.sent),
        "answered": f"{outcome.answered} in {outcome.seconds:.1f} s"
        + (f" ({outcome.answered / outcome.seconds:.0f} a second)" if outcome.seconds > 0 else ""),
        "refused": str(outcome.refused),
        "feedback": str(outcome.feedback),
        "releases": ", ".join(f"{version} ({count})" for version, count in outcome.versions.items()) or "none",
    }
    if outcome.accuracy is not None:
        fields["accuracy"] = f"{outcome.accuracy:.3f}"
    return fields
