"""Dead letters: what one holds, and which ones a filter means."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

import orjson

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.letters.failure_group import group_name
from mixrelay.shared.queue.messages.batch import Number
from mixrelay.shared.tuples import MalformedTupleError, read


@dataclass(frozen=True, slots=True)
class Death:
    """An earlier death of a letter that was replayed since."""

    reason: str
    status: int
    error: str
    at: datetime
    replayed_at: datetime
    job: str = ""
    """The bulk job that re-queued it; empty where it was re-queued without one."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a letter's message by an operator."""

    at: datetime
    who: str
    why: str
    restored: bool = False
    """It put the original back."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Where an imported letter comes from."""

    id: str
    """Its number there."""
    dead_since: datetime
    file: str = ""
    """Stands for its file among the letters' places; empty where an older program imported it."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A correction by a bulk job."""

    job: str
    before: bytes
    """The tuple as it was then."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was not delivered, kept until someone decides."""

    id: Number
    type: str
    """`event`, `import`, `profile_update`, `group_update`; `unknown` where it could not be read."""
    lane: str
    reason: str
    status: int
    """HTTP status of the answer that decided, 0 where there was none."""
    error: str
    field: str
    attempts: int
    replays: int
    first_seen: datetime
    """When it was first routed."""
    dead_since: datetime
    payload: bytes
    """The tuple, verbatim. It may hold an `api_key`: views mask it."""
    deaths: tuple[Death, ...] = ()
    edits: tuple[Edit, ...] = ()
    original: bytes | None = None
    """The tuple that was pushed, where an edit replaced it."""
    imported: Imported | None = None
    requeued_by: str = ""
    """The bulk job that re-queued it last; empty where none did."""
    fixed: Fixed | None = None
    """The correction of many letters that it was part of, and that can be undone."""

    @property
    def group(self) -> str:
        """The failure group: letters that died of one cause have the same."""
        return group_name(self.reason, self.field, self.error)

    @classmethod
    @reading("a dead letter")
    def parse(cls, stored: bytes) -> Self:
        meta, payload = stored.split(b"\n", 1)
        told: dict[str, Any] = orjson.loads(meta)
        # What a newer program notes beside these is not for us.
        plain = {name: told[name] for name in _PLAIN}
        imported = told.get("imported")
        original = base64.b64decode(told["original"]) if told.get("original") is not None else None
        return cls(
            **plain,
            first_seen=_time(told["first_seen"]),
            dead_since=_time(told["dead_since"]),
            payload=payload,
            deaths=tuple(map(_death, told.get("deaths", ()))),
            edits=tuple(map(_edit, told.get("edits", ()))),
            original=original,
            imported=_imported(imported) if imported else None,
            requeued_by=told.get("requeued_by") or "",
            fixed=_fixed(told["fixed"], original) if told.get("fixed") else None,
        )


_PLAIN = ("id", "type", "lane", "reason", "status", "error", "field", "attempts", "replays")


def _death(told: Mapping[str, Any]) -> Death:
    at, replayed_at = _time(told["at"]), _time(told["replayed_at"])
    return Death(
        told["reason"], told["status"], told["error"], at, replayed_at, told.get("job") or ""
    )


def _imported(told: Mapping[str, Any]) -> Imported:
    return Imported(told["id"], _time(told["dead_since"]), told.get("file") or "")


def _fixed(told: Mapping[str, Any], original: bytes | None) -> Fixed:
    before = told.get("before")
    return Fixed(told["job"], base64.b64decode(before) if before else original or b"")


def _edit(told: Mapping[str, Any]) -> Edit:
    return Edit(_time(told["at"]), told["who"], told["why"], bool(told.get("restored")))


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant; what is not given matches all.

    `reason`, `type`, `status` and the times are answered from indexes, the others by looking at
    each letter.
    """

    reason: str | None = None
    type: str | None = None
    status: int | None = None
    event: str | None = None
    distinct_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Times of burial, `since` inclusive, `until` exclusive."""
    min_attempts: int | None = None
    max_attempts: int | None = None
    min_replays: int | None = None
    max_replays: int | None = None
    """With it, letters that come back again and again are left out. Bounds are inclusive."""
    group: str | None = None
    """A failure group, as `group_name` names it."""
    job: str | None = None
    """The bulk job that re-queued them last: they failed again since."""
    text: str | None = None
    """Stands somewhere in the message or the error, in this case."""

    @property
    def is_indexed(self) -> bool:
        """Whether indexes alone answer it."""
        beside = (self.group, self.job, *self._bounds())
        return not self.needs_message and all(one is None for one in beside)

    @property
    def needs_message(self) -> bool:
        return any(one is not None for one in (self.event, self.distinct_id, self.text))

    def _bounds(self) -> tuple[int | None, ...]:
        return self.min_attempts, self.max_attempts, self.min_replays, self.max_replays

    def means_group(self, reason: str, status: int, kind: str) -> bool:
        """Whether letters of this reason, status and type can match."""
        pairs = ((self.reason, reason), (self.status, status), (self.type, kind))
        return all(want is None or want == has for want, has in pairs)

    def matches(self, letter: Letter) -> bool:
        """Whether a letter is meant, its time of burial aside (the index has answered that)."""
        return (
            self.means_group(letter.reason, letter.status, letter.type)
            and _within(self.min_attempts, letter.attempts, self.max_attempts)
            and _within(self.min_replays, letter.replays, self.max_replays)
            and self.group in (None, letter.group)
            and self.job in (None, letter.requeued_by)
            and (self.text is None or has_text(letter, self.text))
            and (self.event is self.distinct_id is None or self._is_about(letter.payload))
        )

    def _is_about(self, payload: bytes) -> bool:
        return any(
            self.event in (None, event) and self.distinct_id in (None, distinct_id)
            for event, distinct_id in subjects(payload)
        )

    def to_json(self) -> dict[str, Any]:
        """What is given, as a job carries it."""
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        return plain | {name: plain[name].isoformat() for name in _TIMES if name in plain}

    @classmethod
    def from_json(cls, told: Any) -> Self:
        """A filter as a job carried it.

        Raises:
            ConfigurationError: it is none, or has what this program does not know.
        """
        known = {one.name for one in fields(cls)}
        if not isinstance(told, dict) or set(told) - known:
            raise ConfigurationError("A bulk job carries a filter that is none; nothing was moved.")
        times = {name: datetime.fromisoformat(told[name]) for name in _TIMES if name in told}
        return cls(**told | times)


_TIMES = ("since", "until")


def has_text(letter: Letter, text: str) -> bool:
    """Whether a text stands in a letter's message, however it is escaped there, or in its error."""
    if text in letter.error:
        return True
    inner = orjson.dumps(text).decode()[1:-1]
    ascii_inner = json.dumps(text)[1:-1]
    # Within the tuple the message is a text of JSON itself, so what it escapes is escaped twice.
    spellings = {text, inner, ascii_inner, json.dumps(inner)[1:-1], json.dumps(ascii_inner)[1:-1]}
    spellings.add(orjson.dumps(inner).decode()[1:-1])
    return any(one.encode() in letter.payload for one in spellings)


def subjects(payload: bytes) -> Iterator[tuple[str | None, str | None]]:
    """Each record's event name and whom it is about, as text; nothing where it can't be read."""
    try:
        records = read(payload).records()
    except MalformedTupleError:
        return
    for record, _raw in records:
        if not isinstance(record, dict):
            continue
        properties = record.get("properties")
        inner = properties if isinstance(properties, dict) else {}
        who = inner.get("distinct_id", record.get("$distinct_id", record.get("$group_id")))
        yield _text(record.get("event")), _text(who)


def _within(least: int | None, value: int, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return None  # names nobody, and may be nested deeper than orjson writes
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
