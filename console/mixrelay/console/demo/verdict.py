"""The end of the demo: the books, the ledger, and whether both agree."""

from mixrelay.console.demo.ledger import Ledger
from mixrelay.console.demo.mixpanel import Mixpanel
from mixrelay.console.demo.narrator import Narrator
from mixrelay.console.demo.story import Story
from mixrelay.console.demo.visitors import Diary
from mixrelay.console.tables import plain_table
from mixrelay.shared.queue import Books, LetterFilter


def judge(story: Story) -> bool:
    """Shows the end and says whether all of it holds."""
    tell, stage = story.tell, story.stage
    tell.act("The reconciliation, and where each message went")
    books = stage.queue.books()
    _show_books(tell, books)
    _fill(story.ledger, stage.mixpanel)
    story.ledger.enter_letters(stage.queue.letters.find(LetterFilter()))
    _show_ledger(tell, story.ledger)
    tell.say("")
    return all([*_checks(story, books), *_check_profiles(tell, story.diary, stage.mixpanel)])


def _fill(ledger: Ledger, mixpanel: Mixpanel) -> None:
    for arrival in mixpanel.all("events"):
        ledger.enter_event(arrival["record"])
    for arrival in mixpanel.all("updates"):
        ledger.enter_update(arrival["record"])


def _show_books(tell: Narrator, books: Books) -> None:
    parts = (
        ("received", books.totals["received"]),
        ("= delivered", books.totals["delivered"]),
        ("+ discarded", books.totals["discarded"]),
        ("+ dead now", books.dead),
        ("+ in lanes", sum(books.lanes.values())),
        ("+ in flight", books.in_flight),
    )
    table = plain_table(*(f">{name}" for name, _ in parts))
    table.add_row(*(f"{figure:,}" for _, figure in parts))
    tell.show(table)
    tell.say("")


def _show_ledger(tell: Narrator, ledger: Ledger) -> None:
    columns = (">sent", ">at Mixpanel", ">dead", ">discarded", ">missing", ">doubled")
    table = plain_table("what", *columns)
    for row in ledger.rows:
        figures = (row.sent.total(), row.arrived.total(), row.dead, row.discarded)
        shown = (*figures, row.nowhere, row.doubled)
        table.add_row(row.name, *(f"{figure:,}" for figure in shown))
    tell.show(table)


def _checks(story: Story, books: Books) -> list[bool]:
    rows, check = story.ledger.rows, story.tell.check
    sent = sum(row.sent.total() for row in rows)
    failures = len(story.diary.failures)
    folded = story.stage.mixpanel.state()["duplicates"]
    story.tell.say(f"Events sent twice, which Mixpanel folds by their four-part key: {folded}")
    return [
        check(
            "all is accounted for, and the backlog is empty",
            holds=not books.difference and not books.waiting,
        ),
        check(
            f"the queue received what was sent: {sent:,}", holds=books.totals["received"] == sent
        ),
        check("every message is in one place", holds=all(row.agrees for row in rows)),
        check(f"no visit failed ({failures} did)", holds=not failures),
        check("both workers left with exit code 0", holds=story.exits == [0, 0]),
    ]


def _check_profiles(tell: Narrator, diary: Diary, mixpanel: Mixpanel) -> list[bool]:
    """Whether the sandbox's profiles hold what was set last, and every increment once."""
    profiles = {each["distinct_id"]: each["properties"] for each in mixpanel.all("profiles")}
    last = [profiles.get(user, {}).get("n") == n for user, n in diary.last_profile.items()]
    plays = [profiles.get(user, {}).get("plays") == n for user, n in diary.plays.items()]
    return [
        tell.check(f"{sum(last)} of {len(last)} profiles hold what was set last", holds=all(last)),
        tell.check(f"{sum(plays)} of {len(plays)} counters are exact", holds=all(plays)),
    ]
