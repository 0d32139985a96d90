"""Messages that are lists of records: a long one becomes shorter lists, a short one its records.

So a list of any length costs its own size a few times: it is cut once, and the records of each
slice take their places when it is that slice's turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mixrelay.shared.long_lists import Slice, begins_as_list, cut
from mixrelay.shared.queue import Expansion, Number
from mixrelay.shared.tuples import MalformedTupleError, Message, join, read, written

SLICE_RECORDS = 1_000
SLICE_CHARACTERS = 400_000
"""Of a list that one call puts into its records; a queue's script may not hold the server long."""
LONG_BYTES = 500_000
"""Of a message that is not parsed as a whole, where it is a list."""
LIST_BYTES = 128 * 1024 * 1024
"""Of one list, where nothing else is set (`MIXRELAY_LIST_BYTES`)."""
MOST_RECORDS = 1_000_000
"""Of one list: a thousand slices."""


class TooLongError(Exception):
    """A list is over the limits; its text says which."""


@dataclass(slots=True)
class Listed:
    """A list message that was read, with what is to take its place."""

    number: Number
    slices: list[Slice] = field(default_factory=list)
    """Shorter lists; none where it is short."""
    message: Message | None = None
    texts: list[str] = field(default_factory=list)
    """Its records, where it is short."""

    @property
    def is_long(self) -> bool:
        return bool(self.slices)

    @property
    def sizes(self) -> list[int]:
        """How many records each message holds that comes of it; a short one is not parted."""
        return [one.records for one in self.slices] or [len(self.texts)]

    @property
    def bytes(self) -> int:
        return sum(len(one.payload) for one in self.slices) or sum(map(len, self.texts))

    def expansion(self) -> Expansion:
        if self.message is None:
            return Expansion(self.number, [one.payload for one in self.slices], self.sizes)
        kind, api_key = self.message.kind, self.message.api_key
        return Expansion(self.number, [written(kind, api_key, text) for text in self.texts])


def read_any(number: Number, payload: bytes, most_bytes: int) -> Message | Listed:
    """Read a message: one record, or a list.

    Raises:
        MalformedTupleError: it cannot be read.
        TooLongError: it is a list over the limits.
    """
    if len(payload) > LONG_BYTES:
        if len(payload) > most_bytes and begins_as_list(payload):
            raise TooLongError(_too_large(payload, most_bytes))
        slices = cut(payload, most=SLICE_RECORDS, most_characters=SLICE_CHARACTERS)
        if slices and len(slices) > 1:
            return _long(number, payload, slices, most_bytes)
    message = read(payload)
    if not message.is_list:
        return message
    texts = _texts(message)
    if len(texts) == 1:
        return read(written(message.kind, message.api_key, texts[0]))
    some = list(_in_slices(texts))
    if len(some) == 1:
        return Listed(number, message=message, texts=texts)
    slices = [Slice(join(message.kind, message.api_key, one), len(one)) for one in some]
    return _long(number, payload, slices, most_bytes)


def at_once(lists: Iterable[Listed]) -> Iterator[list[Expansion]]:
    """Lists whose records one call of the queue's may put in their places."""
    some: list[Expansion] = []
    records = size = 0
    for one in lists:
        records, size = records + len(one.texts), size + one.bytes
        if some and (records > SLICE_RECORDS or size > SLICE_CHARACTERS):
            yield some
            some, records, size = [], len(one.texts), one.bytes
        some.append(one.expansion())
    if some:
        yield some


def _texts(message: Message) -> list[str]:
    try:
        return message.texts()
    except RecursionError:
        # Reading it has just succeeded, with a little more stack left.
        raise MalformedTupleError("the message is nested too deep") from None


def _in_slices(texts: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for text in texts:
        size += len(text)
        if some and (len(some) == SLICE_RECORDS or size > SLICE_CHARACTERS):
            yield some
            some, size = [], len(text)
        some.append(text)
    yield some


def _long(number: Number, payload: bytes, slices: list[Slice], most_bytes: int) -> Listed:
    records = sum(one.records for one in slices)
    if len(payload) > most_bytes:
        raise TooLongError(_too_large(payload, most_bytes))
    if records > MOST_RECORDS:
        raise TooLongError(
            f"a list of {records:,} records; one message may hold {MOST_RECORDS:,}. Export the "
            "letter, and push its records in shorter lists"
        )
    return Listed(number, slices)


def _too_large(payload: bytes, most_bytes: int) -> str:
    return (
        f"a list of {len(payload):,} bytes, over MIXRELAY_LIST_BYTES ({most_bytes:,}). Raise it "
        "and replay the letter, or export it and push its records in shorter lists"
    )
