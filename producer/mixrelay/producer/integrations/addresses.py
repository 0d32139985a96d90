"""Whose request it is, told by the proxies that one trusts and by nobody else.

Anyone may send ``X-Forwarded-For``; each proxy on the way appends the address that it was
connected from. So only its right end can be believed, as far as trusted proxies wrote it: the
user is the nearest address that is no trusted proxy's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from mixrelay.producer.errors import ConfigurationError
from mixrelay.shared.reading import trimmed

UNIX = "unix"
"""Among trusted proxies: whoever connects through a Unix socket."""

MOST_KEPT = 128
"""Characters of an ``X-Forwarded-For`` that is kept in memory with the address found in it."""

FARTHEST = 32
"""Hops that are looked at; a longer way is a forgery."""


class ClientAddress:
    """Finds a user's address among those that a request came through.

    Without trusted proxies it is the peer's, whatever the header says.
    """

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        """Read the networks.

        Args:
            trusted_proxies: addresses and networks (``10.0.0.0/8``, ``2001:db8::/32``) of the
                proxies that append to ``X-Forwarded-For``; ``unix`` for a local socket.

        Raises:
            ConfigurationError: one is neither.
        """
        if isinstance(trusted_proxies, str):
            raise ConfigurationError(
                f"trusted_proxies is the text {trusted_proxies!r}; give a list of networks."
            )
        named = {trimmed(one) if isinstance(one, str) else one for one in trusted_proxies}
        self._trusts_unix = UNIX in named
        self._networks = [_network(text) for text in sorted(named - {UNIX})]
        self._found = lru_cache(maxsize=2048)(self._find)

    def of(self, peer: str | None, forwarded: str | None) -> str | None:
        """Return the user's address; None where no one who is trusted knows it.

        Args:
            peer: the other end of the connection; None or empty for a Unix socket.
            forwarded: the value of ``X-Forwarded-For``, several joined by commas in order.
        """
        if forwarded is not None and len(forwarded) > MOST_KEPT:
            return self._find(peer, forwarded)
        return self._found(peer, forwarded)  # as a visitor's next request

    def _find(self, peer: str | None, forwarded: str | None) -> str | None:
        if peer:
            nearest = _address(peer)
            if nearest is None or not self._trusts(nearest):
                return _text(nearest)
        elif not self._trusts_unix:
            return None
        return self._behind_proxies(forwarded or "")

    def trusts(self, peer: str | None) -> bool:
        """Whether the other end of a connection is one of the trusted proxies."""
        if not peer:
            return self._trusts_unix
        address = _address(peer)
        return address is not None and self._trusts(address)

    def _behind_proxies(self, forwarded: str) -> str | None:
        for hop in reversed(forwarded.rsplit(",", FARTHEST)[-FARTHEST:]):
            address = _address(hop)
            if address is None or not self._trusts(address):
                return _text(address)
        # Proxies all the way: a health check. To place a user at a proxy would be wrong.
        return None

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        for network in self._networks:  # noqa: SIM110 - faster than any(), for each request
            if address in network:
                return True
        return False


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies holds {text!r}: {error}. Use networks such as '10.0.0.0/8', "
            f"or {UNIX!r}."
        ) from error


@lru_cache(maxsize=4096)
def _address(hop: str) -> IPv4Address | IPv6Address | None:
    """Read one hop, which some proxies write with a port; None if it is no address."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A server that listens on IPv6 sees ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def _text(address: IPv4Address | IPv6Address | None) -> str | None:
    return None if address is None else str(address)
