from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import SettingsError
from service.access import ApiKeys, format_keys, parse_key_lines, parse_keys
from service.errors import ApiKeysError, UnauthorizedError
from service.http.problems import problem_of
from service.settings import ServiceSettings

ALICE = "alice-secret-0123456789"
BOB = "bob:secret/with+odd=signs#"
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=16)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def bearer(secret: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", f"Bearer {secret}".encode())]


def x_api_key(secret: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-api-key", secret.encode()), (b"host", b"x")]


def test_a_key_in_either_header_names_its_holder() -> None:
    keys = ApiKeys(f"alice:{ALICE}, bob:sha256={digest(BOB)}\nalice:another-of-alice-9876")
    assert keys.caller(bearer(ALICE)) == "alice"
    assert keys.caller(x_api_key(ALICE)) == "alice"
    assert keys.caller(bearer(BOB)) == "bob"
    assert keys.caller([(b"authorization", b"bEARER   " + BOB.encode())]) == "bob"
    assert keys.caller(bearer("another-of-alice-9876")) == "alice"
    assert keys.names == ["alice", "bob"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"x")],
        bearer(""),
        bearer(ALICE[:-1]),
        bearer(ALICE + "x"),
        bearer(ALICE.upper()),
        bearer("alice:" + ALICE),
        bearer(digest(ALICE)),
        x_api_key("sha256=" + digest(ALICE)),
        x_api_key(""),
        x_api_key("Bearer " + ALICE),
        [(b"authorization", b"Basic " + ALICE.encode())],
        [(b"authorization", ALICE.encode())],
        [(b"x-api-key", b"\xff\x00" * 100)],
    ],
)
def test_nothing_else_opens(headers: list[tuple[bytes, bytes]]) -> None:
    keys = ApiKeys(f"alice:{ALICE}")
    assert keys.caller(bearer(ALICE)) == "alice"
    with pytest.raises(UnauthorizedError) as caught:
        keys.caller(headers)
    problem = problem_of(caught.value, "/v1/models")
    assert problem.status == 401
    assert dict(problem.headers)[b"www-authenticate"].startswith(b'Bearer realm="perennial"')
    assert ALICE.encode() not in problem.body


def test_a_key_beside_another_scheme_is_found() -> None:
    both = [(b"authorization", b"Basic Zm9vOmJhcg=="), *x_api_key(ALICE)]
    assert ApiKeys(f"alice:{ALICE}").caller(both) == "alice"


def test_without_keys_everyone_may_call() -> None:
    keys = ApiKeys()
    assert keys.caller([]) == ""
    assert keys.caller(bearer("whatever")) == ""


@given(
    st.dictionaries(VISIBLE.filter(lambda text: not text.startswith("sha256=")), st.sampled_from(["a", "b-1", "C."]))
)
def test_every_key_of_a_list_opens_and_its_written_form_holds_no_secret(found: dict[str, str]) -> None:
    if not found:
        return
    text = ",\n ".join(f"{name}:{secret}" for secret, name in found.items())
    parsed = parse_keys(text, "here")
    written = format_keys(parsed)
    assert parse_keys(written, "here") == parsed
    assert not any(secret in written for secret in found)
    keys = ApiKeys(text)
    assert all(keys.caller(x_api_key(secret)) == name for secret, name in found.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no key"),
        (" , \n", "no key"),
        (ALICE, "entry 1 has no colon"),
        (f"alice:{ALICE},{BOB.replace(':', '')}", "entry 2 has no colon (a comma"),
        (f"a/b:{ALICE}", "entry 1 has a name of more than 64 characters, or of others than"),
        (f"{'a' * 65}:{ALICE}", "entry 1 has a name of more than 64 characters"),
        (f":{ALICE}", "entry 1 has no name"),
        ("alice:too-short", "entry 1 has a secret of fewer than 16 characters."),
        (f"bob:{BOB},alice:" + "x" * 513, "entry 2 has a secret of more than 512 characters."),
        ("alice:", "entry 1 has nothing behind its colon"),
        ("alice:umlaute-äöü-are-no-ascii", "entry 1 has a secret with a character that is a comma, invisible or not"),
        ("alice:sha256=" + "0" * 63, "entry 1 has sha256=, but not 64 hexadecimal digits"),
        ("alice:sha256=" + "g" * 64, "entry 1 has sha256=, but not 64 hexadecimal digits"),
        ("alice:SHA256:" + "0" * 64, "entry 1 has a digest that does not begin with sha256="),
        (f"bob:sha256={'0' * 64}  - alice:{ALICE}", "entry 2 is the - that sha256sum writes behind its 64 digits; the"),
        (f"bob:sha256={'0' * 64} *-", "entry 2 is the - that sha256sum writes"),
        (f"alice:{ALICE} -", "entry 2 has no colon"),
        (f"alice:{ALICE} bob:{ALICE}", "entry 2 has the secret of another name"),
    ],
)
def test_a_malformed_list_is_refused_without_showing_it(text: str, expected: str) -> None:
    with pytest.raises(ApiKeysError) as caught:
        parse_keys(text, "PERENNIAL_API_KEYS")
    told = str(caught.value)
    assert expected in told
    for part in (ALICE, BOB, "too-short", "umlaute", "g" * 64, "x" * 64, "0" * 60):
        assert part not in told


def test_a_file_has_one_key_a_line_and_comments() -> None:
    keys = parse_key_lines(f"# who may call\n\n  alice:{ALICE}  \r\n# bob:{BOB}\nbob:{BOB}\n", "keys")
    assert sorted(keys.values()) == ["alice", "bob"]
    with pytest.raises(ApiKeysError, match="line 3"):
        parse_key_lines(f"alice:{ALICE}\n\nalice:{ALICE} bob:{BOB}\n", "keys")
    with pytest.raises(ApiKeysError, match="line 1 ends in the - that sha256sum writes"):
        parse_key_lines(f"alice:sha256={digest(ALICE)}  -\n", "keys")
    with pytest.raises(ApiKeysError, match="line 1 has something behind its 64"):
        parse_key_lines(f"alice:sha256={digest(ALICE)}  secret.txt\n", "keys")


def test_a_service_does_not_start_with_keys_that_are_no_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(ApiKeysError, match="cannot be read"):
        ApiKeys(file=path)
    for content in (b"", b"# none yet\n", b"alice\n", b"\xff\xfe", b"\n" * (2**20 + 1)):
        path.write_bytes(content)
        with pytest.raises(ApiKeysError):
            ApiKeys(file=path)
    environment = {"PERENNIAL_API_KEYS": f"alice:{ALICE}", "PERENNIAL_API_KEYS_FILE": str(path)}
    with pytest.raises(ApiKeysError, match="both"):
        ServiceSettings.from_environment({"PERENNIAL_HOME": str(tmp_path), **environment})


def test_keys_that_were_read_before_stay_in_force_from_the_start_on(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    before = ApiKeys(f"alice:{ALICE}").digests
    assert ALICE not in before
    for content in (None, "junk\n", ""):
        if content is not None:
            path.write_text(content)
        told: list[bool] = []
        keys = ApiKeys(before, path, told.append)
        assert (opens(keys, ALICE), opens(keys, BOB), told) == (True, False, [True])
        assert str(path) in (keys.problem or "")
        path.write_text(f"bob:{BOB}\n")
        keys.look()
        keys.look()
        assert (opens(keys, ALICE), opens(keys, BOB), told) == (False, True, [True, False])
    keys = ApiKeys(before, path)
    assert (opens(keys, ALICE), opens(keys, BOB)) == (False, True), "a file that can be used is what counts"


def replace(path: Path, content: str) -> None:
    staged = path.with_name("staged")
    staged.write_text(content)
    staged.replace(path)


def opens(keys: ApiKeys, secret: str) -> bool:
    try:
        keys.caller(bearer(secret))
    except UnauthorizedError:
        return False
    return True


def test_keys_rotate_and_a_bad_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "keys"
    path.write_text(f"alice:{ALICE}\n")
    keys = ApiKeys(file=path)
    assert (opens(keys, ALICE), opens(keys, BOB)) == (True, False)

    replace(path, f"alice:{ALICE}\nbob:{BOB}\n")
    keys.look()
    assert not opens(keys, BOB), "a file that may still be being written is not read"
    keys.look()
    assert (opens(keys, ALICE), opens(keys, BOB)) == (True, True)

    replace(path, f"bob:{BOB}\n")
    keys.look()
    keys.look()
    assert (opens(keys, ALICE), opens(keys, BOB)) == (False, True)

    for bad in ("", "# all gone\n", f"bob:{BOB}\ncarol\n", f"{ALICE}\n"):
        replace(path, bad)
        for _ in range(3):
            keys.look()
        assert (opens(keys, ALICE), opens(keys, BOB)) == (False, True)
        assert keys.problem is not None
        assert str(path) in keys.problem
    path.unlink()
    for _ in range(3):
        keys.look()
    assert (opens(keys, ALICE), opens(keys, BOB)) == (False, True)
    assert "No such file" in (keys.problem or "")

    replace(path, f"alice:{ALICE}\n")
    keys.look()
    keys.look()
    assert (opens(keys, ALICE), opens(keys, BOB), keys.problem) == (True, False, None)
    assert ALICE not in caplog.text
    assert BOB not in caplog.text
    assert caplog.text.count("No such file") == 1, "a problem that stays is told once"


def test_a_link_that_is_turned_is_a_change_as_kubernetes_makes_it(tmp_path: Path) -> None:
    for version, secret in (("1", ALICE), ("2", BOB.replace(":", "-"))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "keys").write_text(f"alice:{secret}")
        os.utime(tmp_path / version / "keys", (1, 1))
    (tmp_path / "data").symlink_to("1")
    keys = ApiKeys(file=tmp_path / "data" / "keys")
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(tmp_path / "data")
    keys.look()
    keys.look()
    assert (opens(keys, ALICE), opens(keys, BOB.replace(":", "-"))) == (False, True)


def test_a_file_that_comes_back_as_it_was_is_no_trouble_any_more(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice:{ALICE}")
    keys = ApiKeys(file=path)
    path.rename(tmp_path / "away")
    keys.look()
    keys.look()
    assert keys.problem
    (tmp_path / "away").rename(path)
    keys.look()
    keys.look()
    assert keys.problem is None


def test_the_file_is_followed_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.access.LOOK_SECONDS", 0.01)
    path = tmp_path / "keys"
    path.write_text(f"alice:{ALICE}\n")
    keys = ApiKeys(file=path)
    keys.start()
    try:
        replace(path, f"bob:{BOB}\n")
        never = threading.Event()
        assert any(opens(keys, BOB) or never.wait(0.02) for _ in range(1000))
    finally:
        keys.stop()


@pytest.mark.parametrize("show", [repr, str, lambda settings: str(settings.to_environment())])
def test_settings_never_hold_a_secret(tmp_path: Path, show: Callable[[ServiceSettings], str]) -> None:
    environment = {"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_API_KEYS": f"alice:{ALICE} bob:{BOB}"}
    settings = ServiceSettings.from_environment(environment)
    assert ALICE not in show(settings)
    assert BOB not in show(settings)
    assert ApiKeys(settings.api_keys).caller(bearer(BOB)) == "bob"
    assert ALICE not in repr(ApiKeys(settings.api_keys))


@pytest.mark.parametrize("name", ["PERENNIAL_API_KEYS", "PERENNIAL_API_KEYS_FILE"])
def test_a_variable_that_is_there_but_empty_is_no_open_door(tmp_path: Path, name: str) -> None:
    for value in ("", "  "):
        with pytest.raises(SettingsError, match=name):
            ServiceSettings.from_environment({"PERENNIAL_HOME": str(tmp_path), name: value})
