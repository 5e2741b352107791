"""What `training.job` does, without the training: a copy of the champion, with a comparison that the test planned.

The folder BEHAVIOUR holds `plan`, one word a line for each run: better, worse, gate, failed, die, hang, slow.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from contracts.files import locked, write_atomic
from contracts.home import Home
from contracts.release import MANIFEST_FILE, Comparison, Manifest, PairedOutcome
from contracts.release_store import list_versions, publish, read_manifest, staging
from contracts.retrain import LOCK_FILE, RESULT_FILE, JobResult, RetrainRequest, read_request, read_result

BETTER = PairedOutcome(both_right=20, champion_only=1, candidate_only=20, both_wrong=3)
WORSE = PairedOutcome(both_right=20, champion_only=15, candidate_only=2, both_wrong=7)
SAME = PairedOutcome(both_right=190, champion_only=1, candidate_only=1, both_wrong=8)


def main() -> int:
    folder, home = Path(sys.argv[1]), Home(Path(sys.argv[3]))
    behaviour = Path(os.environ["BEHAVIOUR"])
    with locked(folder / LOCK_FILE):
        if read_result(folder) is not None:
            return 0
        with (behaviour / "runs").open("a+") as runs:
            runs.write(f"{os.getpid()}\n")
            runs.seek(0)
            number = len(runs.read().splitlines())
        plan = (behaviour / "plan").read_text().splitlines()
        word = plan[min(number, len(plan)) - 1]
        print(f"run {number}: {word}", flush=True)
        request = read_request(folder)
        if word == "die":
            print("out of memory", flush=True)
            os._exit(137)
        if word in ("hang", "slow"):
            time.sleep(600 if word == "hang" else 0.5)
        _answer(home, folder, request, word)
    return 0


def _answer(home: Home, folder: Path, request: RetrainRequest, word: str) -> None:
    answer = JobResult(
        request_id=request.id, status="published", release=None, detail=word, finished=time.time(), seconds=1.0
    )
    if word in ("gate", "failed"):
        answer = answer.model_copy(update={"status": "refused" if word == "gate" else "failed"})
    else:
        candidate = _published(home, request) or _publish(home, request, WORSE if word == "worse" else BETTER)
        answer = answer.model_copy(update={"release": candidate.version})
    write_atomic(folder / RESULT_FILE, answer.model_dump_json().encode())


def _published(home: Home, request: RetrainRequest) -> Manifest | None:
    found = (read_manifest(home, request.task, version) for version in list_versions(home, request.task))
    return next((manifest for manifest in found if manifest.lineage.request_id == request.id), None)


def _publish(home: Home, request: RetrainRequest, fresh: PairedOutcome) -> Manifest:
    champion = read_manifest(home, request.task, request.parent)
    with staging(home, request.task) as staged:
        for path in home.release(request.task, request.parent).iterdir():
            if path.name != MANIFEST_FILE:
                shutil.copyfile(path, staged / path.name)
        lineage = champion.lineage.model_copy(update={"parent": request.parent, "request_id": request.id})
        comparison = Comparison(champion=request.parent, old_test=SAME, fresh=fresh)
        return publish(home, staged, champion.model_copy(update={"lineage": lineage, "comparison": comparison}))


if __name__ == "__main__":
    sys.exit(main())
