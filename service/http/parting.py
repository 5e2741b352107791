"""The end of a connection whose other side may still be sending: its last answer is to be read all the same.

Bytes that meet a closed socket are answered with a reset, at which the other side's system throws away what came and
was not read yet: the refusal of a body that is too large would seldom reach who sends it (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
from typing import Any

from service.http.exchange import last_answer
from service.http.problems import Problem

# A caller that means well reads its answer and hangs up long before.
_SECONDS = 2.0


class Parting:
    """Of one connection. Once it has begun nothing more is written, and what comes is thrown away: until the other side
    has finished, for two seconds or `most_bytes` at the most.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop, most_bytes: int) -> None:
        self._transport = transport
        self._loop = loop
        self._left = most_bytes
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_begun(self) -> bool:
        """Also where the connection is being closed for any other reason."""
        return self._timer is not None or self._transport.is_closing()

    @property
    def waits(self) -> bool:
        """Whether the other side is still given its time."""
        return self._timer is not None and not self._transport.is_closing()

    def tell(self, problem: Problem) -> None:
        """As the last answer, unless there was one."""
        if not self.has_begun:
            headers = [(b"content-type", problem.content_type), *problem.headers]
            self._transport.write(last_answer(problem.status, headers, problem.body))

    def begin(self) -> None:
        """What was written so far was the last."""
        if not self.has_begun:
            self._timer = self._loop.call_later(_SECONDS, self._transport.close)
            self._transport.write_eof()
            self._transport.resume_reading()

    def came(self, size: int) -> None:
        """So many bytes."""
        if self.waits:
            self._left -= size
            if self._left < 0:
                self._transport.close()

    def over(self) -> None:
        """The connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
