"""A NAT on the way: it forgets connections that are idle, and says so to nobody."""

from tests.support.faultproxy import Exchange, Fault, half_open
from tests.support.wire import Stream


class Nat:
    """The plan of a ``FaultProxy``: what is sent on a forgotten connection, nobody gets."""

    def __init__(self) -> None:
        self.connections: set[Stream] = set()
        self._forgotten: set[Stream] = set()

    def __call__(self, exchange: Exchange) -> Fault | None:
        client = exchange._client
        self.connections.add(client)
        return half_open if client in self._forgotten else None

    def forget(self) -> None:
        """As if all that are open now had been idle for too long."""
        self._forgotten |= self.connections
