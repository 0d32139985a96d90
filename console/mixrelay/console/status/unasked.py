"""What Mixpanel changes, drops or renames without an error, seen before it happens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, cut, iso_ms
from mixrelay.shared.queue import Books, HotShard, Notice

HOT_SHARD, UNCONFIRMED = "hot_shard", "unconfirmed"
IGNORED = "ignored"
_WHOLE = 100
_TEXT_SHOWN = 80

_TAKEN = "Above it Mixpanel renames events to $hotshard_events and takes them from the"
_HOT_ADVICE = {
    "distinct_id": f"{_TAKEN} user. Find the id in mixrelay status; give each user an id of "
    "their own, and events of nobody the empty distinct_id.",
    "group": f"{_TAKEN} group. Find the group in mixrelay status, and leave it out of events "
    "that need no group.",
}

TITLES = {
    "cut_text": "texts over 255 characters, which Mixpanel cuts",
    "cut_list": "lists and objects over Mixpanel's size limit, which it cuts",
    "many_properties": "profiles near Mixpanel's limit of 2,000 properties",
    "hidden_name": "properties named bucket or $bucket, which Mixpanel hides",
    IGNORED: "events with $ignore, which Mixpanel drops: not sent, counted as discarded",
    "off_plan": "records that are not as the tracking plan says",
    "project_secret": "records sent by an api_key, a Project Secret that Mixpanel retires on "
    "2027-03-03: use a service account",
    UNCONFIRMED: "records that Mixpanel accepted but did not count as imported",
}
"""By kind of notice, what it counts."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """How often one kind of it was seen since the queue began, with an example."""

    kind: str
    count: int
    example: Notice | None

    @property
    def title(self) -> str:
        return TITLES.get(self.kind, self.kind)

    @property
    def example_text(self) -> str:
        """The example in a line: where it was seen and what is wrong; empty where none is kept."""
        if self.example is None:
            return ""
        parts = (self.example.name, self.example.field, self.example.detail)
        told = ", ".join(cut(part, _TEXT_SHOWN) for part in parts if part)
        number = self.example.number
        return f"{told} (message {cut(number, _TEXT_SHOWN)})" if number else told


def noticed(books: Books) -> list[Noticed]:
    """Every kind that was seen at least once, in the order of TITLES, then others."""
    examples = {notice.kind: notice for notice in books.notices}
    counts = {
        name.partition(":")[2]: number
        for name, number in books.totals.items()
        if name.startswith("noticed:")
    }
    counts |= {kind: books.totals.get(kind, 0) for kind in (IGNORED, UNCONFIRMED)}
    kinds = dict.fromkeys((*TITLES, *sorted(counts), *sorted(examples)))
    seen = [Noticed(kind, counts.get(kind, 0), examples.get(kind)) for kind in kinds]
    return [one for one in seen if one.count or one.example]


def percent(shard: HotShard) -> int:
    """The share of the day's limit that an id has used, rounded down."""
    return _WHOLE * shard.count // max(shard.limit, 1)


def sorted_hot(books: Books) -> list[HotShard]:
    """The ids with the largest share of their limit first."""
    return sorted(books.hot, key=lambda shard: (-percent(shard), shard.kind, shard.id))


def shard_kind(shard: HotShard) -> str:
    """`distinct_id`, or the property that names the group, as `group company`."""
    return f"{shard.kind} {shard.group_key}" if shard.group_key else shard.kind


def hot_problems(books: Books) -> Iterator[Problem]:
    """One problem for distinct_ids and one for groups. It names no id: ids are personal data."""
    for kind in sorted({shard.kind for shard in books.hot}):
        shards = [shard for shard in sorted_hot(books) if shard.kind == kind]
        top = shards[0]
        others = f" ({len(shards) - 1:,} more are above half of it)" if len(shards) > 1 else ""
        yield Problem(
            HOT_SHARD,
            kind,
            f"A {kind} has about {top.count:,} events of {top.day} (UTC), {percent(top)}% of "
            f"Mixpanel's limit of {top.limit:,} a day{others}.",
            _HOT_ADVICE.get(kind, "mixrelay status lists it."),
            is_page=False,
        )


def unconfirmed_problem(books: Books, lately: int) -> Iterator[Problem]:
    """Records of the last two minutes that Mixpanel did not count as imported."""
    if lately:
        yield Problem(
            UNCONFIRMED,
            "",
            f"Mixpanel did not confirm {count(lately, 'record')} within two minutes "
            f"({books.totals.get(UNCONFIRMED, 0):,} in all): num_records_imported was less than "
            "the number sent.",
            "An event or drop filter in Mixpanel's Lexicon may hide them; if there is none, "
            "compare the example in mixrelay status with the events in Mixpanel.",
            is_urgent=False,
            is_page=False,
        )


def notices_as_json(books: Books) -> list[dict[str, Any]]:
    """The key `notices` of `mixrelay status --json` (a contract)."""
    return [
        {"kind": one.kind, "count": one.count, "example": _example(one.example)}
        for one in noticed(books)
    ]


def hot_as_json(books: Books) -> list[dict[str, Any]]:
    """The key `hot` of `mixrelay status --json` (a contract)."""
    return [
        {
            "kind": shard.kind,
            "group_key": shard.group_key,
            "id": shard.id,
            "token": shard.fingerprint,
            "count": shard.count,
            "limit": shard.limit,
            "percent": percent(shard),
            "day": shard.day,
        }
        for shard in sorted_hot(books)
    ]


def _example(notice: Notice | None) -> dict[str, Any] | None:
    if notice is None:
        return None
    return {
        "lane": notice.lane,
        "name": notice.name,
        "field": notice.field,
        "detail": notice.detail,
        "message": notice.number,
        "at": iso_ms(notice.at_ms),
    }
