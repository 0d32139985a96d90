"""What Mixpanel says and does, as tables: tokens, notices, hot shards."""

from rich.console import Group, RenderableType
from rich.text import Text

from mixrelay.console.status.tokens import region_of, sorted_tokens
from mixrelay.console.status.unasked import noticed, percent, shard_kind, sorted_hot
from mixrelay.console.tables import plain_table
from mixrelay.console.text import cut, duration, safe
from mixrelay.shared.queue import Books

_TOKENS_SHOWN = 20
_ID_SHOWN, _BASE_SHOWN = 40, 40


def mixpanel(books: Books) -> list[RenderableType]:
    """The sections that have something to show."""
    shown: list[tuple[object, RenderableType]] = [
        (books.tokens, _tokens(books)),
        (noticed(books), _notices(books)),
        (books.hot, _hot(books)),
    ]
    return [section for is_any, section in shown if is_any]


def _tokens(books: Books) -> RenderableType:
    shown = plain_table("token", "region", "state", ">status", ">since", "own")
    tokens = sorted_tokens(books)
    for token in tokens[:_TOKENS_SHOWN]:
        cells = (
            token.masked,
            region_of(token.base) or cut(token.base, _BASE_SHOWN),
            token.state,
            str(token.status or "-"),
            duration(max(0.0, (books.now_ms - token.since_ms) / 1000)),
            "yes" if token.own else "no",
        )
        shown.add_row(*(Text(safe(cell)) for cell in cells))
    if len(tokens) <= _TOKENS_SHOWN:
        return shown
    return Group(shown, Text(f"{len(tokens) - _TOKENS_SHOWN:,} more: mixrelay status --json"))


def _notices(books: Books) -> RenderableType:
    lines = [Text("Mixpanel changes or drops without an error", style="bold")]
    for one in noticed(books):
        lines.append(Text(f"{one.count:,} {safe(one.title)}"))
        if one.example_text:
            lines.append(Text(f"  for example {one.example_text}"))
    return Group(*lines)


def _hot(books: Books) -> RenderableType:
    shown = plain_table("hot shard", "of", "day (UTC)", ">events", ">limit", ">share")
    for shard in sorted_hot(books):
        cells = (
            cut(shard.id, _ID_SHOWN),
            cut(shard_kind(shard), _ID_SHOWN),
            shard.day,
            f"{shard.count:,}",
            f"{shard.limit:,}",
            f"{percent(shard)}%",
        )
        shown.add_row(*(Text(safe(cell)) for cell in cells))
    return shown
