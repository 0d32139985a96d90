"""Cookies: one is read from a header, and one is written into one."""

from __future__ import annotations

from dataclasses import dataclass

TWO_YEARS = 2 * 365 * 24 * 60 * 60


def cookie_in(header: str, name: str) -> str | None:
    """Return a cookie's value from a ``Cookie`` header; None where there is none.

    >>> cookie_in('a=1; b="2"', "b")
    '2'
    """
    wanted = f"{name}="
    at = header.find(wanted)
    while at >= 0:
        if at == 0 or header[at - 1] in "; ":  # not the end of another one's name
            start = at + len(wanted)
            end = header.find(";", start)
            return header[start : len(header) if end < 0 else end].strip(' "')
        at = header.find(wanted, at + 1)
    return None


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie that a response sets; its value needs no quotes.

    Attributes:
        name: its name.
        value: what it holds.
        secure: whether browsers send it by HTTPS alone.
        domain: whose subdomains see it too; None for the host alone.
        max_age: seconds.
    """

    name: str
    value: str
    secure: bool
    domain: str | None = None
    max_age: int = TWO_YEARS

    def header(self) -> str:
        """Return the value of a ``Set-Cookie`` header."""
        parts = [f"{self.name}={self.value}", f"Max-Age={self.max_age}", "Path=/"]
        if self.domain:
            parts.append(f"Domain={self.domain}")
        if self.secure:
            parts.append("Secure")
        return "; ".join([*parts, "HttpOnly", "SameSite=Lax"])
