"""What can go wrong on a connection before there is a request, or an answer to it."""

from __future__ import annotations

from contracts.errors import PerennialError


class NotHttpError(PerennialError):
    """Bytes that are no request."""

    def __init__(self) -> None:
        super().__init__(
            "A request of HTTP/1.1 was expected, and what came cannot be read as one. Send it with an HTTP client; "
            "https:// is for a proxy in front of the service, which itself speaks http:// alone."
        )


class BodiesFullError(PerennialError):
    """A long body that came while as many as there is room for are coming already."""

    def __init__(self) -> None:
        super().__init__("As many long bodies as there is room for are being read. Send it again a little later.")


class ConnectionsFullError(PerennialError):
    """A connection above the number that this worker can hold open."""

    def __init__(self, most: int) -> None:
        super().__init__(f"This worker holds {most} connections open, as many as it may. Try again a little later.")


class HalfClosedError(PerennialError):
    """A caller that closed its side of the connection, as who hangs up does, and could not be answered soon."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The sending side of the connection was closed, and there was no answer within {seconds:g} s of that. "
            "Keep the connection open until the answer has come."
        )


class HeadTooSlowError(PerennialError):
    """A request line and headers that stopped coming."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The whole head of a request was expected within {seconds:g} s and did not come.")


class HeadTooLargeError(PerennialError):
    """A request line and headers above the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request line and headers were expected to be at most {limit} bytes and are more.")
