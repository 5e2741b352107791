"""One retraining: from a request's folder to a successor and `result.json`.

`python -m training.job REQUEST_FOLDER --home HOME`. Run again after a crash it carries on: a result that is there is
left alone, and a release that was published for the request is reported, not trained a second time.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import GateRefusedError, PerennialError
from contracts.files import locked, write_atomic
from contracts.home import Home
from contracts.retrain import (
    LOCK_FILE,
    REQUEST_FILE,
    RESULT_FILE,
    JobResult,
    read_request,
    read_result,
)

logger = logging.getLogger(__name__)


def run(home: Home, folder: Path, *, now: Callable[[], float] = time.time) -> JobResult:
    """Do what a request asks, once, and write its result: published, refused by the gate, or failed.

    Any error ends in a result that says so, since the controller waits for one.
    """
    with locked(folder / LOCK_FILE):
        if (earlier := read_result(folder)) is not None:
            return earlier
        started = now()
        attempt = _attempt(home, folder, now)
        finished = now()
        result = attempt.model_copy(update={"finished": finished, "seconds": max(0.0, finished - started)})
        write_atomic(folder / RESULT_FILE, result.model_dump_json(indent=2).encode())
        return result


def main(arguments: Sequence[str]) -> int:
    """0 when the request was answered with a release or a refusal, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m training.job", description="Run one retrain request.")
    parser.add_argument("folder", type=Path, help=f"the request's folder, which holds {REQUEST_FILE}")
    parser.add_argument("--home", help="the folder that the programs share (default: PERENNIAL_HOME)")
    given = parser.parse_args(arguments)
    # Read when torch is first imported. A job shares its machine with the service, and threads that spin while they
    # wait for each other cost both most of their speed there.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not given.folder.is_dir():
        print(f"{given.folder}: expected a retrain request's folder, found none. Name one.", file=sys.stderr)
        return 1
    try:
        result = run(Home.from_environment(os.environ, given.home), given.folder.resolve())
    except PerennialError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{result.status}: {result.detail}", file=sys.stderr)
    return 1 if result.status == "failed" else 0


def _attempt(home: Home, folder: Path, now: Callable[[], float]) -> JobResult:
    answer = JobResult(request_id=folder.name, status="failed", detail="", finished=0.0, seconds=0.0)
    try:
        # Here, because this loads torch, before which `main` has a setting to make.
        from training.retraining import describe, find_published, retrain

        request = read_request(folder)
        manifest = find_published(home, request) or retrain(home, request, folder, now)
    except GateRefusedError as error:
        return answer.model_copy(update={"status": "refused", "detail": str(error)})
    except PerennialError as error:
        return answer.model_copy(update={"detail": str(error)})
    except Exception as error:
        logger.exception("retraining for request %s", folder.name)
        detail = f"Unexpected {type(error).__name__}: {error}. The job's output has the whole of it."
        return answer.model_copy(update={"detail": detail})
    return answer.model_copy(update={"status": "published", "release": manifest.version, "detail": describe(manifest)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
