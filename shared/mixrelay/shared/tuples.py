"""The tuple ``[type, message]``: written in one form, read in every form real clients write.

What is read is the documented tuple and its cousins: the message as a JSON text or as an object;
a record, or a list of them, with or without ``data`` around it; the types by the four names and
by those that Mixpanel's Python and Node libraries use. A record's text stays as it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.jsontext import elements, last_member, second_element


class Kind(StrEnum):
    """The type of a message, by its documented name."""

    EVENT = "event"
    IMPORT = "import"
    PROFILE_UPDATE = "profile_update"
    GROUP_UPDATE = "group_update"


KINDS = {
    **{kind.value: kind for kind in Kind},
    "events": Kind.EVENT,
    "imports": Kind.IMPORT,
    "people": Kind.PROFILE_UPDATE,
    "groups": Kind.GROUP_UPDATE,
    "/track": Kind.EVENT,
    "/import": Kind.IMPORT,
    "/engage": Kind.PROFILE_UPDATE,
    "/groups": Kind.GROUP_UPDATE,
}
"""Every type word that is taken: Ruby's, then Python's, then Node's."""


class MalformedTupleError(MixrelayError, ValueError):
    """Bytes that are no message; its text is the reason, without the bytes and their secrets."""

    @property
    def reason(self) -> str:
        """What is wrong, and what was expected."""
        return str(self)


@dataclass(slots=True)
class Message:
    """A tuple that was read.

    Attributes:
        api_key: the message's own credentials for ``/import``; None where absent, null or empty.
        data: the record, or the list of records, as parsed; for looking, since a number over
            64 bits is a float in it.
        text: the same as it was written, for sending.
        invalid: field and message of the mistake that a producer found in it; it is not sent.
    """

    kind: Kind
    api_key: str | None = field(repr=False)
    data: Any = field(repr=False)
    text: str = field(repr=False)
    invalid: tuple[str, str] | None = None

    @property
    def is_list(self) -> bool:
        """Whether it is a list, which is split before it is sent."""
        return isinstance(self.data, list)

    def texts(self) -> list[str]:
        """Return the text of each record, in order; nested lists are flattened."""
        return elements(self.text) if self.is_list else [self.text]

    def records(self) -> list[tuple[Any, str]]:
        """Return each record parsed and as text, in order; nested lists are flattened.

        Raises:
            MalformedTupleError: the parser took the whole and does not take a part.
        """
        return [(_loaded("record", text), text) for text in self.texts()]


def write(kind: str, message: str) -> bytes:
    """Return the documented form of a tuple; the message is a JSON text.

    A Ruby worker that loops ``send!(*JSON.load(job))`` takes exactly this form.

    Raises:
        TypeError: the message holds a lone surrogate, which is no UTF-8.
    """
    return orjson.dumps([kind, message])


def read(payload: bytes) -> Message:
    """Return the message that a queued payload is.

    Raises:
        MalformedTupleError: it is none; nothing else is raised, whatever the bytes.
    """
    kind, message = _outer(payload)
    if isinstance(message, str):
        return _plain(kind, message) or _unwrapped(kind, _loaded("message", message), message)
    return _unwrapped(kind, message, second_element(payload.decode()))


def split(payload: bytes) -> list[bytes]:
    """Return one tuple in the documented form for each record of a payload, in order.

    Raises:
        MalformedTupleError: the payload is no message.
    """
    return take(payload, None)[0]


def take(payload: bytes, at_most: int | None) -> tuple[list[bytes], bytes | None]:
    """Split off the first records; the rest, if any, stays one tuple.

    Raises:
        MalformedTupleError: the payload is no message.
    """
    message = read(payload)
    texts = message.texts()
    cut = len(texts) if at_most is None else at_most
    first = [written(message.kind, message.api_key, text) for text in texts[:cut]]
    rest = join(message.kind, message.api_key, texts[cut:]) if texts[cut:] else None
    return first, rest


def join(kind: Kind, api_key: str | None, texts: list[str]) -> bytes:
    """Return one tuple that holds a list of records, given as JSON texts."""
    return written(kind, api_key, f"[{','.join(texts)}]")


def written(kind: Kind, api_key: str | None, data: str) -> bytes:
    """Return the tuple whose record, or list of records, is a JSON text."""
    key = f',"api_key":{orjson.dumps(api_key).decode()}' if api_key else ""
    return write(kind, f'{{"data":{data}{key}}}')


def _outer(payload: bytes) -> tuple[Kind, Any]:
    pair = _loaded("tuple", payload)
    if not isinstance(pair, list):
        raise MalformedTupleError(f"not a tuple [type, message] but {_called(pair)}")
    if len(pair) != 2:  # noqa: PLR2004 - a type and a message
        raise MalformedTupleError(
            f"a tuple has two elements, type and message; this has {len(pair)}"
        )
    word, message = pair
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise MalformedTupleError(f"unknown type {_shown(word)}: one of {', '.join(Kind)}")
    return kind, message


def _plain(kind: Kind, message: str) -> Message | None:
    """Read the commonest forms, a record in ``data``, with one parse in place of two.

    That what lies between the marks is one JSON object proves that the whole is what it seems.
    """
    if not message.startswith(_DATA):
        return None
    end = len(message) - 1
    api_key = None
    if not message.endswith("}}"):
        end = message.rfind(_API_KEY) + 1
        if not end or not message.endswith("}"):
            return None
        api_key = message[end + len(_API_KEY) - 1 : -1]
    text = message[len(_DATA) - 1 : end]
    try:
        key = None if api_key is None else _api_key(orjson.loads(api_key))
        return Message(kind, key, orjson.loads(text), text)
    except orjson.JSONDecodeError:
        return None


_DATA = '{"data":{'
_API_KEY = '},"api_key":'


def _invalid(found: Any) -> tuple[str, str] | None:
    """Return what a producer says is wrong with the record (its ``on_invalid="dead-letter"``)."""
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return None
    place = found.get("field")
    return (place if isinstance(place, str) else ""), found["message"]


def _unwrapped(kind: Kind, message: Any, text: str) -> Message:
    """Take the record out of a message, with the text that it is."""
    api_key = invalid = None
    data = message
    if isinstance(message, dict) and "data" in message:
        api_key, data = _api_key(message.get("api_key")), message["data"]
        invalid = _invalid(message.get("invalid"))
        member = last_member(text, "data")
        text = text[member.start : member.end]
    if isinstance(data, list):
        if not _holds_anything(data):
            raise MalformedTupleError("the list of records is empty")
    elif not isinstance(data, dict):
        raise MalformedTupleError(f"a record is an object; this is {_called(data)}")
    return Message(kind, api_key, data, text, invalid)


def _holds_anything(listed: list[Any]) -> bool:
    """Whether a list, or one within it, holds anything but lists."""
    waiting = [listed]
    while waiting:
        for one in waiting.pop():
            if not isinstance(one, list):
                return True
            waiting.append(one)
    return False


def _api_key(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise MalformedTupleError(f"api_key is text; this is {_called(value)}")


def _loaded(what: str, text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedTupleError(f"the {what} is not JSON: {_why(text, error)}") from None


def _why(text: bytes | str, error: orjson.JSONDecodeError) -> str:
    """Name the causes that real clients have, else say it as the parser does."""
    if "UTF-8" in error.msg:
        return "it holds bytes that are no UTF-8"
    if "surrogate" in error.msg:
        return f"a lone surrogate at character {error.pos}"
    # Of many deep lists in an indented text orjson 3.13 says that no memory is left.
    if "depth" in error.msg or "allocate" in error.msg:
        return "nested too deep"
    if "infinity" in error.msg:
        return f"a number too large at character {error.pos}"
    shown = text if isinstance(text, str) else text.decode(errors="replace")
    for word in ("NaN", "-Infinity", "Infinity"):
        # The parser points at the sign, or behind it.
        if shown.startswith(word, error.pos) or shown.startswith(word, max(error.pos - 1, 0)):
            return f"{word} at character {error.pos} is no JSON number"
    return str(error)


def _called(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text"}
    names |= {list: "a list", dict: "an object", type(None): "null"}
    return names[type(value)]


def _shown(word: Any) -> str:
    """Show what may be a type's name, so that one finds its writer; what else may hold secrets."""
    if isinstance(word, str):
        return repr(word) if _WORD.fullmatch(word) else f"a text of {len(word)} characters"
    return _called(word)


_WORD = re.compile(r"[$/]?[A-Za-z_]{1,40}")
