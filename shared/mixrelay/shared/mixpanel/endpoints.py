"""Where Mixpanel listens, and as whom one speaks to it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from urllib.parse import quote, urlsplit

REGIONS = {
    "us": "https://api.mixpanel.com",
    "eu": "https://api-eu.mixpanel.com",
    "in": "https://api-in.mixpanel.com",
}
"""Base address of each data residency (Mixpanel: Ingestion API, servers)."""

# 48 bits: two destinations never share a name, even where every message brings its own key.
_FINGERPRINT_DIGITS = 12


class Endpoint(StrEnum):
    """One of the four doors of Mixpanel's ingestion API."""

    TRACK = "track"
    IMPORT = "import"
    ENGAGE = "engage"
    GROUPS = "groups"

    @property
    def query(self) -> str:
        """What every request to it carries, so that refusals are told and no IP is geolocated."""
        return _QUERIES[self]


_QUERIES = {
    Endpoint.TRACK: "verbose=1&ip=0",
    Endpoint.IMPORT: "strict=1",
    Endpoint.ENGAGE: "verbose=1&strict=1&ip=0",
    Endpoint.GROUPS: "verbose=1&strict=1&ip=0",
}


def base_address(region: str = "us", override: str | None = None) -> str:
    """Return the base address of a region, or a checked override of it (a proxy, the sandbox).

    Raises:
        ValueError: the region is unknown, or the override is no plain http(s) address.
    """
    if override:
        return _checked_address(override)
    try:
        return REGIONS[region.lower()]
    except KeyError:
        raise ValueError(f"Unknown region {region!r}: use one of {', '.join(REGIONS)}.") from None


def _checked_address(text: str) -> str:
    """Check an address, without repeating it where it may hold a password."""
    address = text if "://" in text else f"https://{text}"
    if any(char.isspace() or not char.isprintable() for char in address):
        raise ValueError("Mixpanel's base address holds a space or a control character.")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"Mixpanel's base address must be http or https, not {parts.scheme!r}.")
    if "@" in parts.netloc:
        raise ValueError(
            "Mixpanel's base address holds a user name or password: leave them out, "
            "credentials come from MIXPANEL_SERVICE_ACCOUNT_USERNAME and …_SECRET."
        )
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("Mixpanel's base address must be like https://host[:port][/path].")
    if parts.scheme == "http" and _is_mixpanels(parts.hostname):
        raise ValueError(f"Mixpanel rejects calls over plain HTTP: write https://{parts.hostname}.")
    _check_port(parts.netloc)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_mixpanels(host: str) -> bool:
    """Whether a host is one of Mixpanel's own (Mixpanel: Authentication, "made over HTTP")."""
    return f".{host.rstrip('.').lower()}".endswith(".mixpanel.com")


def _check_port(netloc: str) -> None:
    try:
        urlsplit(f"//{netloc}").port  # noqa: B018 - the property raises on a port that is none
    except ValueError:
        raise ValueError("Mixpanel's base address has a port that is no number to 65535.") from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Basic authentication for ``/import``; neither part ever shows in a repr."""

    username: str = field(repr=False)
    password: str = field(default="", repr=False)
    project_id: str | None = None
    is_token: bool = field(default=False, compare=False)
    """The user name is a project token, and not a service account's or a message's own key."""

    @classmethod
    def service_account(cls, username: str, secret: str, project_id: str) -> Credentials:
        """Credentials of a service account (Mixpanel: Import Events, Authentication).

        Raises:
            ValueError: one of the three is empty.
        """
        if not (username and secret and project_id):
            raise ValueError("A service account needs a user name, a secret and a project id.")
        return cls(username, secret, project_id)

    @classmethod
    def key(cls, key: str) -> Credentials:
        """Return a project token, or a message's own api_key: user name with an empty password."""
        return cls(key)

    @classmethod
    def of_token(cls, token: str) -> Credentials:
        """Return a project token as user name (Mixpanel: Import Events, Authentication)."""
        return cls(token, is_token=True)

    def fingerprint(self) -> str:
        """Return a short hash that tells credentials apart and gives none of them away."""
        return _fingerprint(self.username, self.password, self.project_id or "")


def token_fingerprint(base: str, token: str) -> str:
    """Return a short hash that names a project token at a base address and gives it not away."""
    return _fingerprint(base, "token", token)


def _fingerprint(*parts: str) -> str:
    # Lengths are part of it: ("ab", "c") is not ("a", "bc").
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_FINGERPRINT_DIGITS]


@dataclass(frozen=True)
class Destination:
    """An endpoint at an address with one identity; what is paused, and what shares a request.

    Attributes:
        base: address as ``base_address`` returns it.
        credentials: for ``/import``; elsewhere None.
        token: the project token inside the records, where that is the identity
            (``/track``, ``/engage``, ``/groups``); a request never mixes two. On ``/import`` only
            for merges that have nothing but their token to go by (`is_merges`).
    """

    endpoint: Endpoint
    base: str
    credentials: Credentials | None = None
    token: str | None = field(default=None, repr=False)

    @cached_property
    def name(self) -> str:
        """Name to group, store and show it by, as ``import:3f2a9c01b7d4``; holds no secret."""
        who = self.credentials.fingerprint() if self.credentials else ""
        return f"{self.endpoint}:{_fingerprint(self.base, self.endpoint, who, self.token or '')}"

    @property
    def by_project_secret(self) -> bool:
        """Whether it is a message's own `api_key`, and neither an account nor a token."""
        who = self.credentials
        return bool(who and not who.is_token and not who.project_id and self.token is None)

    @property
    def is_merges(self) -> bool:
        """Whether it is kept for ``$merge`` by a token, which ``/import`` may refuse.

        Mixpanel documents a service account or a project secret for ``$merge`` (Merge
        Identities), and a token for events (Import Events): a refusal of the one says nothing
        about the other, so they share no request.
        """
        return self.endpoint is Endpoint.IMPORT and self.token is not None

    @property
    def project_token(self) -> str | None:
        """The project token that decides whether Mixpanel keeps what is sent there.

        None where it is not a token that does: of a service account, of a message's own key, of
        merges (`is_merges`).
        """
        if self.endpoint is not Endpoint.IMPORT:
            return self.token
        by_token = self.credentials is not None and self.credentials.is_token
        return self.credentials.username if by_token and self.credentials else None

    @cached_property
    def url(self) -> str:
        """The whole address of a request, without credentials."""
        url = f"{self.base}/{self.endpoint}?{self.endpoint.query}"
        if self.credentials and self.credentials.project_id:
            url += f"&project_id={quote(self.credentials.project_id, safe='')}"
        return url

    @cached_property
    def authorization(self) -> str | None:
        """The header of basic authentication; in UTF-8, since a key may be any text."""
        if self.credentials is None:
            return None
        pair = f"{self.credentials.username}:{self.credentials.password}"
        return f"Basic {b64encode(_bytes(pair)).decode()}"

    @cached_property
    def secrets(self) -> tuple[bytes, ...]:
        """What must not show where an answer is shown, as it may be spelt; the longest first."""
        told = {self.token or ""}
        if self.credentials and self.authorization:
            told |= {self.credentials.username, self.credentials.password}
            told.add(self.authorization.removeprefix("Basic "))
        known = {spelling for secret in told for spelling in _spellings(secret)}
        return tuple(sorted(filter(None, known), key=len, reverse=True))


def _spellings(secret: str) -> tuple[bytes, ...]:
    """A secret as it stands, inside JSON, and inside an address."""
    plain = _bytes(secret)
    in_json = (json.dumps(secret, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False))
    return plain, *map(_bytes, in_json), quote(plain).encode(), quote(plain, safe="").encode()


def _bytes(text: str) -> bytes:
    # The environment hands over bytes that are no UTF-8 as lone surrogates.
    return text.encode("utf-8", "surrogateescape")
