"""The last step of a tracking call: hand the message to the sink, and failures to the handler."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from mixrelay.producer.dispatch.batch import NOT_TAKEN, TAKEN, Messages, open_batch
from mixrelay.producer.dispatch.collected import Collected
from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.dispatch.endings import ending_in, is_ending
from mixrelay.producer.dispatch.reporting import ErrorHandler, Handler, logger, tell
from mixrelay.producer.dispatch.tracing import traceparent_source
from mixrelay.producer.errors import BeforeSendError, DeliveryError
from mixrelay.producer.records.encoding import message_text, plain_copy
from mixrelay.producer.records.hook import check_hooked, with_token_of
from mixrelay.producer.records.sizes import MAY_BE_TOO_LARGE, check_record_size
from mixrelay.shared.variables import DISABLED

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.reporting import OnInvalid
    from mixrelay.producer.records.strict_json import Names
    from mixrelay.producer.records.values import Default

__all__ = ["BeforeSend", "ErrorHandler", "Handler", "Outlet", "R", "S", "Sink", "logger"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    R = TypeVarWithDefault("R", default=bool)
else:
    R = TypeVar("R")
"""What a sink returns, and with it every tracking call."""

S = TypeVar("S")

Sink: TypeAlias = Callable[[str, str], R]
"""The block of Mixpanel's Ruby library: called with a type (``event``, ``import``,
``profile_update``, ``group_update``) and a message, a JSON text as ``{"data": {…}}``.

A sink may be a coroutine function; then every tracking call is awaited. It may have a method
``send_all(messages)``, which a batch calls once with all its ``(type, message)`` pairs, in order;
else it is called for each."""

BeforeSend: TypeAlias = "Callable[[str, dict[str, Any]], dict[str, Any] | None]"
"""A hook that is given each type and record; returns the record to send, or None for none."""


class Outlet(Generic[R]):
    """A sink, an error handler and a hook: what a tracker and its people and groups share.

    `R` is what a call returns: what the sink returns, or a bool, awaitable if that is.
    """

    def __init__(
        self,
        sink: Sink[Any],
        error_handler: Handler,
        before_send: BeforeSend | None = None,
        default: Default | None = None,
        on_invalid: OnInvalid = "raise",
        *,
        disabled: bool | None = None,
    ) -> None:
        self._sink = sink
        self.on_invalid = on_invalid
        """What becomes of a call that is a mistake of the caller's."""
        self._error_handler = error_handler
        self._before_send = before_send
        self.default = default
        """Converts values of types that are not known."""
        self.is_off: bool = DISABLED.take(disabled)
        """Calls do nothing."""
        self._traceparent = traceparent_source()
        self.is_async = _is_async(sink)
        """Whether the sink's results, and so every call's, are awaited."""
        self.taken: R = self._settled(sent=True)
        """What a call returns whose message is not sent yet."""
        counters = getattr(sink, "counters", None)
        self._counts = not isinstance(counters, Counters)
        self.counters = counters if isinstance(counters, Counters) else Counters()
        if getattr(sink, "error_handler", sink) is None:
            sink.error_handler = error_handler  # type: ignore[attr-defined]

    @property
    def sink(self) -> Sink[Any]:
        """Who is given the messages."""
        return self._sink

    @property
    def error_handler(self) -> Handler:
        """Who hears of failures."""
        return self._error_handler

    def deliver(
        self, kind: str, record: dict[str, Any], names: Names, api_key: str | None = None
    ) -> R:
        """Return what the sink returns; True for None, and False if it failed.

        In a batch nothing is sent yet, and the call returns True (awaitable if the sink is).

        Raises:
            InvalidPropertyError: the record holds something that is not JSON, or is too large.
        """
        trace = self._traceparent and self._traceparent()
        if self.is_off or self._before_send is not None:
            changed = self._changed(kind, record, names, api_key, trace)
            if not isinstance(changed, str):
                return self._settled(sent=changed)
            message = changed
        else:
            message = message_text(record, names, api_key, trace, self.default)
        if len(message) >= MAY_BE_TOO_LARGE:
            check_record_size(kind, message)
        batch = open_batch(self)
        if batch is not None:
            taken = batch.add(kind, message)
            if taken is not None:
                return taken
        returned: R = self.hand_over(self._sink, kind, message)
        return returned

    def deliver_at_once(
        self, send: Callable[[str, str], bool], kind: str, record: dict[str, Any], names: Names
    ) -> R:
        """Hand a message to another than the sink, past any batch; in a thread if it is awaited.

        Raises:
            InvalidPropertyError: as ``deliver``.
        """
        message = self._changed(kind, record, names, None)
        if not isinstance(message, str):
            return self._settled(sent=message)
        if not self.is_async:
            answered: R = self._called(send, kind, message)
            return answered
        import asyncio  # noqa: PLC0415 - loaded already where calls are awaited

        sent = asyncio.to_thread(send, kind, message)
        return cast("R", self._awaited(sent, sees_to_its_end=False))

    def hand_over(self, sink: Sink[Any], kind: str, message: str) -> Any:
        """Call a sink, and keep from the caller whatever it raises."""
        return self._called(sink, kind, message)

    def invalid(self, error: Exception, kind: str, message: str | None) -> Any:
        """See to a call that was a mistake of the caller's; return False, or awaitable as such.

        Args:
            error: what was wrong.
            kind: of the message.
            message: for the dead letter, where there is to be one.
        """
        if self.is_off:
            self.counters.add("dropped")
            return self._settled(sent=True)
        self.counters.add("invalid")
        tell(self._error_handler, error)
        if message is None:
            return self._settled(sent=False)
        batch = open_batch(self)
        if batch is not None and batch.add(kind, message) is not None:
            return self._settled(sent=False)
        sent = self.hand_over(self._sink, kind, message)
        return _then_false(sent) if self.is_async else False

    def send_all(self, messages: Messages) -> R:
        """Hand over many messages; False, or awaitable as such, if one failed."""
        if isinstance(messages, Collected) and not getattr(self._sink, "_takes_over", False):
            messages.is_taken = True  # what a sink of somebody else's does, nobody knows
        together: Callable[[Messages], Any] | None = getattr(self._sink, "send_all", None)
        if together is not None:
            returned = self._called(together, messages, count=len(messages))
            return cast("R", self._noted_as_taken(messages, returned))
        if self.is_async:
            return cast("R", self._one_by_one_awaited(messages))
        with self._each_once(messages) as waiting:
            results = [self.hand_over(self._sink, *message) for message in waiting]
        return cast("R", all(result is not False for result in results))

    def _noted_as_taken(self, messages: Messages, returned: Any) -> Any:
        """Note it at the end at the latest: a test may have put a sink in the place of ours."""
        if not isinstance(messages, Collected) or messages.is_taken:
            return returned
        if self.is_async:
            return _then_taken(messages, returned)
        messages.is_taken = True
        return returned

    def send_left(self, messages: Messages) -> None:
        """Hand over messages that nobody waits for."""
        sent: Any = self.send_all(messages)
        if not self.is_async:
            return
        import asyncio  # noqa: PLC0415 - loaded already where calls are awaited

        try:
            asyncio.get_running_loop().create_task(sent)
        except RuntimeError:
            sent.close()
            self._lost(
                DeliveryError("A batch was left open as its event loop ended."), len(messages)
            )

    def _settled(self, *, sent: bool) -> R:
        if self.is_async:
            return cast("R", TAKEN if sent else NOT_TAKEN)
        return cast("R", sent)

    def _changed(
        self,
        kind: str,
        record: dict[str, Any],
        names: Names,
        api_key: str | None,
        trace: str | None = None,
    ) -> str | bool:
        """Return the message as the hook wants it; True where there is to be none, else False."""
        if self.is_off:
            self.counters.add("dropped")
            return True
        if self._before_send is None:
            return message_text(record, names, api_key, trace, self.default)
        copied = plain_copy(record, names, self.default)
        try:
            changed = self._before_send(kind, copied)
            if changed is not None:
                check_hooked(changed)
                kept = with_token_of(record, changed)
                return message_text(kept, names, api_key, trace, self.default)
        except Exception as error:
            if is_ending(error):
                raise
            self._lost(_hook_failed(error), count=1)
            return False  # unredacted it must not be sent, nor raised
        self.counters.add("dropped")
        return True

    def _called(self, sink: Callable[..., Any], *args: object, count: int = 1) -> Any:
        outer = sys.exception()
        try:
            result = sink(*args)
        except Exception as error:  # noqa: BLE001 - no failure to deliver may reach a request
            return self._not_sent(error, count, outer)
        if result is True or not inspect.iscoroutine(result):
            if self._counts:
                self.counters.add("queued", count)
            # A sink that returns nothing has not failed: Ruby's calls return true then.
            return True if result is None else result
        return self._awaited(result, count)

    async def _awaited(
        self, pending: Awaitable[Any], count: int = 1, *, sees_to_its_end: bool | None = None
    ) -> Any:
        outer = sys.exception()
        try:
            result = await pending
        except Exception as error:  # noqa: BLE001 - no failure to deliver may reach a request
            return self._not_sent(error, count, outer)
        except BaseException:
            # The queue's sink goes on, or keeps the messages; nobody knows what another did.
            if not (not self._counts if sees_to_its_end is None else sees_to_its_end):
                self._lost(DeliveryError(_CANCELLED, maybe_delivered=True, count=count), count)
            raise
        if self._counts:
            self.counters.add("queued", count)
        return True if result is None else result

    def _not_sent(self, error: Exception, count: int, outer: BaseException | None) -> bool:
        """Tell of a failure and return False; raise the application's ending, if it is one."""
        ending = ending_in(error, outer)
        if ending is not error:
            self._lost(error, count)
        elif self._counts:
            self.counters.add("failed", count)  # nobody knows
        if ending is not None:
            try:
                raise ending from None
            finally:
                # Else its traceback would hold itself, and a block that has something left to send.
                del error, ending
        # No failure to deliver may reach a request.
        return False

    async def _one_by_one_awaited(self, messages: Messages) -> bool:
        with self._each_once(messages) as waiting:
            results = [await cast("Any", self.hand_over(self._sink, *one)) for one in waiting]
        return all(result is not False for result in results)

    @contextmanager
    def _each_once(self, messages: Messages) -> Generator[Iterator[tuple[str, str]], None, None]:
        """Hand out messages; where the block is ended in between, the handler hears of the rest."""
        waiting = iter(messages)
        try:
            yield waiting
        except BaseException:
            left = sum(1 for _ in waiting)
            if left:
                self._lost(DeliveryError(_NOT_BEGUN, count=left), left)
            raise

    def _lost(self, error: Exception, count: int) -> None:
        if self._counts or not isinstance(error, DeliveryError):
            self.counters.add("failed", count)
        tell(self._error_handler, error)


_CANCELLED = (
    "The call was cancelled while the sink had the message: nobody knows whether it was delivered. "
    "Shield the sink (asyncio.shield), or let the call end."
)
_NOT_BEGUN = (
    "The block was cancelled before all of its messages were given to the sink. Give the sink a "
    "method send_all, which takes them at once, or let the block end."
)


async def _then_taken(messages: Collected, sent: Awaitable[Any]) -> Any:
    returned = await sent
    messages.is_taken = True
    return returned


async def _then_false(sent: Awaitable[Any]) -> bool:
    await sent
    return False


def _hook_failed(error: Exception) -> BeforeSendError:
    failed = BeforeSendError(
        f"before_send failed with {type(error).__name__}: {error}. The message was not sent."
    )
    failed.__cause__ = error
    return failed


def _is_async(sink: object) -> bool:
    return inspect.iscoroutinefunction(sink) or inspect.iscoroutinefunction(
        getattr(sink, "__call__", None)  # noqa: B004 - of an object with an async __call__
    )
