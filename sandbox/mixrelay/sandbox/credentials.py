"""Who may send to `/import` and to `/lookup-tables` (Mixpanel: Import Events, Authentication)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

from mixrelay.sandbox.known import Known


class Caller(NamedTuple):
    """How a request showed who it is.

    Attributes:
        kind: `service_account`, `token`, `api_secret`, `api_key` or `oauth_token`.
        token: the project token it showed, if that was it.
    """

    kind: str
    token: str | None = None


def caller_of(authorization: str, params: Mapping[str, str], known: Known) -> Caller | None:
    """Return who sends to `/import`; None if the credentials are missing or wrong."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "bearer":
        # Mixpanel: 401 Unauthorized, OAuth tokens; the project is named in the query.
        is_known = encoded.strip() in known.oauth_tokens and bool(params.get("project_id"))
        return Caller("oauth_token") if is_known else None
    username, secret = _basic(scheme, encoded)
    api_key = params.get("api_key", "")
    if not known.compares:
        return _any_caller(username, secret, api_key, known)
    project = params.get("project_id", "")
    if username and secret:
        is_known = known.account == (username, secret, project)
        return Caller("service_account") if is_known else None
    # The token and the secret name the project themselves: "do not provide [project_id] if using
    # secret auth", "if project_id is not specified ... authenticated using the provided token".
    if username and not project:
        return _lone_name(username, known)
    return Caller("api_key") if api_key in known.api_secrets else None


def _any_caller(username: str, secret: str, api_key: str, known: Known) -> Caller | None:
    if username and secret:
        return Caller("service_account")
    if username:
        return Caller("token", username) if known.knows(username) else None
    return Caller("api_key") if api_key else None


def _lone_name(username: str, known: Known) -> Caller | None:
    if known.tokens is not None and username in known.tokens:
        return Caller("token", username)
    return Caller("api_secret") if username in known.api_secrets else None


def _basic(scheme: str, encoded: str) -> tuple[str, str]:
    if scheme.lower() != "basic":
        return "", ""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    username, _, secret = decoded.partition(":")
    return username, secret
