"""Addresses of which only the network is kept."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

KEPT_OF_IPV4 = 24
KEPT_OF_IPV6 = 48
"""Bits: what places a user, and names no household."""


def masked(address: str) -> str:
    """Return the first address of the network that an address lies in.

    >>> masked("203.0.113.77")
    '203.0.113.0'
    """
    bits = KEPT_OF_IPV4 if ip_address(address).version == 4 else KEPT_OF_IPV6  # noqa: PLR2004
    return str(ip_network(f"{address}/{bits}", strict=False).network_address)


@lru_cache(maxsize=4096)
def plain_address(peer: str | None) -> str | None:
    """Return a connection's address; None where it is none, such as a Unix socket's.

    A server that listens on IPv6 sees an IPv4 client as ``::ffff:192.0.2.1``.

    >>> plain_address("::ffff:192.0.2.1")
    '192.0.2.1'
    """
    try:
        address = ip_address(peer or "")
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, so that it can place anybody."""
    return ip_address(address).is_global
