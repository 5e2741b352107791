"""The requests of one connection, in the order in which they are answered, and what their bodies hold."""

from __future__ import annotations

from collections import deque

from service.http.exchange import HIGH_WATER, Exchange


class Bodies:
    """Bytes of bodies in memory that nobody has answered yet, of all connections of a server."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0


class Turns(deque[Exchange]):
    """The first is being answered."""

    def __init__(self, bodies: Bodies) -> None:
        super().__init__()
        self._bodies = bodies

    def came(self, exchange: Exchange, size: int) -> bool:
        """A part of a body, in bytes; whether there is room for it."""
        self._bodies.held += size
        # Only in its turn: a caller would take the refusal for the answer to what it asked before.
        return self._bodies.held <= self._bodies.most or exchange.held <= HIGH_WATER or exchange is not self[0]

    def answered(self, exchange: Exchange) -> None:
        """Its turn is over."""
        self._forget(exchange)
        if self and self[0] is exchange:
            self.popleft()

    def drop(self, exchange: Exchange) -> None:
        """It is not answered: the rest of it will not come."""
        exchange.disconnect()
        self._forget(exchange)
        if exchange in self:
            self.remove(exchange)

    def give_up(self) -> None:
        """None of them is answered any more."""
        for exchange in self:
            exchange.disconnect()
            self._forget(exchange)
        self.clear()

    def end_with_last(self) -> None:
        """The answer to the last of them is the connection's last."""
        if self:
            self[-1].keep_alive = False

    def _forget(self, exchange: Exchange) -> None:
        """What is left of its body counts no more."""
        self._bodies.held -= exchange.held
        exchange.held = 0
