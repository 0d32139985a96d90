"""What workers found out about each project token, as they noted it in Redis."""

from collections.abc import Iterator

from redis.exceptions import RedisError

from mixrelay.console.doctor.findings import Area, Finding
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.tokens import (
    PROVEN,
    TOKEN_REFUSED,
    place,
    sorted_tokens,
    token_problems,
)
from mixrelay.console.text import count, duration
from mixrelay.shared.connection import connect
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.queue import Books, Queue, TokenState

TOKENS = Area("tokens")
_SHOWN = 20


def check_tokens(url: str, name: str) -> Iterator[Finding]:
    """What workers noted about the tokens of a queue; nothing where Redis cannot be asked.

    Mixpanel is not asked again: a token inside messages is known to the workers alone.

    Args:
        url: the queue's Redis, whose troubles `check_server` reports.
        name: the queue's.
    """
    try:
        redis = connect(url)
    except MixrelayError:
        return
    try:
        books = Queue(redis, name).books()
    except RedisError:
        return
    finally:
        redis.close()
    yield from _findings(books)


def _findings(books: Books) -> Iterator[Finding]:
    masked = {token.fingerprint: token.masked for token in books.tokens}
    for problem in token_problems(books)[:_SHOWN]:
        yield _finding(problem, masked[problem.about])
    proven = [token for token in sorted_tokens(books) if token.state == PROVEN]
    for token in proven[:_SHOWN]:
        yield TOKENS.ok(token.masked, _proven(token, books.now_ms))
    if len(proven) > _SHOWN:
        yield TOKENS.ok("others", f"{count(len(proven) - _SHOWN, 'token')} more are proven.")


def _finding(problem: Problem, masked: str) -> Finding:
    make = TOKENS.error if problem.kind == TOKEN_REFUSED else TOKENS.warning
    return make(masked, problem.summary, problem.what_to_do)


def _proven(token: TokenState, now_ms: int) -> str:
    ago = duration(max(0.0, (now_ms - token.at_ms) / 1000))
    others = "" if token.own else "; it comes from messages and is not MIXPANEL_TOKEN"
    return f"Proven {place(token)} {ago} ago{others}."
