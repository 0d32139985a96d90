"""As whom, and to which of Mixpanel's endpoints, a message goes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint

# A queue may carry foreign tokens and keys without end; a fleet's own are few.
_REMEMBERED = 1_024


class Route(NamedTuple):
    """A destination, and whether its credentials are the worker's own.

    With the worker's own a refusal means a wrong configuration, with a message's own that
    message's trouble.
    """

    destination: Destination
    own: bool


class Routes:
    """The destinations of one worker's messages."""

    def __init__(self, *, base: str, token: str | None, account: Credentials | None) -> None:
        """Without a token of its own the worker takes every record's for its own.

        Then a refused token pauses its destination and keeps its messages; were it foreign, a
        wrong region would turn a whole backlog into dead letters.
        """
        self._base = base
        self._token = token
        self._account = account
        self._to_records = lru_cache(_REMEMBERED)(self._with_token)
        self._to_import = lru_cache(_REMEMBERED)(self._with_key)
        self._by_account = Route(Destination(Endpoint.IMPORT, base, account), own=True)

    def account_serves(self, token: str | None) -> bool:
        """Whether the service account may import a record with this token, or without one."""
        return self._account is not None and token in {None, self._token}

    def to_import(self, api_key: str | None, token: str | None) -> Route | None:
        """Return the way to ``/import``; None where nothing says as whom.

        The message's own api_key comes first, then the service account, then the token as a
        user name.
        """
        if api_key:
            return self._to_import(api_key, self._token == api_key)
        if self.account_serves(token):
            return self._by_account
        key = token or self._token
        return self._to_import(key, self._is_own(key)) if key else None

    def to_records(self, endpoint: Endpoint, token: str | None) -> Route | None:
        """Return the way to an endpoint that finds the token inside each record, if there."""
        return self._to_records(endpoint, token) if token else None

    def _with_token(self, endpoint: Endpoint, token: str) -> Route:
        return Route(Destination(endpoint, self._base, token=token), self._is_own(token))

    def _with_key(self, key: str, own: bool) -> Route:
        return Route(Destination(Endpoint.IMPORT, self._base, Credentials.key(key)), own)

    def _is_own(self, token: str) -> bool:
        return self._token is None or token == self._token
