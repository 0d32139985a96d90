"""What all requests of one middleware share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.errors import RequestContextError

if TYPE_CHECKING:
    from mixrelay.producer.context.options import RequestContext
    from mixrelay.producer.context.web_request import WebRequest

T = TypeVar("T")


class Proxies(Protocol):
    """Finds a client's address behind the proxies that are trusted."""

    def of(self, peer: str | None, forwarded: str | None) -> str | None:
        """Return the client's address; None where no one who is trusted knows it."""
        ...

    def trusts(self, peer: str | None) -> bool:
        """Whether the other end of a connection is such a proxy."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """One application with one tracker.

    Attributes:
        options: which parts of a request are used.
        token: the project's; it names the cookie of Mixpanel's browser library.
        proxies: which proxies are trusted; None where the application named none.
        find_user: returns the framework's signed-in user.
        report: hears of parts that failed.
    """

    options: RequestContext
    token: str
    proxies: Proxies | None
    find_user: Callable[[WebRequest], Any]
    report: Callable[[Exception], object]

    def part(self, name: str, otherwise: T, find: Callable[..., T], *given: Any) -> T:
        """Return what a part of a request is; `otherwise` where it fails, which is reported."""
        try:
            return find(*given)
        except Exception as error:
            if is_ending(error):
                raise
            failed = RequestContextError(
                f"The request's {name} could not be read: {type(error).__name__}. Its events go "
                f"without it; see what raised, or switch it off in RequestContext."
            )
            failed.__cause__ = error
            self.report(failed)
            return otherwise
