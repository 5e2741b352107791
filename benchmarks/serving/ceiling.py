"""The ceiling: onnxruntime in one process, without a server, over the same texts.

`python -m benchmarks.serving.ceiling RELEASE` reads texts as a JSON list from standard input, and writes texts a second
in length-sorted batches on all cores, and the median time of one text (tokenized and run), as JSON. Of the ways to use
the cores (one run on all of them, or one run on each), of batch sizes, and of spinning or not, the best counts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from contracts.onnx_sessions import SLOW_FUSIONS
from contracts.release import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE

_runtime: Any = onnxruntime  # its type information does not say what the package exports
_BATCHES = (4, 16, 64)
_ALONE = 300

Feed = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Ceiling:
    """What the model can do on this machine."""

    texts_per_second: float
    one_text_ms: float  # tokenize and run, median
    cpu_ms: float  # a text, at texts_per_second
    way: str  # that was best for many
    one_text_way: str


def measure(release: Path, texts: Sequence[str]) -> Ceiling:
    """All ways of using the cores, one after the other."""
    manifest = json.loads((release / MANIFEST_FILE).read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(release / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.enable_truncation(manifest["max_tokens"])
    types = bool(manifest["token_type_ids"])
    rows = sorted((encoding.ids for encoding in tokenizer.encode_batch(list(texts))), key=len)
    cores = len(os.sched_getaffinity(0))
    many: list[tuple[float, float, str]] = []
    one: list[tuple[float, str]] = []
    for threads, runs, spinning in ((1, cores, False), (cores, 1, False), (cores, 1, True)):
        session = _session(release / MODEL_FILE, threads, spinning=spinning)
        way = f"{runs} runs of {threads} threads{', spinning' if spinning else ''}"
        for size in _BATCHES:
            feeds = [_feed(rows[first : first + size], types) for first in range(0, len(rows), size)]
            many.append((*_many(session, feeds, len(rows), runs), f"{way}, batches of {size}"))
        one.append((_one(session, tokenizer, texts[:_ALONE], types), way))
    rate, cpu, way = max(many)
    milliseconds, one_way = min(one)
    return Ceiling(rate, milliseconds, cpu, way, one_way)


def _session(model: Path, threads: int, *, spinning: bool) -> Any:
    options = _runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    return _runtime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
    )


def _feed(rows: Sequence[list[int]], types: bool) -> Feed:
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)
    mask = (np.arange(width) < np.array([[len(row)] for row in rows])).astype(np.int64)
    return {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": np.zeros_like(ids)} if types else {})


def _many(session: Any, feeds: Sequence[Feed], texts: int, runs: int) -> tuple[float, float]:
    """Texts a second, and milliseconds of CPU a text."""
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda feed: session.run(["logits"], feed), feeds[: 4 * runs]))
        started, cpu = time.perf_counter(), time.process_time()
        list(pool.map(lambda feed: session.run(["logits"], feed), feeds))
        seconds = time.perf_counter() - started
    return texts / seconds, 1000 * (time.process_time() - cpu) / texts


def _one(session: Any, tokenizer: Tokenizer, texts: Sequence[str], types: bool) -> float:
    """Median milliseconds of one text, one after the other."""
    taken: list[float] = []
    for text in texts:
        started = time.perf_counter()
        session.run(["logits"], _feed([tokenizer.encode(text).ids], types))
        taken.append(1000 * (time.perf_counter() - started))
    return float(np.median(taken[len(taken) // 10 :]))


if __name__ == "__main__":
    json.dump(asdict(measure(Path(sys.argv[1]), json.load(sys.stdin))), sys.stdout)
