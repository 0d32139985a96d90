"""Reading what lies in a queue's keys, which anyone with the right to may have written."""

from collections.abc import Iterator
from contextlib import contextmanager

from mixrelay.shared.errors import ForeignValue

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Around code that reads such a value, or as a decorator on it.

    Raises:
        ForeignValue: it could not be read, in whatever way; the value itself is not repeated.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise ForeignValue(
            f"The queue's keys hold {what} that mixrelay did not write ({type(error).__name__}). "
            "Another program writes to them, or someone changed them by hand: find out who may "
            "(ACL LIST), and put the value right or delete it."
        ) from error
