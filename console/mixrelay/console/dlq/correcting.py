"""What a fix makes of one letter, judged by the rules that workers hold a message to."""

from collections.abc import Sequence
from dataclasses import dataclass

from mixrelay.console.dlq.grouping import reason_in_words
from mixrelay.console.dlq.operations import Operation, UnfitError, same
from mixrelay.console.dlq.paths import Path
from mixrelay.shared.mixpanel.endpoints import base_address
from mixrelay.shared.queue import Letter
from mixrelay.shared.tuples import MalformedTupleError, Message, read, written
from mixrelay.worker.deliver.prepare import Preparation, Refused
from mixrelay.worker.lists.cutting import LIST_BYTES, Listed, TooLongError, read_any

_OF_THE_WORKERS = "a token that the workers have"
"""Which token a worker has, this command may not know: a record without one is not refused here."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a letter."""

    payload: bytes | None = None
    """The corrected message, which breaks no rule; None where the letter stays as it is."""
    breach: str = ""
    """The rule that it would still break; empty where the message is right as it stands."""


class Corrector:
    """Carries out operations on letters, in the order given."""

    def __init__(self, operations: Sequence[Operation], now_ms: int) -> None:
        """Reads nothing of Redis.

        Args:
            operations: what is done to each record.
            now_ms: the present by Redis's clock, for the rules about times.
        """
        self._operations = operations
        self._now_ms = now_ms
        self._rules = Preparation(queue_id="", base=base_address(), token=_OF_THE_WORKERS)

    @property
    def words(self) -> str:
        """What is done, for the audit."""
        return "; ".join(one.words for one in self._operations)

    def judge(self, letter: Letter) -> Verdict:
        """What becomes of a letter; nothing is raised, whatever its bytes."""
        try:
            message = read_any(letter.id, letter.payload, LIST_BYTES)
        except MalformedTupleError as error:
            return Verdict(breach=f"it cannot be read: {error.reason}")
        except TooLongError as error:
            return Verdict(breach=str(error))
        if isinstance(message, Listed):
            return Verdict(breach="it is a list of records: replay it, and each is a message")
        try:
            return self._judge(letter, message)
        except UnfitError as error:
            return Verdict(breach=str(error))

    def _judge(self, letter: Letter, message: Message) -> Verdict:
        before = text = message.text.strip()
        touched: list[Path] = []
        for operation in self._operations:
            after = operation.apply(text)
            if after != text:
                touched += operation.touches(text, after)
            text = after
        if same(text, before):
            return Verdict(breach=self._breach(letter, message))
        if message.invalid and not _is_mended(message.invalid[0], touched):
            return Verdict(breach=reason_in_words(*message.invalid))
        payload = written(message.kind, message.api_key, text)
        breach = self._breach(letter, read(payload))
        return Verdict(breach=breach) if breach else Verdict(payload)

    def _breach(self, letter: Letter, message: Message) -> str:
        received_ms = round(letter.first_seen.timestamp() * 1000)
        found = self._rules.prepare(
            message, number=letter.id, received_ms=received_ms, now_ms=self._now_ms
        )
        return reason_in_words(found.field, found.message) if isinstance(found, Refused) else ""


def _is_mended(field: str, touched: Sequence[Path]) -> bool:
    """Whether what a producer found wrong was changed; without a field any change will do."""
    return not field or field.endswith("()") or any(one.names[-1] in field for one in touched)
