"""Asks `/import` whether Mixpanel knows some credentials, without a trace in any project.

`/track`, `/engage` and `/groups` answer alike to any token (Mixpanel: Track Events, "This does not
signify a valid project token"). `/import` takes a token as user name and refuses one that it does
not know. A record without a name, a time or an `$insert_id` is what its strict mode refuses
(Mixpanel: Import Events), so that nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from mixrelay.shared.mixpanel import answers
from mixrelay.shared.mixpanel.endpoints import REGIONS, Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.transport import Answer

NAMELESS = b'[{"event":"","properties":{}}]'
"""One record that leaves no trace."""

_REFUSALS = frozenset({401, 403})
_BAD_REQUEST = 400
_OK = 200

_LONG, _MIDDLE = 16, 8
"""Characters of a token from which on its two ends, or only its start, may be shown."""

Ask = Callable[[Destination, bytes], Answer | Failure]


class Proof(StrEnum):
    """What an answer to a proof says about the credentials."""

    PROVEN = "proven"
    REFUSED = "refused"
    SILENT = "silent"
    """Nothing: there was no answer, or it is not Mixpanel's, or it is about something else."""


def ask_import(ask: Ask, base: str, credentials: Credentials) -> Answer | Failure:
    """Sends the nameless record to `/import` under these credentials."""
    return ask(Destination(Endpoint.IMPORT, base, credentials), NAMELESS)


def judge_proof(answer: Answer | Failure) -> Proof:
    """Reads the answer to a nameless record; a proxy's page proves and refutes nothing."""
    if isinstance(answer, Failure):
        return Proof.SILENT
    body = answers.parsed(answer)
    if answer.status == _BAD_REQUEST and answers.failed_records(body, 1):
        return Proof.PROVEN
    if answer.status == _OK and answers.accepted(body):
        return Proof.PROVEN
    return Proof.REFUSED if is_refusal(answer) else Proof.SILENT


def is_refusal(answer: Answer) -> bool:
    """Whether Mixpanel itself refuses the credentials: 401 or 403 with a body of its form."""
    return answer.status in _REFUSALS and answers.is_mixpanels(answers.parsed(answer))


class Elsewhere(StrEnum):
    """What the other regions say of credentials that one region refuses, where none knows them."""

    NOWHERE = "nowhere"
    """All of them refuse."""
    UNKNOWN = "unknown"
    """One of them said nothing."""


def look_elsewhere(ask: Ask, refused_by: str, credentials: Credentials) -> str | Elsewhere:
    """Asks the regions other than `refused_by` (a base address).

    Returns:
        The name of the region that knows the credentials, as in MIXPANEL_REGION.
    """
    result = Elsewhere.NOWHERE
    for region, base in REGIONS.items():
        if base == refused_by:
            continue
        proof = judge_proof(ask_import(ask, base, credentials))
        if proof is Proof.PROVEN:
            return region
        if proof is Proof.SILENT:
            result = Elsewhere.UNKNOWN
    return result


def masked(token: str) -> str:
    """A token as it may be shown: enough to recognise it, too little to use it."""
    if len(token) >= _LONG:
        return f"{token[:4]}…{token[-2:]}"
    return f"{token[:2]}…" if len(token) >= _MIDDLE else "…"
