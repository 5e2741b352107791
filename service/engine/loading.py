"""From the files of a release to one that answers: onnxruntime and tokenizers, and nothing heavier."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from contracts.errors import ReleaseCorruptError
from contracts.home import Home
from contracts.onnx_sessions import SLOW_FUSIONS
from contracts.reference import load_reference
from contracts.release import MODEL_FILE, REFERENCE_FILE, TOKENIZER_FILE, Manifest
from contracts.release_store import verify_release
from service.engine.background import in_background
from service.engine.encoding import TextEncoder
from service.engine.model import WARM_UP_TEXT, LoadedRelease, graph_of
from service.errors import ModelOutputError

_runtime: Any = onnxruntime  # its type information does not say what the package exports

_PAUSE_SECONDS = 0.1
_ALIKE = 0.02


def load_release(
    home: Home,
    task: str,
    version: str,
    *,
    threads: int,
    sha256: str | None = None,
    serving: Sequence[LoadedRelease] = (),
    gently: bool = False,
) -> LoadedRelease:
    """Verify a release's checksums, load it, and answer one text with it.

    `threads` are those of a run on all cores; `sha256` is that of the manifest, where it is known. It takes
    over the tokenizer of a release that is `serving` already and has the same. `gently`, it is loaded in steps with
    pauses, the longest of them when nothing else wants the processor, so that no queue of theirs grows for long.
    Raises ReleaseNotFoundError or ReleaseCorruptError.
    """
    pause = _PAUSE_SECONDS if gently else 0.0
    run: Callable[[Callable[[], Any]], Any] = in_background if gently else operator.call
    manifest = verify_release(home, task, version, sha256=sha256)
    folder = home.release(task, version)
    try:
        time.sleep(pause)
        session = run(lambda: _session(folder / MODEL_FILE, 1))
        alike = _alike(manifest, session, serving) if gently else None
        wide_session = session
        if threads > 1 and (alike is None or alike.has_wide):
            time.sleep(pause)
            wide_session = run(lambda: _session(folder / MODEL_FILE, threads))
        time.sleep(pause)
        encoder = _encoder(folder, manifest, serving)
        release = LoadedRelease(manifest, session, wide_session, encoder, load_reference(folder / REFERENCE_FILE))
        for texts in ([WARM_UP_TEXT], [WARM_UP_TEXT, WARM_UP_TEXT * 3]):
            for all_cores in (False, True) if release.has_wide else (False,):
                found = release.predict([encoded.ids for encoded in release.encode(texts)], all_cores=all_cores)
                if not np.isfinite(found.projections).all():
                    raise ModelOutputError("its reference makes projections that are not finite")
        if alike is None:
            release.measure_cost()
        else:
            release.cost = alike.cost
        # A tokenizer that knows more tokens than the model has rows would fail on some text, some day.
        release.predict([[encoder.last_token]])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # onnxruntime and tokenizers raise bare Exceptions of many kinds, and a panic in Rust is not even that;
        # whatever it was, this release cannot serve.
        raise ReleaseCorruptError(task, version, f"it cannot be loaded: {error}.") from error
    return release


def _encoder(folder: Path, manifest: Manifest, serving: Sequence[LoadedRelease]) -> TextEncoder:
    """Reading a tokenizer stops the whole process for some 30 ms; successors mostly have their parent's."""
    digest = manifest.files[TOKENIZER_FILE].sha256
    for release in serving:
        same = release.manifest.files[TOKENIZER_FILE].sha256 == digest
        if same and release.manifest.max_tokens == manifest.max_tokens:
            return release.encoder
    return TextEncoder(Tokenizer.from_file(str(folder / TOKENIZER_FILE)), manifest.max_tokens)


def _alike(manifest: Manifest, session: Any, serving: Sequence[LoadedRelease]) -> LoadedRelease | None:
    """A release whose network is as large: what its runs cost need not be measured anew, in the midst of traffic."""
    size = manifest.files[MODEL_FILE].size
    for release in serving:
        same = abs(release.manifest.files[MODEL_FILE].size - size) <= _ALIKE * size
        if same and release.graph == graph_of(session):
            return release
    return None


def _session(path: Path, threads: int) -> Any:
    options = _runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = _runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A thread that spins while it waits for work takes the core that answers HTTP.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return _runtime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
    )
