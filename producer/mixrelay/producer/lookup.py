"""Lookup tables, which Mixpanel replaces as a whole.

    from mixrelay.producer.lookup import replace_lookup_table

    replace_lookup_table("d1b6d2e0-1330-4ad6-b520-d948ede3b1a7", "songs.csv")

It is a request of its own, answered before the call returns: for a script, not for a request
handler. ``mixrelay lookup replace`` does the same.

Source: Mixpanel's reference page Replace a Lookup Table, and its guide Lookup Tables.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import UUID

import orjson

from mixrelay.producer.consumer import DEADLINE, base_from_settings
from mixrelay.producer.dispatch.endings import ending_in
from mixrelay.producer.errors import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidPropertyError,
    ServerError,
)
from mixrelay.producer.records.lookup_csv import csv_of_file, csv_of_rows
from mixrelay.shared.mixpanel.answers import is_mixpanels, parsed
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.variables import (
    ACCOUNT_SECRET,
    ACCOUNT_USERNAME,
    CA_FILE,
    PROJECT_ID,
    PROXY,
)

__all__ = ["Table", "replace_lookup_table"]

Table: TypeAlias = "str | os.PathLike[str] | Iterable[Mapping[str, Any]] | Iterable[Sequence[Any]]"
"""The path of a CSV file, or rows: dicts, or lists of which the first is the header."""

SECONDS = 120.0
"""For the whole exchange: 100 MB take half of it at 15 Mbit/s."""

_ACCOUNT = (ACCOUNT_USERNAME, ACCOUNT_SECRET, PROJECT_ID)

_OK = 200

# Of an answer no more characters than this are repeated in an error.
_ANSWER_SHOWN = 300

_REFUSALS = {
    401: (
        "Mixpanel refused the service account. Check MIXPANEL_SERVICE_ACCOUNT_USERNAME and "
        "MIXPANEL_SERVICE_ACCOUNT_SECRET, that the account belongs to the project of "
        "MIXPANEL_PROJECT_ID, and MIXPANEL_REGION."
    ),
    403: (
        "The service account may not replace lookup tables. Give it the role Owner or Admin in "
        "the project of MIXPANEL_PROJECT_ID."
    ),
    404: (
        "The project has no lookup table with this id. Copy the id from the table's details in "
        "Lexicon; check MIXPANEL_PROJECT_ID and MIXPANEL_REGION."
    ),
    413: "The table is larger than Mixpanel takes, which is 100 MB.",
    429: "The table was replaced too often; Mixpanel allows 100 times a day. Try again later.",
}


_BETWEEN = (
    "Something other than Mixpanel answered, such as a proxy or a firewall. Check MIXRELAY_PROXY, "
    "MIXPANEL_API_HOST and the network."
)


@dataclass(frozen=True)
class _LookupTable(Destination):
    """The place of one lookup table; its credentials are those of ``/import``."""

    table_id: str = ""

    @cached_property
    def url(self) -> str:
        """The whole address of a request, without credentials."""
        project = quote(self.credentials.project_id or "", safe="") if self.credentials else ""
        return f"{self.base}/lookup-tables/{self.table_id}?project_id={project}"


def replace_lookup_table(
    table_id: str | UUID,
    table: Table,
    *,
    credentials: Credentials | None = None,
    region: str | None = None,
    api_host: str | None = None,
    deadline: float = SECONDS,
) -> int:
    """Replace a lookup table as a whole, and return how many rows it has now.

    Rows that are not in the new table are gone from Mixpanel. At most 100 MB, and 100 times a
    day. Nothing is repeated; a replacement may be repeated by the caller.

    Args:
        table_id: the table's id, a UUID, from its details in Lexicon.
        table: the path of a CSV file in UTF-8 with a header, whose first column is the key; or
            rows, as dicts that all have the first one's keys, or as lists after a header.
        credentials: a service account; else ``MIXPANEL_SERVICE_ACCOUNT_USERNAME``,
            ``MIXPANEL_SERVICE_ACCOUNT_SECRET`` and ``MIXPANEL_PROJECT_ID``.
        region: ``us``, ``eu`` or ``in``; else ``MIXPANEL_REGION``, else ``us``.
        api_host: base address in place of a region's; else ``MIXPANEL_API_HOST``.
        deadline: seconds for the whole exchange.

    Raises:
        InvalidPropertyError: the id or the table is none that Mixpanel takes; nothing was sent.
        ConfigurationError: there is no service account, or a setting cannot work.
        OSError: the file cannot be read.
        ConnectionFailedError: no whole answer came; ``maybe_delivered`` tells whether the table
            went out.
        ServerError: Mixpanel did not accept it; the text says what to change.
    """
    account = credentials or _account_from_environment()
    if not account.project_id:
        raise ConfigurationError(
            "A lookup table is replaced by a service account: Credentials.service_account()."
        )
    base = base_from_settings(region, api_host)
    destination = _LookupTable(Endpoint.IMPORT, base, account, table_id=_checked_id(table_id))
    if isinstance(table, str | os.PathLike):
        body, rows = csv_of_file(table)
    else:
        body, rows = csv_of_rows(table)
    _put(destination, body, DEADLINE.read(deadline, "deadline"))
    return rows


def _checked_id(table_id: str | UUID) -> str:
    """Return a table's id; checked, since it becomes part of the address."""
    try:
        return str(UUID(str(table_id)))
    except ValueError:
        raise InvalidPropertyError(
            "table_id",
            "is no id of a lookup table, which is a UUID; copy it from the table's details in "
            "Lexicon",
        ) from None


def _account_from_environment() -> Credentials:
    parts = [told.take() for told in _ACCOUNT]
    missing = [told.variable for told, part in zip(_ACCOUNT, parts, strict=True) if not part]
    if missing:
        raise ConfigurationError(
            "A lookup table is replaced by a service account, and there is none: set "
            f"{' and '.join(missing)}."
        )
    return Credentials.service_account(*parts)


def _put(destination: Destination, body: bytes, deadline: float) -> None:
    """Send a table, and raise unless Mixpanel accepted it."""
    # They load requests, which most who queue never need.
    from mixrelay.shared.mixpanel.failures import Failure  # noqa: PLC0415
    from mixrelay.shared.mixpanel.transport import Transport  # noqa: PLC0415

    transport = Transport(
        read_timeout=deadline,
        deadline=deadline,
        ca_file=CA_FILE.take() or None,
        proxy=PROXY.take() or None,
        ending_in=ending_in,
    )
    try:
        outcome = transport.put(destination, body, "text/csv")
    finally:
        transport.close()
    if isinstance(outcome, Failure):
        raise ConnectionFailedError(
            f"No answer from Mixpanel's /lookup-tables: {outcome.detail}.",
            maybe_delivered=outcome.sent,
        )
    text = outcome.body.decode(errors="replace")
    if outcome.status != _OK or not _accepted(outcome.body):
        said = _REFUSALS.get(outcome.status, "Mixpanel did not accept the table.")
        if not is_mixpanels(parsed(outcome)):
            said = _BETWEEN
        raise ServerError(
            f"{said} It answered {outcome.status} with {text[:_ANSWER_SHOWN]!r}.",
            status=outcome.status,
            body=text,
        )


def _accepted(body: bytes) -> bool:
    """Whether a 200 means yes; a proxy's page is a 200 too."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and answer.get("code") == _OK
