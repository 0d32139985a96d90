"""Sending a message to Mixpanel at once, without the queue."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from mixrelay.producer.dispatch.endings import ending_in
from mixrelay.producer.errors import ConfigurationError, ConnectionFailedError, ServerError
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint, base_address
from mixrelay.shared.options import named_option
from mixrelay.shared.tuples import Kind, Message, read, write
from mixrelay.shared.variables import API_HOST, CA_FILE, PROXY, REGION

if TYPE_CHECKING:
    from mixrelay.shared.mixpanel.failures import Failure
    from mixrelay.shared.mixpanel.transport import Answer, Transport

_ENDPOINTS = {
    Kind.EVENT: Endpoint.TRACK,
    Kind.IMPORT: Endpoint.IMPORT,
    Kind.PROFILE_UPDATE: Endpoint.ENGAGE,
    Kind.GROUP_UPDATE: Endpoint.GROUPS,
}

_OK = 200

DEADLINE = named_option(
    "deadline",
    10.0,
    "deadline",
    "The longest that a whole exchange takes.",
    unit="seconds",
    minimum=0.001,
)
"""An argument alone: no variable is read for it."""

# Of an answer no more characters than this are repeated in an error.
_ANSWER_SHOWN = 300


class _ImportAtOnce(Destination):
    """``/import`` for records that no worker has given an ``ip``."""

    @cached_property
    def url(self) -> str:
        """The whole address; places nobody by this machine's (Mixpanel: Import Events, GeoIP)."""
        return f"{super().url}&ip=0"


class Consumer:
    """Sends messages over HTTP, one request each, before ``send`` returns.

    Other regions by their endpoints, as in Mixpanel's Ruby library, or by ``region``. Unlike
    there, imports follow: without an ``import_endpoint`` they go where the events go.

    Events go to ``/track``, which answers yes to a token that it does not know, and drops events
    older than five days (Mixpanel: Track Events). What is queued goes through ``/import``, which
    says what it refuses. Nobody is placed by the address that this sends from.

    Nothing is repeated, no redirect followed, and nothing read from netrc or the usual proxy
    variables: ``MIXRELAY_CA_FILE`` and ``MIXRELAY_PROXY`` say what leads to Mixpanel.
    Any number of threads may share one, and it may be made before a fork.
    """

    def __init__(
        self,
        events_endpoint: str | None = None,
        update_endpoint: str | None = None,
        groups_endpoint: str | None = None,
        import_endpoint: str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        credentials: Credentials | None = None,
        deadline: float = 10.0,
    ) -> None:
        """Read the settings, and open nothing.

        Args:
            events_endpoint: address that ends in ``/track``.
            update_endpoint: address that ends in ``/engage``.
            groups_endpoint: address that ends in ``/groups``.
            import_endpoint: address that ends in ``/import``; else beside the events'.
            region: ``us``, ``eu`` or ``in``; else ``MIXPANEL_REGION``, else ``us``.
            api_host: base address in place of a region's; else ``MIXPANEL_API_HOST``, unless
                ``region`` is given.
            credentials: a service account, for imports, also those that bring an ``api_key``, as
                in Mixpanel's own libraries. Without it they use their ``api_key``, or the token
                of their records (Mixpanel: Import Events, Authentication).
            deadline: seconds for a whole exchange.

        Raises:
            ConfigurationError: an address or the region cannot work.
        """
        base = base_from_settings(region, api_host)
        events = _base_of(events_endpoint, Endpoint.TRACK) or base
        self._bases = {
            Endpoint.TRACK: events,
            Endpoint.IMPORT: _base_of(import_endpoint, Endpoint.IMPORT) or events,
            Endpoint.ENGAGE: _base_of(update_endpoint, Endpoint.ENGAGE) or base,
            Endpoint.GROUPS: _base_of(groups_endpoint, Endpoint.GROUPS) or base,
        }
        self._credentials = credentials
        self._deadline = DEADLINE.read(deadline, "deadline")
        self._ca_file: str | None = CA_FILE.take() or None
        self._proxy: str | None = PROXY.take() or None
        self._transport: Transport | None = None
        self._pid = 0

    def send(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Send a message and return True once Mixpanel has accepted it.

        Args:
            type: ``event``, ``import``, ``profile_update`` or ``group_update``.
            message: a JSON text as ``{"data": …}``, of one record or a list of them.

        Raises:
            MalformedTupleError: this is no message (a ValueError).
            ConnectionFailedError: no whole answer came; ``maybe_delivered`` tells whether the
                message went out.
            ServerError: Mixpanel did not accept it.
        """
        read_message = read(write(type, message))
        destination = self._destination(read_message)
        body = f"[{','.join(read_message.texts())}]".encode()
        outcome = self._open_transport().post(destination, body)
        _check(outcome, destination.endpoint)
        return True

    def _destination(self, message: Message) -> Destination:
        endpoint = _ENDPOINTS[message.kind]
        token = _token(message)
        if endpoint is not Endpoint.IMPORT:
            return Destination(endpoint, self._bases[endpoint], token=token)
        credentials = self._credentials or Credentials.key(message.api_key or token)
        return _ImportAtOnce(endpoint, self._bases[endpoint], credentials, token)

    def _open_transport(self) -> Transport:
        if self._transport is None or self._pid != os.getpid():
            # Loads requests, which most who queue never need.
            from mixrelay.shared.mixpanel.transport import Transport  # noqa: PLC0415

            self._transport = Transport(
                deadline=self._deadline,
                ca_file=self._ca_file,
                proxy=self._proxy,
                ending_in=ending_in,
            )
            self._pid = os.getpid()
        return self._transport


def base_from_settings(region: str | None, api_host: str | None) -> str:
    """Return Mixpanel's base address: of arguments first, then of the environment.

    Raises:
        ConfigurationError: the region is unknown, or the address cannot work.
    """
    chosen = REGION.choose(os.environ, region)
    # A region that is given is meant, whatever address the environment has.
    environ = {} if chosen.origin == REGION.name else os.environ
    address = API_HOST.choose(environ, api_host)
    try:
        return base_address(chosen.value, address.value)
    except ValueError as error:
        raise ConfigurationError(f"{address.origin or chosen.origin}: {error}") from None


def _base_of(address: str | None, endpoint: Endpoint) -> str | None:
    """Return what stands before an endpoint in its whole address."""
    if address is None:
        return None
    base, found, rest = address.rstrip("/").rpartition(f"/{endpoint}")
    if not found or rest:
        # Not repeated, since it may hold a password.
        raise ConfigurationError(f"An endpoint's address does not end in /{endpoint}, as it must.")
    return base_from_settings(None, base)


def _token(message: Message) -> str:
    """Return the project token of the first record, or the empty text."""
    record: Any = orjson.loads(message.texts()[0])
    if not isinstance(record, dict):
        return ""
    properties = record.get("properties")
    token = properties.get("token") if isinstance(properties, dict) else record.get("$token")
    return token if isinstance(token, str) else ""


def _check(outcome: Answer | Failure, endpoint: Endpoint) -> None:
    """Raise unless Mixpanel accepted the message, every record of it."""
    from mixrelay.shared.mixpanel.failures import Failure  # noqa: PLC0415 - loaded with requests

    if isinstance(outcome, Failure):
        raise ConnectionFailedError(
            f"No answer from Mixpanel's /{endpoint}: {outcome.detail}.",
            maybe_delivered=outcome.sent,
        )
    body = outcome.body.decode(errors="replace")
    if outcome.status != _OK or not _accepted(outcome.body):
        raise ServerError(
            f"Mixpanel's /{endpoint} did not accept the message: it answered "
            f"{outcome.status} with {body[:_ANSWER_SHOWN]!r}.",
            status=outcome.status,
            body=body,
        )


def _accepted(body: bytes) -> bool:
    """Whether a 200 means yes: ``1``, ``status`` 1 or, from ``/import``, ``code`` 200.

    A proxy's page is a 200 too (Mixpanel: Track Events and Import Events, responses).
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(answer, dict):
        return answer == 1 and not isinstance(answer, bool)
    if answer.get("failed_records"):
        return False
    return answer.get("status") == 1 or answer.get("code") == _OK
