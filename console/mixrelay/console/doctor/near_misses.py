"""What producers wrote, beside what workers read: a list or a token that is almost the right one.

A name with a space behind it, a dash in place of an underscore, a token in capitals: nobody is
told of these by Redis, and Mixpanel accepts events of a project that is not there.
"""

import time
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.console.doctor.findings import Finding
from mixrelay.console.doctor.node import REDIS
from mixrelay.console.doctor.tokens import TOKENS
from mixrelay.console.text import count
from mixrelay.shared.connection import connect, is_cluster, masters
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.mixpanel.endpoints import token_fingerprint
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.keys import Keys, partition_name
from mixrelay.shared.reading import trimmed
from mixrelay.shared.settings import Settings
from mixrelay.shared.tuples import Kind, MalformedTupleError, read
from mixrelay.shared.variables import MOST_PARTITIONS

_ALIKE = 0.88
_SECONDS = 2.0
"""For a look through all keys: another application's may be millions."""
_A_SCAN = 1_000
_PEEKED = 200
"""Messages looked into for their tokens, of each list."""


def check_near_misses(settings: Settings) -> Iterator[Finding]:
    """Lists and tokens that are almost those of these settings; nothing where Redis is away."""
    try:
        redis = connect(settings.redis_url)
    except MixrelayError:
        return
    try:
        lists = _near_lists(redis, settings.queue)
        for name in lists:
            yield _of_list(redis, name, settings)
        yield from _near_tokens(redis, settings, [*_own_lists(settings), *lists])
    except (RedisError, MixrelayError):
        # What is wrong with it, other checks say; or this user may not look.
        return
    finally:
        redis.close()


def _own_lists(settings: Settings) -> list[str]:
    return [partition_name(settings.queue, index) for index in range(settings.partitions)]


def _near_lists(redis: Redis, queue: str) -> list[str]:
    """Lists with messages of ours, almost of a queue's name, that no worker ever drained."""
    own = {queue, *(f"{queue}.{index}" for index in range(MOST_PARTITIONS))}
    near = {
        name
        for name in _list_names(redis)
        if name not in own and _is_near(name, queue) and _holds_ours(redis, name)
    }
    return sorted(name for name in near if not _was_drained(redis, name))


def _list_names(redis: Redis) -> Iterator[str]:
    ends_at = time.monotonic() + _SECONDS
    for node in masters(redis).values():
        for key in node.scan_iter(count=_A_SCAN, _type="list"):
            if time.monotonic() > ends_at:
                return
            yield cast("bytes", key).decode(errors="replace")


def _is_near(name: str, queue: str) -> bool:
    if abs(len(name) - len(queue)) > 4:  # noqa: PLR2004 - quotes, or a line's end and a space
        return False
    if _bare(name) == _bare(queue):
        return True
    matcher = SequenceMatcher(None, name.casefold(), queue.casefold())
    return matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def _bare(name: str) -> str:
    """A name's letters and digits alone."""
    return "".join(one for one in name.casefold() if one.isalnum())


def _holds_ours(redis: Redis, name: str) -> bool:
    first = cast("bytes | None", redis.lindex(name, 0))
    try:
        return first is not None and bool(read(first))
    except MalformedTupleError:
        return False


def _was_drained(redis: Redis, name: str) -> bool:
    try:
        keys = Keys.of(name)
    except MixrelayError:
        return False  # no worker takes such a name
    return bool(redis.exists(keys("schema")))


def _of_list(redis: Redis, name: str, settings: Settings) -> Finding:
    waiting = count(redis.llen(name), "message")
    return REDIS.error(
        "lists",
        f"{waiting} in the list {name!r}, which no worker drains: workers read {settings.queue!r}.",
        f"Set MIXRELAY_QUEUE to {settings.queue!r} for its producers. {_rescue(name, settings)}",
    )


def _rescue(name: str, settings: Settings) -> str:
    if name == trimmed(name) and not is_cluster(settings.redis_url):
        return f"What is there: mixrelay worker --burst --queue {name!r}"
    return (
        "What is there: valkey-cli EVAL \"while redis.call('LMOVE',KEYS[1],KEYS[2],'LEFT','RIGHT') "
        f'do end" 2 {name!r} {settings.queue!r}'
    )


def _near_tokens(redis: Redis, settings: Settings, lists: Iterable[str]) -> Iterator[Finding]:
    """Tokens that workers met, or that wait, and that are MIXPANEL_TOKEN but for a trifle."""
    own = settings.token
    if not own:
        return
    met = {one.fingerprint: one.masked for one in Queue(redis, settings.queue).books().tokens}
    slips = {_slip(own, other): "" for other in _waiting_tokens(redis, lists) if other != own}
    for other in _variants(own):
        masked = met.get(token_fingerprint(settings.base, other))
        if masked is not None:
            slips[_slip(own, other)] = masked
    for slip, masked in slips.items():
        if slip:
            yield TOKENS.error(
                "near miss",
                f"Messages carry a token{f' ({masked})' if masked else ''} that is MIXPANEL_TOKEN "
                f"but for {slip}: Mixpanel takes it for another project's.",
                "Set MIXPANEL_TOKEN, or what the producers give as token, to the one in Mixpanel's "
                "project settings, the same everywhere.",
            )


def _slip(own: str, other: str) -> str:
    """What tells two tokens apart, in words; the empty text where they are simply different."""
    if other == own:
        return ""
    if trimmed(other) == trimmed(own):
        return "white space around it"
    quotes = "\"'`"
    if trimmed(other).strip(quotes) == trimmed(own).strip(quotes):
        return "quotation marks around it"
    if trimmed(other).casefold() == trimmed(own).casefold():
        return "capital and small letters"
    alike = SequenceMatcher(None, own, other, autojunk=False).ratio()
    near = 0.9
    return "a character or two" if min(len(own), len(other)) > 8 and alike >= near else ""  # noqa: PLR2004


def _variants(own: str) -> Iterator[str]:
    """What a token becomes by the usual slips; of what workers met only a hash is kept."""
    for around in (" ", "\n", "\r\n", "\r", "\t", "\xa0", "\ufeff"):
        yield own + around
        yield around + own
        yield around + own + around
    for quote in "\"'`":
        yield quote + own + quote
    yield from {own.lower(), own.upper()} - {own}


def _waiting_tokens(redis: Redis, lists: Iterable[str]) -> set[str]:
    """Tokens of the newest messages in lists."""
    return {
        token
        for name in lists
        for payload in cast("list[bytes]", redis.lrange(name, -_PEEKED, -1))
        for token in _tokens(payload)
    }


def _tokens(payload: bytes) -> Iterator[str]:
    try:
        message = read(payload)
        records = [record for record, _ in message.records()]
    except (MalformedTupleError, ValueError):
        return
    is_update = message.kind in {Kind.PROFILE_UPDATE, Kind.GROUP_UPDATE}
    for record in filter(lambda one: isinstance(one, dict), records):
        holder = record if is_update else record.get("properties")
        token = holder.get("$token" if is_update else "token") if isinstance(holder, dict) else None
        if isinstance(token, str):
            yield token
