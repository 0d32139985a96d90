"""The four endpoints: what each keeps of a request, and what it answers.

Pure: an outcome is returned, and the intake writes it down or lets a fault get in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mixrelay.sandbox import answers, credentials
from mixrelay.sandbox.answers import Answer
from mixrelay.sandbox.bodies import BodyError, Received, UnreadableError
from mixrelay.sandbox.known import Known
from mixrelay.sandbox.operations import group_violation, profile_violation
from mixrelay.sandbox.options import Options
from mixrelay.sandbox.validation import (
    import_violation,
    is_ignored,
    too_old_for_track,
    track_violation,
)
from mixrelay.sandbox.violation import Violation

MAX_RECORDS = 2_000
FAILED = "some data points in the request failed validation"
TOO_OLD = Violation("properties.time", "must be within the last 5 days on /track")
UNKNOWN_TOKEN = Violation("token", "is not a token of this sandbox")
IGNORED = Violation("properties.$ignore", "drops the event")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an endpoint; `now` is the time of its arrival in seconds since the epoch."""

    received: Received
    authorization: str
    options: Options
    known: Known
    now: float


class Drop(NamedTuple):
    """A record that was not kept; `silent` if the answer does not tell."""

    record: Any
    violation: Violation
    silent: bool


@dataclass(slots=True)
class Outcome:
    """What becomes of a request.

    Attributes:
        project: the token it was sent under, if it showed one.
        is_plain: no record has anything to cut or to hide.
    """

    answer: Answer
    accepted: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[Drop] = field(default_factory=list)
    credentials: str | None = None
    project: str | None = None
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    takes: Callable[[Call], Outcome]
    gzip: bool


def receive(endpoint: Endpoint, call: Call) -> Outcome:
    """What becomes of a request whose body was understood."""
    if len(call.received.records) > MAX_RECORDS:
        # Mixpanel: 413 Payload Too Large lists the 2,000 events among its causes.
        return Outcome(answers.coded(413, f"request exceeds max limit of {MAX_RECORDS} records"))
    outcome = endpoint.takes(call)
    outcome.is_plain = call.received.is_plain
    # /import has no such parameter (Mixpanel: Ingestion API).
    if endpoint.path != "/import" and (function := call.received.params.get("callback")):
        outcome.answer = answers.called_back(outcome.answer, function)
    return outcome


def refuse(endpoint: Endpoint, error: BodyError, call: Call) -> Outcome:
    """What is answered to a body that could not be understood."""
    if isinstance(error, UnreadableError) and endpoint.path != "/import":
        # 0: "No data objects in the body are valid"
        return Outcome(_one_or_zero(call.received, str(error)))
    return Outcome(answers.coded(error.status, str(error)))


def _track(call: Call) -> Outcome:
    received = call.received
    outcome = Outcome(answers.plain(accepted=True), credentials="token")
    refused: str | None = None
    valid = False
    for record in received.records:
        broken = track_violation(record, scrutinise=received.needs_scrutiny, flat=received.is_plain)
        if broken:
            refused = refused or broken.message
        else:
            valid = True
            broken = _silent_violation(record, call)
        _sort(outcome, record, broken, silent=True)
    # "One or more objects provided are valid. This does not signify a valid project token".
    outcome.answer = _one_or_zero(received, None if valid else refused)
    if received.flag("img"):
        outcome.answer = answers.pixel()
    return outcome


def _silent_violation(record: Any, call: Call) -> Violation | None:
    properties = record["properties"]
    if is_ignored(properties):
        return IGNORED
    if too_old_for_track(record, call.now):
        return TOO_OLD
    return None if call.known.knows(properties["token"]) else UNKNOWN_TOKEN


def _import(call: Call) -> Outcome:
    received = call.received
    caller = credentials.caller_of(call.authorization, received.params, call.known)
    if caller is None or (caller.kind == "token" and _merges_without_right(call)):
        return Outcome(answers.coded(401, "Invalid credentials"))
    strict = received.flag("strict")
    outcome = Outcome(
        answers.plain(accepted=True),
        credentials=caller.kind,
        project=caller.token or call.known.only_token,
    )
    failed: list[dict[str, Any]] = []
    for index, record in enumerate(received.records):
        broken = import_violation(
            record,
            call.now,
            strict=strict,
            scrutinise=received.needs_scrutiny,
            flat=received.is_plain,
        )
        if broken:
            failed.append(_failed_event(index, record, broken))
        elif is_ignored(record["properties"]):
            # "The ingestion API silently drops it": it is no failed record, nor counted.
            _sort(outcome, record, IGNORED, silent=True)
            continue
        _sort(outcome, record, broken, silent=not strict)
    outcome.answer = _import_answer(received, len(outcome.accepted), failed)
    return outcome


def _merges_without_right(call: Call) -> bool:
    """Return whether `$merge` comes under a project token alone.

    Mixpanel: Merge Identities, "protected by the project api secret"; the Identity API lists a
    service account, a project secret and an OAuth token.
    """
    if call.options.merge_by_token:
        return False
    records = call.received.records
    return any(isinstance(record, dict) and record.get("event") == "$merge" for record in records)


def _import_answer(received: Received, imported: int, failed: list[dict[str, Any]]) -> Answer:
    if "strict" not in received.params:
        # Old clients send no strict, and wait for the `1` or the `status` of /track.
        return _one_or_zero(received, failed[0]["message"] if failed and not imported else None)
    if not failed or not received.flag("strict"):
        return answers.coded(200, num_records_imported=imported)
    return answers.coded(400, FAILED, failed_records=failed, num_records_imported=imported)


def _failed_event(index: int, record: Any, broken: Violation) -> dict[str, Any]:
    properties = record.get("properties") if isinstance(record, dict) else None
    insert_id = properties.get("$insert_id") if isinstance(properties, dict) else None
    return {
        "index": index,
        "insert_id": insert_id if isinstance(insert_id, str) else "",
        "field": broken.field,
        "message": broken.message,
    }


def _engage(call: Call) -> Outcome:
    return _update(call, profile_violation)


def _groups(call: Call) -> Outcome:
    return _update(call, group_violation)


def _update(call: Call, violation: Callable[..., Violation | None]) -> Outcome:
    received = call.received
    strict = received.flag("strict")
    outcome = Outcome(answers.plain(accepted=True), credentials="token")
    failed: list[dict[str, Any]] = []
    for index, record in enumerate(received.records):
        broken = violation(record, scrutinise=received.needs_scrutiny)
        if broken:
            failed.append({"index": index, "field": broken.field, "message": broken.message})
            _sort(outcome, record, broken, silent=not strict)
        else:
            known = call.known.knows(record["$token"])
            _sort(outcome, record, None if known else UNKNOWN_TOKEN, silent=True)
    outcome.answer = _update_answer(received, failed)
    return outcome


def _update_answer(received: Received, failed: list[dict[str, Any]]) -> Answer:
    if received.flag("strict"):
        # Mixpanel: Set Property, "200 OK even if there are data validation issues".
        more = {"failed_records": failed} if failed else {}
        return answers.verbose(FAILED if failed else None, **more)
    all_failed = len(failed) == len(received.records)
    return _one_or_zero(received, failed[0]["message"] if all_failed else None)


def _sort(outcome: Outcome, record: Any, broken: Violation | None, *, silent: bool) -> None:
    if broken is None:
        outcome.accepted.append(record)
    else:
        outcome.dropped.append(Drop(record, broken, silent))


def _one_or_zero(received: Received, error: str | None) -> Answer:
    if received.flag("verbose"):
        return answers.verbose(error)
    return answers.plain(accepted=error is None)


ENDPOINTS = (
    Endpoint("/track", _track, gzip=True),
    Endpoint("/import", _import, gzip=True),
    Endpoint("/engage", _engage, gzip=False),
    Endpoint("/groups", _groups, gzip=False),
)
