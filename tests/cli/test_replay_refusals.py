"""`perennial replay` against a service that does not take everything: what it tells, and when it goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

TEXTS = ["good one", "BAD two", "good three", "BAD four", "good five"]
ONE_AT_ONCE = ("--concurrency", "1")


@dataclass
class Desk:
    """A service of one task: texts with BAD in them are refused, and what else the test says."""

    kind: str = "classification"
    labels: tuple[str, ...] = ("a", "b")
    gone_after: int = 1000  # texts, after which there is no such task any more
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    url: str = ""

    def get(self, path: str) -> tuple[int, object]:
        shown = {"name": "support", "kind": self.kind, "version": "0001"}
        return (200, shown) if path == "/v1/models/support" else (200, {"models": [shown]})

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        if path.endswith(":feedback"):
            label = body["items"][0]["label"]
            if label not in self.labels:
                return 422, problem(f"#/items/0/label: Expected one of {self.labels}; found {label}.")
            self.told.append(label)
            return 202, {"accepted": 1}
        (text,) = body["instances"]
        self.asked.append(text)
        if len(self.asked) > self.gone_after:
            return 404, problem("There is no task 'support'.")
        if "BAD" in text:
            return 422, problem("#/instances/0: Shorten the text.")
        answer = {"id": f"id-{len(self.asked)}", "label": "a", "score": 0.9}
        return 200, {"predictions": [answer], "model_version": "0001"}


def problem(detail: str) -> dict[str, object]:
    pointer, colon, told = detail.partition(": ")
    return {"detail": detail} | ({"errors": [{"pointer": pointer, "detail": told}]} if colon else {})


@contextmanager
def at_work(desk: Desk) -> Iterator[Desk]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*desk.get(self.path))

        def do_POST(self) -> None:
            self.answer(*desk.post(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    desk.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.delenv("PERENNIAL_API_KEY", raising=False)
    path = tmp_path / "texts.csv"

    def run(desk: Desk, *words: str, labels: str = "aabaa") -> int:
        rows = zip(TEXTS, labels, strict=True)
        path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
        return main(["replay", str(path), "--url", desk.url, *words])

    return run


def words_of(shown: str) -> str:
    return " ".join(shown.split())


@pytest.mark.parametrize("at_once", ["1", "5"])
def test_a_text_that_is_refused_does_not_end_the_replay(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], at_once: str
) -> None:
    with at_work(Desk()) as desk:
        assert replay(desk, "--labels", "--concurrency", at_once) == 1
        assert sorted(desk.asked) == sorted(TEXTS)
        assert sorted(desk.told) == ["a", "a", "b"]
    shown = words_of(capsys.readouterr().out)
    assert "sent 5 answered 3 in" in shown
    assert "refused 2, the first of them" in shown
    # In the file, however many were under way at once.
    assert "texts.csv, line 3: Shorten the text. feedback 3" in shown
    assert "#/instances" not in shown


def test_json_has_the_same_figures(replay: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    with at_work(Desk()) as desk:
        assert replay(desk, "--labels", "--json") == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["sent"], found["answered"], found["refused"], found["feedback"]) == (5, 3, 2, 3)
        assert found["first_refusal"]["place"].endswith("texts.csv, line 3")
        assert found["first_refusal"]["reason"] == "Shorten the text."
        assert found["accuracy"] == pytest.approx(2 / 3)
        assert replay(desk, "--limit", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["first_refusal"] is None


def test_a_reason_that_concerns_all_ends_it_and_what_was_sent_is_told(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(Desk(gone_after=3)) as desk:
        assert replay(desk, "--labels", *ONE_AT_ONCE) == 1
        assert desk.asked == TEXTS[:4]
    error = words_of(capsys.readouterr().err)
    assert "refused /v1/models/support:predict with 404: There is no task 'support'." in error
    assert "Sent until then: 4; answered: 2; refused: 1; labels taken as feedback: 2." in error


def test_a_label_that_feedback_does_not_know_is_told_with_its_line(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(Desk()) as desk:
        assert replay(desk, "--labels", *ONE_AT_ONCE, labels="aacaa") == 1
        assert desk.asked == TEXTS[:3]
    error = words_of(capsys.readouterr().err)
    assert "texts.csv, line 4: Expected one of ('a', 'b'); found c." in error
    assert "Sent until then: 3; answered: 2; refused: 1; labels taken as feedback: 1." in error


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("similarity", ["--labels"], "Task support is for similarity, which has no labels"),
        ("similarity", ["--labels", "--feedback", "0"], "Leave --labels out"),
        ("token-classification", ["--labels"], "or send none: --feedback 0."),
        ("question-answering", [], "expects questions with contexts"),
    ],
)
def test_what_the_kind_of_task_rules_out_is_refused_before_anything_is_sent(
    replay: Callable[..., int], capsys: pytest.CaptureFixture[str], kind: str, words: list[str], said: str
) -> None:
    with at_work(Desk(kind)) as desk:
        assert replay(desk, "--task", "support", *words) == 1
        assert desk.asked == []
    assert said in words_of(capsys.readouterr().err)


def test_a_kind_without_labels_is_sent_its_texts(replay: Callable[..., int]) -> None:
    with at_work(Desk("similarity")) as desk:
        assert replay(desk, "--limit", "1") == 0
        assert desk.asked == TEXTS[:1]
