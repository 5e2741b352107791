"""Every whole line of the log is read exactly once, however writers crash and readers stop."""

from __future__ import annotations

import json
import resource
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import files
from contracts.files import append_durable, write_atomic
from contracts.log import Cursor, read_new, segment_path, segments
from contracts.records import FeedbackRecord

HOUR = 3600.0
START = 1_700_000_000.0


def line(number: int) -> bytes:
    record = FeedbackRecord(id=f"id-{number}", time=START, task="support", label="größe")
    return record.model_dump_json().encode() + b"\n"


def numbers(records: list[FeedbackRecord]) -> list[int]:
    return [int(record.id.removeprefix("id-")) for record in records]


# (what, writer, amount): append so many lines at once; die after a share of a line; read, stopping after so many.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("crash"), st.integers(0, 3), st.floats(0, 1)),
        st.tuples(st.just("junk"), st.integers(0, 3), st.sampled_from([b"{}\n", b"\n", b"\xff\xfe\n", b"null\n"])),
        st.tuples(st.just("read"), st.just(0), st.one_of(st.none(), st.integers(0, 3))),
        st.tuples(st.just("restart"), st.just(0), st.none()),
    ),
    max_size=30,
)


@given(steps)
@settings(deadline=None, max_examples=60)
def test_each_line_is_read_once_in_its_segment_s_order(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    folder = tmp_path_factory.mktemp("log")
    paths = [segment_path(folder, f"writer-{n}", START + n * HOUR) for n in range(4)]
    written: list[list[int]] = [[] for _ in paths]
    # A record that only lacks its newline becomes whole with the next append.
    waiting: list[int | None] = [None] * len(paths)
    torn = [False] * len(paths)
    malformed = number = 0
    cursor = Cursor()
    read: list[int] = []

    def mend(writer: int) -> None:
        nonlocal malformed
        if (whole := waiting[writer]) is not None:
            written[writer].append(whole)
        elif torn[writer]:
            malformed += 1
        waiting[writer], torn[writer] = None, False

    for what, writer, amount in steps:
        if what == "append":
            mend(writer)
            added = list(range(number, number + amount))
            append_durable(paths[writer], b"".join(map(line, added)))
            written[writer] += added
            number += amount
        elif what == "junk":
            mend(writer)
            append_durable(paths[writer], amount)
            malformed += 1
        elif what == "crash" and not torn[writer]:
            part = line(number)[:-1]
            part = part[: round(len(part) * amount)]
            paths[writer].parent.mkdir(parents=True, exist_ok=True)
            with paths[writer].open("ab") as file:
                file.write(part)
            torn[writer] = bool(part)
            waiting[writer] = number if part == line(number)[:-1] else None
            number += 1
        elif what == "read":
            read += numbers(list(islice(read_new(folder, FeedbackRecord, cursor), amount)))
        elif what == "restart":
            cursor = Cursor(json.loads(json.dumps(cursor.offsets)), cursor.malformed)
    read += numbers(list(read_new(folder, FeedbackRecord, cursor)))
    assert sorted(read) == sorted(number for lines in written for number in lines)
    for lines in written:
        assert [number for number in read if number in set(lines)] == lines
    assert cursor.malformed == malformed
    assert list(read_new(folder, FeedbackRecord, cursor)) == []


def test_segments_come_oldest_hour_first_and_nothing_else_does(tmp_path: Path) -> None:
    times = [START + 30 * HOUR, START, START + 3 * HOUR, START + 300 * HOUR]
    for time in times:
        append_durable(segment_path(tmp_path, "w", time), line(int(time)))
    (tmp_path / "2023-01-01").mkdir()
    (tmp_path / "2023-01-01" / "note.txt").touch()
    assert segments(tmp_path) == [segment_path(tmp_path, "w", time) for time in sorted(times)]
    assert numbers(list(read_new(tmp_path, FeedbackRecord, Cursor()))) == [int(time) for time in sorted(times)]


def test_hours_are_utc() -> None:
    assert segment_path(Path("log"), "w", 0.0) == Path("log/1970-01-01/00/w.jsonl")
    assert segment_path(Path("log"), "w", 86_399.9) == Path("log/1970-01-01/23/w.jsonl")


def test_a_log_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    assert list(read_new(tmp_path / "none", FeedbackRecord, Cursor())) == []


def test_the_folders_that_a_line_needs_are_as_durable_as_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    for _ in range(2):
        append_durable(tmp_path / "day" / "hour" / "w.jsonl", b"one\n")
    assert synced == [tmp_path, tmp_path / "day", tmp_path / "day" / "hour"]


def test_an_append_ends_a_torn_line_first(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.jsonl"
    append_durable(path, b"one\n")
    with path.open("ab") as file:
        file.write(b"tor")
    append_durable(path, b"two\n")
    append_durable(path, b"three\n")
    assert path.read_bytes() == b"one\ntor\ntwo\nthree\n"


class TestAtomicWrites:
    def test_replaces_whole_and_leaves_nothing_beside(self, tmp_path: Path) -> None:
        path = tmp_path / "sub" / "a.json"
        for content in (b"first", b"", b"second" * 10_000):
            write_atomic(path, content)
            assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]

    def test_what_fails_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.mkdir()
        with pytest.raises(OSError, match="directory"):
            write_atomic(path, b"x")
        assert list(tmp_path.iterdir()) == [path]


def test_lines_for_which_there_is_no_room_leave_nothing_behind(tmp_path: Path) -> None:
    path = segment_path(tmp_path, "w", START)
    append_durable(path, line(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * len(line(1)) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            append_durable(path, line(2) + line(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == line(1)
    append_durable(path, line(2))
    assert numbers(list(read_new(tmp_path, FeedbackRecord, Cursor()))) == [1, 2]
