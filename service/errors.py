"""What can go wrong between a caller and the service. None of these knows HTTP; `problems.py` maps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import PerennialError

_MOST_LISTED = 50


def listed(names: Sequence[str]) -> str:
    """Names, the first of them: an answer stays small however many there are."""
    more = f" and {len(names) - _MOST_LISTED} more (see /v1/models)" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


@dataclass(frozen=True)
class Violation:
    """One thing wrong with a request body; `pointer` is a JSON pointer in URI fragment form, such as #/instances/0."""

    pointer: str
    detail: str


class BodyMalformedError(PerennialError):
    """A body that is not JSON."""

    def __init__(self, found: str) -> None:
        super().__init__(f"The body was expected to be one JSON object in UTF-8; {found}. Send valid JSON.")


class BodyTooLargeError(PerennialError):
    """A body above the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body was expected to be at most {limit} bytes and is larger. "
            "Send fewer instances a request, or raise PERENNIAL_MAX_BODY_BYTES."
        )


class BodyTooSlowError(PerennialError):
    """A body that stopped coming."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The whole body was expected within {seconds:g} s and did not come. Send it again; if the connection is "
            "that slow, send fewer instances a request."
        )


class KindUnsupportedError(PerennialError):
    """What is there for another kind of task. `what` ends with its verb."""

    def __init__(self, task: str, kind: str, what: str) -> None:
        super().__init__(
            f"Task {task} is for {kind}, and {what} for classification with one label a text. "
            f"Its predictions are at POST /v1/models/{task}:predict."
        )


class MediaTypeError(PerennialError):
    """A body of another type than JSON."""

    def __init__(self, header: str, found: str) -> None:
        super().__init__(
            f"The body was expected to be JSON in UTF-8, not compressed; found {header}: {found}. "
            "Send `Content-Type: application/json`."
        )


class RequestInvalidError(PerennialError):
    """A JSON body that does not say what the route expects."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        first = violations[0]
        more = f" (and {len(violations) - 1} more, see `errors`)" if len(violations) > 1 else ""
        super().__init__(f"{first.pointer}: {first.detail}{more}")
        self.violations = tuple(violations)


class ApiKeysError(PerennialError):
    """API keys that cannot be used. Shows no part of any entry."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(
            f"API keys of {source}: {problem} Expected NAME:SECRET (16 to 512 visible ASCII characters without "
            "commas; `openssl rand -hex 32` makes one) or NAME:sha256=HEX for each key, in PERENNIAL_API_KEYS or, one "
            "a line, in the file of PERENNIAL_API_KEYS_FILE."
        )


class UnauthorizedError(PerennialError):
    """A caller without a key that is known. Shows nothing of what was sent."""

    def __init__(self, *, given: bool, other_scheme: bool = False) -> None:
        found = "one that is not known here" if given else "none"
        if other_scheme:
            found += ", but an Authorization of another scheme"
        super().__init__(
            f"An API key was expected, found {found}. Send it as `Authorization: Bearer KEY` or as `X-Api-Key: KEY`."
        )
        self.given = given


class RateLimitedError(PerennialError):
    """More texts than a caller may send."""

    def __init__(self, caller: str, rate: float, retry_after: int) -> None:
        whose = f"Key {caller}" if caller else "All callers together"
        super().__init__(f"{whose} may send {rate:g} texts a second here. Try again in {retry_after} s, or send fewer.")
        self.retry_after = retry_after


class TaskUnknownError(PerennialError):
    """A task that this home does not have."""

    def __init__(self, task: str, known: Sequence[str]) -> None:
        have = f"There are: {listed(known)}." if known else "No task has a release here yet."
        super().__init__(f"There is no task {task[:64]!r}. {have} Train one with `perennial train`.")


class TaskNotServedError(PerennialError):
    """A task that is known, of which no release is loaded."""

    def __init__(self, task: str, problem: str) -> None:
        super().__init__(f"Task {task} is not served yet: {problem}")


class VersionNotServedError(PerennialError):
    """A release that was asked for by its version and is not loaded."""

    def __init__(self, task: str, version: str, served: Sequence[str]) -> None:
        super().__init__(
            f"Task {task}: expected a version that is loaded, found {version[:64]!r}. There are: {', '.join(served)}. "
            f"Ask for one of them or for none, or try that release with `perennial releases canary {task} VERSION`."
        )


class NotReadyError(PerennialError):
    """The service cannot answer for everything it should."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(" ".join(missing))


class PredictionUnknownError(PerennialError):
    """Feedback on predictions that this service never made for this task."""

    def __init__(self, task: str, unknown: Sequence[tuple[int, str]]) -> None:
        named = ", ".join(f"item {index} ({identifier[:64]!r})" for index, identifier in unknown[:20])
        super().__init__(
            f"Expected ids that `{task}:predict` answered; unknown: {named}. "
            "Send each id as it was answered, to the task that answered it. Nothing of this request was recorded."
        )
        self.unknown = tuple(unknown)


class QueueFullError(PerennialError):
    """More work would wait than the bound allows; `unit` is that of the bound."""

    def __init__(self, whose: str, bound: int, unit: str, retry_after: int) -> None:
        super().__init__(
            f"{whose}: {bound} {unit} may wait, and there is no room for this request beside those that do. "
            f"Try again in {retry_after} s, or add workers."
        )
        self.retry_after = retry_after


class WaitTooLongError(PerennialError):
    """A request whose time would be over before its turn came. `wait` and `allowed`, what is left of it, are in s."""

    def __init__(self, task: str, wait: float, allowed: float, retry_after: int) -> None:
        super().__init__(
            f"Task {task}: about {wait:.3f} s of work wait, more than the {allowed:.3f} s that this request allows. "
            f"Try again in {retry_after} s, allow more (X-Request-Timeout-Ms; `timeout` under /v2), or add workers."
        )
        self.retry_after = retry_after


class DeadlineError(PerennialError):
    """A request whose time was over before it was answered."""

    def __init__(self) -> None:
        super().__init__(
            "The answer was not ready within the time that the request or PERENNIAL_DEADLINE_SECONDS allows. Try "
            "again, allow more (X-Request-Timeout-Ms; `timeout`, in microseconds, under /v2), or add workers."
        )


class FeedbackLateError(PerennialError):
    """Feedback of which it was not known, when its time was over, whether it is on disk."""

    def __init__(self) -> None:
        super().__init__(
            "The feedback was not known to be on disk within the time that the request or PERENNIAL_DEADLINE_SECONDS "
            "allows. It may have been recorded; sending it again does no harm. If this stays, look at its disk."
        )


class HungUpError(PerennialError):
    """A caller that hung up while its request waited: its place is free again."""

    def __init__(self) -> None:
        super().__init__("The caller hung up before its request was answered.")


class HeaderInvalidError(PerennialError):
    """A header that does not say what it should."""

    def __init__(self, name: str, expected: str, found: str) -> None:
        super().__init__(f"Header {name}: expected {expected}, found {found[:64]!a}.")


class HostInvalidError(PerennialError):
    """A request that does not say where it goes, or says it twice."""

    def __init__(self) -> None:
        super().__init__("Expected one header Host with a name or an address and perhaps a port (RFC 9112, 3.2).")


class StoppingError(PerennialError):
    """Work that came while the service was going down."""

    def __init__(self) -> None:
        super().__init__("The service is stopping. Send the request again, to another worker or a little later.")


class ModelOutputError(PerennialError):
    """A loaded model that gave something that is no answer."""


class RouteUnknownError(PerennialError):
    """An address at which nothing is."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Nothing is at {path[:200]!a}. There are: /v1/models, /v1/models/TASK, /v1/models/TASK:predict, "
            "/v1/models/TASK:feedback, /v1/embeddings, /v2 and /v2/models/TASK/infer, /predict, /livez, /readyz, "
            "/metrics, and /docs, which describes them all."
        )


class MetricsElsewhereError(PerennialError):
    """The metrics asked for at the main port, where they are not."""

    def __init__(self, port: int) -> None:
        super().__init__(f"The metrics have a port of their own here, {port} (PERENNIAL_METRICS_PORT).")


class MethodNotAllowedError(PerennialError):
    """A method that an address does not answer."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"Expected {' or '.join(allowed)}, found {method[:32]}.")
        self.allowed = tuple(allowed)
