"""Who may send to `/import` (Mixpanel: Import Events reference, Authentication)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from mixrelay.sandbox.options import Options


def kind_of(authorization: str, params: Mapping[str, str], options: Options) -> str | None:
    """How a request to `/import` showed who it is; None if it did not.

    Returns:
        `service_account`, `token`, `api_secret` or `api_key`.
    """
    username, secret = _basic(authorization)
    api_key = params.get("api_key", "")
    project = params.get("project_id", "")
    if not options.has_credentials:
        return _any_kind(username, secret, api_key)
    if username and secret:
        account = (
            options.service_account_username,
            options.service_account_secret,
            options.project_id,
        )
        return "service_account" if (username, secret, project) == account else None
    # The token and the secret name the project themselves: "do not provide [project_id] if using
    # secret auth", "if project_id is not specified ... authenticated using the provided token".
    if username and not project:
        return _lone_name(username, options)
    return "api_key" if api_key in options.api_secrets else None


def _any_kind(username: str, secret: str, api_key: str) -> str | None:
    if username:
        return "service_account" if secret else "token"
    return "api_key" if api_key else None


def _lone_name(username: str, options: Options) -> str | None:
    if username in options.tokens:
        return "token"
    return "api_secret" if username in options.api_secrets else None


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    username, _, secret = decoded.partition(":")
    return username, secret
