from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

import pytest

from contracts.home import Home
from contracts.log import Cursor, read_new, segment_path, segments
from contracts.records import PredictionRecord
from contracts.release import Manifest
from service.engine.loading import load_release
from service.logs.prediction_log import AnsweredText, PredictionLog, writer_name
from service.metrics import ServiceMetrics

HOUR = 3600.0
START = 1_760_000_000.0


@pytest.fixture
def answered(home: Home, make_release: Callable[..., Manifest]) -> Callable[[int, float], AnsweredText]:
    return answers_of(home, make_release, "support")


def answers_of(home: Home, make_release: Callable[..., Manifest], task: str) -> Callable[[int, float], AnsweredText]:
    make_release(home, task)
    release = load_release(home, task, "0001", threads=1)
    (encoded,) = release.encode(["my invoice wibble"])
    output = release.predict([encoded.ids])
    return lambda number, when: AnsweredText(f"id-{number}", when, release, encoded, output, 0, 1.25)


def test_each_hour_has_its_segment_and_records_are_what_the_reader_expects(
    home: Home, answered: Callable[[int, float], AnsweredText]
) -> None:
    log = PredictionLog(home, "writer", 2**20, ServiceMetrics())
    log.start()
    log.put([answered(number, START + number * HOUR) for number in range(3)])
    log.stop(20)
    assert len(segments(home.predictions("support"))) == 3
    records = list(read_new(home.predictions("support"), PredictionRecord, Cursor()))
    assert [record.id for record in records] == ["id-0", "id-1", "id-2"]
    record = records[0]
    assert (record.text, record.label, record.length) == ("my invoice wibble", "billing", 5)
    assert record.unknown_share == pytest.approx(1 / 3, abs=1e-5)
    assert record.fragmentation == 1.0
    assert (record.logits, record.projection) == ((12.0, 0.0, 0.0), (0.1, -0.1))


def test_what_does_not_fit_is_dropped_and_counted_and_nothing_blocks(
    home: Home, answered: Callable[[int, float], AnsweredText]
) -> None:
    metrics = ServiceMetrics()
    log = PredictionLog(home, "writer", 5_000, metrics)
    for number in range(10):
        log.put([answered(number, START)])
    log.start()
    log.stop(20)
    records = list(read_new(home.predictions("support"), PredictionRecord, Cursor()))
    dropped = metrics.registry.get_sample_value(
        "perennial_log_records_dropped_total", {"task": "support", "reason": "queue_full"}
    )
    assert 0 < len(records) < 10
    assert len(records) + (dropped or 0) == 10


def test_writing_goes_on_when_there_is_space_again(home: Home, answered: Callable[[int, float], AnsweredText]) -> None:
    metrics = ServiceMetrics()
    blocked = home.predictions("support")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")
    log = PredictionLog(home, "writer", 2**20, metrics)
    log.start()
    log.put([answered(1, START)])
    lost = {"task": "support", "reason": "write_failed"}
    while metrics.registry.get_sample_value("perennial_log_records_dropped_total", lost) != 1:
        time.sleep(0.01)
    problem = log.problem("support")
    assert problem is not None
    assert "task support" in problem
    blocked.unlink()
    log.put([answered(2, START)])
    log.stop(20)
    assert log.problem("support") is None
    assert [record.id for record in read_new(blocked, PredictionRecord, Cursor())] == ["id-2"]


def test_a_task_that_is_written_says_nothing_of_another(
    home: Home, make_release: Callable[..., Manifest], caplog: pytest.LogCaptureFixture
) -> None:
    support, orders = (answers_of(home, make_release, task) for task in ("support", "orders"))
    blocked = home.predictions("support")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")
    metrics = ServiceMetrics()
    log = PredictionLog(home, "writer", 2**20, metrics)
    log.start()
    written = {"task": "orders"}
    for number in range(3):
        log.put([support(number, START)])
        log.put([orders(number, START)])
        while metrics.registry.get_sample_value("perennial_log_records_written_total", written) != number + 1:
            time.sleep(0.01)
    log.stop(20)
    assert log.problem("support") is not None
    assert log.problem("orders") is None
    (line,) = caplog.messages
    assert "The prediction log of task support cannot be written" in line


def test_a_disk_that_hangs_is_told_once_records_are_dropped_and_so_is_its_end(
    home: Home, answered: Callable[[int, float], AnsweredText], caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_path(home.predictions("support"), "writer", START)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)  # to open it for writing takes for ever, until somebody reads
    log = PredictionLog(home, "writer", 5_000, ServiceMetrics())
    log.start()
    deadline = time.monotonic() + 20
    while log.problem("support") is None:
        assert time.monotonic() < deadline
        log.put([answered(0, START)])
        time.sleep(0.01)
    for _ in range(100):
        log.put([answered(0, START)])
    (line,) = caplog.messages
    assert "PERENNIAL_LOG_QUEUE_BYTES (5000)" in line
    assert "1 records were lost" in line
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while log.problem("support") is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        log.stop(20)
    finally:
        os.close(reader)
    (again,) = caplog.messages[1:]
    assert again.startswith("The prediction log of task support is written again; 100 records were lost")


def test_what_alone_exceeds_the_bound_is_taken_when_nothing_else_waits(
    home: Home, answered: Callable[[int, float], AnsweredText]
) -> None:
    log = PredictionLog(home, "writer", 100, ServiceMetrics())
    log.put([answered(1, START)])
    log.put([answered(2, START)])
    assert log.problem("support") is not None
    log.start()
    log.stop(20)
    assert [record.id for record in read_new(home.predictions("support"), PredictionRecord, Cursor())] == ["id-1"]


def test_a_log_that_was_removed_is_begun_anew(home: Home, answered: Callable[[int, float], AnsweredText]) -> None:
    metrics = ServiceMetrics()
    log = PredictionLog(home, "writer", 2**20, metrics)
    log.start()
    log.put([answered(1, START)])
    while metrics.registry.get_sample_value("perennial_log_records_written_total", {"task": "support"}) != 1:
        time.sleep(0.01)
    shutil.rmtree(home.predictions("support"))
    log.put([answered(2, START)])
    log.stop(20)
    assert [record.id for record in read_new(home.predictions("support"), PredictionRecord, Cursor())] == ["id-2"]


def test_writer_names_differ_and_are_plain() -> None:
    assert writer_name("host.example/..", 7, lambda: "ab12") == "host-example----7-ab12"
