"""A release is whole or it is not there, whatever kills its publisher and whatever befalls its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import PerennialError, ReleaseCorruptError, ReleaseNotFoundError
from contracts.files import is_locked, locked
from contracts.home import Home
from contracts.release import MANIFEST_FILE, MODEL_FILE, REFERENCE_FILE, TOKENIZER_FILE, Manifest
from contracts.release_store import list_versions, publish, read_manifest, staging, verify_release

ROOT = Path(__file__).parents[2]
PublishSmall = Callable[..., Manifest]

# Each round forks a child that publishes and is killed at its n-th system event (Python's audit events: every open,
# rename, mkdir, remove, lock), until one lives to the end. After each, the home is looked at as a reader would.
KILLED_AT_EVERY_EVENT = """
import itertools, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import a_manifest
from contracts.home import Home
from contracts.release import REQUIRED_FILES
from contracts.release_store import list_versions, publish, staging, verify_release
from contracts.rollout import promote, read_rollout

home = Home(Path(sys.argv[1]))

def story():
    with staging(home, "support") as staged:
        for name in REQUIRED_FILES:
            (staged / name).write_bytes(b"x" * 5000)
        manifest = publish(home, staged, a_manifest())
    promote(home, "support", manifest.version, by="test", reason="", now=1.0)

for event in itertools.count(1):
    child = os.fork()
    if child == 0:
        seen = 0
        def die(name, arguments):
            global seen
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(die)
        story()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    versions = list_versions(home, "support")
    for version in versions:
        verify_release(home, "support", version)
    rollout = read_rollout(home, "support")
    assert rollout is None or rollout.stable in versions
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0, status
        assert rollout.stable == versions[-1]
        print(event, len(versions))
        break
"""


def test_killed_at_any_moment_a_publisher_leaves_no_half_release(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_EVENT, str(home.root), str(Path(__file__).parent)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events, published = map(int, done.stdout.split())
    assert events > 20
    # Some died before and some behind the rename that publishes.
    assert 1 < published < events
    left = [path.name for path in home.releases("support").iterdir() if path.name.startswith(".staging")]
    assert left == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_fills_stays(home: Home) -> None:
    folder = home.releases("support")
    with staging(home, "support") as living:
        (living / "model.onnx").write_bytes(b"half")
        (folder / ".staging-dead").mkdir()
        (folder / ".staging-dead.lock").touch()
        (folder / ".staging-only-lock.lock").touch()
        (folder / ".staging-only-folder").mkdir()
        with staging(home, "support") as other:
            found = {path.name for path in folder.glob(".staging-*")}
            assert found == {name for path in (living, other) for name in (path.name, f"{path.name}.lock")}
        assert (living / "model.onnx").read_bytes() == b"half"
    assert list(folder.glob(".staging-*")) == []
    assert list_versions(home, "support") == []


def test_many_at_once_get_a_version_each(home: Home, publish_small: PublishSmall) -> None:
    with ThreadPoolExecutor(6) as pool:
        published = list(pool.map(lambda _: publish_small(home).version, range(24)))
    assert sorted(published) == [f"{number:04d}" for number in range(1, 25)] == list_versions(home, "support")
    for version in published:
        verify_release(home, "support", version)


def test_versions_grow_past_four_digits_in_order(home: Home, publish_small: PublishSmall) -> None:
    publish_small(home)
    home.release("support", "0001").rename(home.release("support", "9999"))
    assert publish_small(home).version == "10000"
    assert list_versions(home, "support") == ["9999", "10000"]


def test_a_folder_without_a_manifest_is_no_release_and_its_number_is_not_given_again(
    home: Home, publish_small: PublishSmall
) -> None:
    home.release("support", "0007").mkdir(parents=True)
    assert list_versions(home, "support") == []
    assert publish_small(home).version == "0008"


def test_publishing_without_a_required_file_is_refused(home: Home, manifest: Manifest) -> None:
    with staging(home, "support") as staged:
        (staged / MODEL_FILE).write_bytes(b"model")
        with pytest.raises(ReleaseCorruptError, match=r"tokenizer\.json, reference\.npz was not written"):
            publish(home, staged, manifest)
    assert list_versions(home, "support") == []


def test_the_manifest_as_published_is_the_manifest_as_read(home: Home, publish_small: PublishSmall) -> None:
    published = publish_small(home)
    assert read_manifest(home, "support", published.version) == published
    assert verify_release(home, "support", published.version) == published
    assert set(published.files) == {MODEL_FILE, TOKENIZER_FILE, REFERENCE_FILE}


def test_a_release_that_is_not_there_names_those_that_are(home: Home, publish_small: PublishSmall) -> None:
    with pytest.raises(ReleaseNotFoundError, match="There are none yet"):
        verify_release(home, "support", "0001")
    publish_small(home)
    for version in ("0002", "nonsense", "../support/0009"):
        with pytest.raises(ReleaseNotFoundError, match="There are: 0001"):
            verify_release(home, "support", version)


@pytest.fixture
def folder(home: Home, publish_small: PublishSmall) -> Path:
    return home.release("support", publish_small(home).version)


class TestCorruption:
    @given(st.data())
    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_flipped_byte_is_found(self, home: Home, publish_small: PublishSmall, data: st.DataObject) -> None:
        if not list_versions(home, "support"):
            publish_small(home)
        path = home.release("support", "0001") / data.draw(
            st.sampled_from([MODEL_FILE, TOKENIZER_FILE, REFERENCE_FILE])
        )
        whole = path.read_bytes()
        position = data.draw(st.integers(0, len(whole) - 1))
        damaged = bytearray(whole)
        damaged[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(damaged)
        with pytest.raises(ReleaseCorruptError, match=f"{path.name} has sha256"):
            verify_release(home, "support", "0001")
        path.write_bytes(whole)
        assert verify_release(home, "support", "0001").version == "0001"

    @pytest.mark.parametrize("name", [MODEL_FILE, TOKENIZER_FILE, REFERENCE_FILE])
    def test_cut_grown_gone_linked_or_a_folder(self, home: Home, folder: Path, name: str, tmp_path: Path) -> None:
        path = folder / name
        whole = path.read_bytes()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_bytes(whole)
        for damage, problem in (
            (lambda: path.write_bytes(whole[:-1]), "bytes, the manifest says"),
            (lambda: path.write_bytes(whole + b"\n"), "bytes, the manifest says"),
            (lambda: path.write_bytes(b""), "has 0 bytes"),
            (path.unlink, "is not a file there"),
            (lambda: path.symlink_to(elsewhere), "is not a file there"),
            (lambda: (path.unlink(), path.mkdir()), "is not a file there"),
        ):
            damage()
            with pytest.raises(ReleaseCorruptError, match=problem) as caught:
                verify_release(home, "support", "0001")
            assert name in str(caught.value)
            assert "perennial releases rollback support" in str(caught.value)

    @pytest.mark.parametrize("name", ["../0001/model.onnx", "/etc/hostname", "sub/model.onnx", "..", ".", "", "a\0b"])
    def test_names_that_lead_elsewhere(self, home: Home, folder: Path, name: str) -> None:
        content = json.loads((folder / MANIFEST_FILE).read_text())
        content["files"][name] = content["files"][MODEL_FILE]
        (folder / "sub").mkdir()
        (folder / "sub" / "model.onnx").write_bytes((folder / MODEL_FILE).read_bytes())
        (folder / MANIFEST_FILE).write_text(json.dumps(content))
        with pytest.raises(ReleaseCorruptError, match="is not a file there"):
            verify_release(home, "support", "0001")

    @pytest.mark.parametrize(
        "change",
        [
            {"unknown": 1},
            {"schema_number": 2},
            {"labels": ["one"]},
            {"temperature": 0},
            {"temperature": float("nan")},
            {"task": "other"},
            {"version": "0002"},
            {"files": {}},
            {"files": {MODEL_FILE: {"sha256": "nonsense", "size": 1}}},
        ],
    )
    def test_a_manifest_that_says_what_it_must_not(self, home: Home, folder: Path, change: dict[str, object]) -> None:
        content = json.loads((folder / MANIFEST_FILE).read_text())
        (folder / MANIFEST_FILE).write_text(json.dumps(content | change))
        with pytest.raises(ReleaseCorruptError):
            verify_release(home, "support", "0001")

    @pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff\xfe", b"[" * 9999, b'{"task": "support"}'])
    def test_a_manifest_that_is_none(self, home: Home, folder: Path, content: bytes) -> None:
        (folder / MANIFEST_FILE).write_bytes(content)
        with pytest.raises(ReleaseCorruptError, match="malformed"):
            verify_release(home, "support", "0001")

    def test_a_manifest_that_is_gone_or_a_folder(self, home: Home, folder: Path) -> None:
        (folder / MANIFEST_FILE).unlink()
        with pytest.raises(ReleaseNotFoundError):
            verify_release(home, "support", "0001")
        (folder / MANIFEST_FILE).mkdir()
        with pytest.raises(PerennialError):
            verify_release(home, "support", "0001")
        assert list_versions(home, "support") == []


class TestLocks:
    def test_asking_neither_makes_nor_takes_the_lock(self, tmp_path: Path) -> None:
        path = tmp_path / "sub" / "a.lock"
        assert not is_locked(path)
        assert not path.exists()
        with locked(path):
            assert is_locked(path)
        assert not is_locked(path)

    def test_a_lock_whose_file_was_removed_keeps_out_those_who_come_later(self, tmp_path: Path) -> None:
        path = tmp_path / "a.lock"
        inside: list[int] = []
        most: list[int] = []

        def hold(number: int) -> None:
            with locked(path):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.002)
                inside.remove(number)
                path.unlink()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(hold, range(60)))
        assert max(most) == 1
        assert not path.exists()

    def test_many_who_ask_at_once_do_not_take_each_other_for_the_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "a.lock"
        path.touch()
        with ThreadPoolExecutor(8) as pool:
            assert not any(pool.map(lambda _: is_locked(path), range(2000)))
