"""`perennial replay` against programs that are no Perennial service, and options that make no sense."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.main import main

SECRET = "never-to-be-shown-0123456789"
PREDICTED = b'{"predictions": [{"id": "1", "label": "a", "score": 1.0}], "model_version": "0001"}'


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str], key: str | None = None) -> Iterator[str]:
    """One answer to everything, or 401 to whoever does not send the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.refused():
                self.send_error(404)

        def refused(self) -> bool:
            if key is None or self.headers["X-Api-Key"] == key:
                return False
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return True

        def do_POST(self) -> None:
            if self.refused():
                return
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(BrokenPipeError):  # a caller may hang up as soon as it knows enough
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def replay(tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "texts.csv").write_text("text,label\nhello there,a\nsome more,b\n")

    def run(*words: str, url: str = "http://127.0.0.1:9") -> int:
        return main(["replay", str(tmp_path / "texts.csv"), "--task", "support", "--url", url, *words])

    return run


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"x": 1}', b'{"predictions": []}', b'{"predictions": [7]}'])
def test_another_program_at_the_url_is_told(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    with answering(200, body, {}) as url:
        assert replay(url=url) == 1
    assert "found another program that answers there. Check --url." in " ".join(capsys.readouterr().err.split())


def test_a_busy_service_may_name_a_date(replay: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    with answering(503, b"", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) as url:
        assert replay("--limit", "1", url=url) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "refused 1, the first of them" in shown
    assert "texts.csv, line 2: too busy each of 5 times (503)" in shown


def test_the_port_is_where_the_service_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.csv").write_text("text\nhello there\n")
    with answering(200, PREDICTED, {}) as url:
        monkeypatch.setenv("PERENNIAL_LISTEN_PORT", url.rpartition(":")[2])
        assert main(["replay", str(tmp_path / "texts.csv"), "--task", "support", "--json"]) == 0
    assert '"answered": 1' in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:99999", "nonsense", "ftp://localhost"])
def test_an_url_that_is_none_is_told(replay: Callable[..., int], capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert replay(url=url) == 1
    assert "expected a URL such as" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--limit", "0"], ["--limit", "-1"], ["--rate", "nan"], ["--concurrency", "9999999"]]
)
def test_senseless_options_are_refused(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert replay(*wrong) == 1
    assert "--limit at least 1" in " ".join(capsys.readouterr().err.split())


def test_a_missing_file_is_told_without_a_task_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "no-such.csv", "--task", "support"]) == 1
    error = capsys.readouterr().err
    assert "no such file" in error
    assert "task file" not in error


@pytest.mark.parametrize(
    ("options", "remedy"),
    [([], "Set `--text-column` to"), (["--labels"], "Set `--text-column` and `--label-column` to")],
)
def test_a_wrong_column_is_mended_by_an_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], remedy: str
) -> None:
    (tmp_path / "a.csv").write_text("message,tag\nhello,a\n", encoding="utf-8")
    assert main(["replay", str(tmp_path / "a.csv"), *options]) == 1
    told = capsys.readouterr().err
    assert remedy in told
    assert "task file" not in told


def test_a_key_is_sent_and_never_shown(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERENNIAL_API_KEY", raising=False)
    with answering(200, PREDICTED, {}, key=SECRET) as url:
        assert replay(url=url) == 1
        assert "PERENNIAL_API_KEY" in capsys.readouterr().err
        assert replay("--api-key", "another-key", url=url) == 1
        assert replay("--api-key", SECRET, url=url) == 0
        monkeypatch.setenv("PERENNIAL_API_KEY", SECRET)
        assert replay(url=url) == 0
    with answering(401, b"{}", {}) as url:
        assert replay(url=url) == 1
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err


def test_a_key_is_asked_for_where_the_task_is_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERENNIAL_API_KEY", raising=False)
    (tmp_path / "texts.csv").write_text("text\nhello there\n")
    with answering(200, PREDICTED, {}, key=SECRET) as url:
        assert main(["replay", str(tmp_path / "texts.csv"), "--url", url]) == 1
    assert "PERENNIAL_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["two words", "a line\n", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused_unseen(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], key: str
) -> None:
    assert replay("--api-key", key) == 1
    error = capsys.readouterr().err
    assert "visible ASCII" in error
    assert key not in error
