"""As whom, and to which of Mixpanel's endpoints, a message goes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.tuples import Kind

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

    def __init__(
        self,
        *,
        base: str,
        token: str | None,
        account: Credentials | None,
        events: Endpoint = Endpoint.IMPORT,
    ) -> None:
        """Without a token of its own the worker takes every record's for its own.

        Then a refused token pauses its destination and keeps its messages; were it foreign, a
        wrong region would turn a whole backlog into dead letters.

        Args:
            base: Mixpanel's base address.
            token: MIXPANEL_TOKEN, which also serves records without one.
            account: the service account, which serves only records of that token.
            events: ``/import``, or ``/track`` by MIXRELAY_EVENTS_ENDPOINT.
        """
        self._base = base
        self._token = token
        self._account = account
        self._events = events
        self._to_records = lru_cache(_REMEMBERED)(self._with_token)
        self._to_import = lru_cache(_REMEMBERED)(self._with_key)
        self._to_import_by_token = lru_cache(_REMEMBERED)(self._by_token)
        self._to_merge = lru_cache(_REMEMBERED)(self._merge_with_token)
        self._by_account = Route(Destination(Endpoint.IMPORT, base, account), own=True)

    @property
    def token(self) -> str | None:
        """The worker's own token."""
        return self._token

    def to_events(self, kind: Kind, api_key: str | None, token: str | None) -> Route | None:
        """Return the way of an event or an import, whatever its age."""
        if kind is Kind.IMPORT or self._events is Endpoint.IMPORT:
            return self.to_import(api_key, token)
        return self.to_records(self._events, token)

    def to_import(self, api_key: str | None, token: str | None) -> Route | None:
        """Return the way to ``/import``; None where nothing says as whom.

        The service account comes first where it serves the record: Mixpanel's own libraries
        leave an api_key, a Project Secret, out where an account is given, and it ends on
        2027-03-03 (Mixpanel: Project Secret). Then the message's own api_key, then the token as
        a user name.
        """
        if self._account_serves(token):
            return self._by_account
        key = token or self._token
        if api_key and api_key not in {token, self._token}:
            return self._to_import(api_key)
        return self._to_import_by_token(key) if key else None

    def to_merge(self, api_key: str | None, token: str | None) -> Route | None:
        """Return the way of a ``$merge``: to ``/import``, by a token apart from all else."""
        key = token or self._token
        if api_key or self._account_serves(token) or not key:
            return self.to_import(api_key, token)
        return self._to_merge(key)

    def to_records(self, endpoint: Endpoint, token: str | None) -> Route | None:
        """Return the way to an endpoint that finds the token inside each record.

        A record without one gets the worker's own; None where neither is there.
        """
        key = token or self._token
        return self._to_records(endpoint, key) if key else None

    def _account_serves(self, token: str | None) -> bool:
        return self._account is not None and token in {None, self._token}

    def _with_token(self, endpoint: Endpoint, token: str) -> Route:
        return Route(Destination(endpoint, self._base, token=token), self._is_own(token))

    def _with_key(self, key: str) -> Route:
        return Route(Destination(Endpoint.IMPORT, self._base, Credentials.key(key)), own=False)

    def _by_token(self, token: str) -> Route:
        who = Credentials.of_token(token)
        return Route(Destination(Endpoint.IMPORT, self._base, who), self._is_own(token))

    def _merge_with_token(self, token: str) -> Route:
        who = Credentials.key(token)
        # Its refusal is the message's trouble: a token may do all else.
        return Route(Destination(Endpoint.IMPORT, self._base, who, token=token), own=False)

    def _is_own(self, token: str) -> bool:
        return self._token is None or token == self._token
