"""Addresses of which only the network is kept."""

from __future__ import annotations

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


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, so that it can place anybody."""
    return ip_address(address).is_global
