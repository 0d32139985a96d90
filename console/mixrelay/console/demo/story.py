"""The acts of the demo, in order. Each changes something and then waits until it is seen."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mixrelay.console.demo import raw
from mixrelay.console.demo.children import Child
from mixrelay.console.demo.ledger import HOPELESS, REFUSED, RUBY, Ledger
from mixrelay.console.demo.narrator import Narrator
from mixrelay.console.demo.stage import WORKERS, Stage
from mixrelay.console.demo.visitors import Diary, Visitors
from mixrelay.console.dlq import views
from mixrelay.console.dlq.grouping import kinds
from mixrelay.console.failures import CommandError
from mixrelay.console.status.fleet import workers
from mixrelay.console.tables import plain_table
from mixrelay.console.text import count, duration
from mixrelay.shared.queue import Books, LetterFilter
from mixrelay.worker.rq.queue import queue_name

_CLIENTS = 4
_VISITS_A_SECOND = 120
_RUBY = 400
_NEIGHBOURS = 200
_REFUSED = 5
_WARM_UP_DELIVERED = 600
_OUTAGE_SECONDS = 5.0
_OUTAGE = '{"code": 503, "error": "service temporarily unavailable"}'
_REFUSAL = '{"code": 400, "error": "this user is on the deny list"}'
_PATIENCE = 40.0
"""Seconds until a step that has not been seen to happen is a failure."""
_GRACE = 15.0


@dataclass(slots=True)
class Story:
    """One run of the demo."""

    stage: Stage
    tell: Narrator
    ledger: Ledger = field(default_factory=Ledger)
    diary: Diary = field(default_factory=Diary)
    exits: list[int | None] = field(default_factory=list)
    """Exit codes of the workers that the deploy replaced."""

    def play(self) -> None:
        """Tells it all, up to the point where nothing waits any more."""
        self._parts()
        visitors = Visitors(self.stage.web_url, clients=_CLIENTS, visits_a_second=_VISITS_A_SECOND)
        visitors.start()
        try:
            self._traffic(visitors)
            self._outage()
        finally:
            self.diary = visitors.stop()
        self._visits_end()
        self._refusals()
        self._decisions()

    def _parts(self) -> None:
        stage = self.stage
        self.tell.act("The parts: real processes on this machine")
        stage.hire()
        self._wait(lambda: len(self._workers()) >= WORKERS, "two workers report to RQ")
        table = plain_table("part", ">pid", "at")
        urls = (stage.redis_url, stage.sandbox_url, stage.web_url, f"{stage.page_url}/")
        for child, url in zip(stage.others, urls, strict=True):
            table.add_row(child.name, str(child.pid), url)
        for worker in stage.workers:
            table.add_row(worker.name, str(worker.pid), "RQ, draining the queue")
        self.tell.show(table)
        self.tell.say("The sandbox stands in for Mixpanel: it validates as Mixpanel documents.")
        self.tell.say(f"Watch all of it on the dashboard: {stage.page_url}/")

    def _traffic(self, visitors: Visitors) -> None:
        self.tell.act("Traffic: visitors of a web shop, and a Ruby program")
        tuples = list(raw.as_ruby_writes(_RUBY))
        self.stage.queue.push(tuples)
        self.ledger.enter_sent(RUBY, (number // 2 for number in range(_RUBY)))
        self._wait(lambda: self._delivered() >= _WARM_UP_DELIVERED, "messages arrive at Mixpanel")
        self.tell.say(
            f"{_CLIENTS} clients visit over HTTP; each handler calls tracker.track, people.set …\n"
            f"{count(_RUBY, 'tuple')} were pushed as Mixpanel's Ruby library writes them."
        )
        self.tell.say(f"Delivered so far: {self._delivered():,} of {self._sent(visitors):,}.")

    def _outage(self) -> None:
        self.tell.act("An outage: Mixpanel answers 503, and the traffic goes on")
        begun = time.monotonic()
        self.stage.mixpanel.fault(kind="status", status=503, body=_OUTAGE)
        self._wait(lambda: bool(self.stage.queue.books().paused), "a circuit is open")
        self.tell.say("The first failure opens the circuit for the whole fleet.")
        self._deploy()
        time.sleep(max(0.0, begun + _OUTAGE_SECONDS - time.monotonic()))
        books = self.stage.queue.books()
        self._show_paused(books)
        self.tell.say(
            f"After {time.monotonic() - begun:.0f} s of outage {count(books.waiting, 'message')} "
            f"are in the backlog, {books.dead} are dead letters: an outage only makes it longer."
        )
        self.stage.mixpanel.clear_faults()
        waited, cleared = books.waiting, time.monotonic()
        arrived = self._delivered() + waited
        self._wait(lambda: self._delivered() >= arrived, "the backlog is delivered")
        took = time.monotonic() - cleared
        self.tell.say(f"Mixpanel is back, and {took:.1f} s later the backlog is delivered.")

    def _show_paused(self, books: Books) -> None:
        table = plain_table("circuit open", ">failures", ">next probe in", "error")
        for pause in books.paused:
            left = duration(pause.seconds)
            table.add_row(pause.destination, str(pause.failures), left, pause.reason)
        self.tell.show(table)

    def _deploy(self) -> None:
        self.tell.act("A deploy in the middle of it: both workers get SIGTERM")
        leaving, self.stage.workers = self.stage.workers, []
        begun = time.monotonic()
        for worker in leaving:
            worker.terminate()
        self.stage.hire()
        self.exits = [self._left(worker) for worker in leaving]
        codes = " and ".join(str(code) for code in self.exits)
        self.tell.say(
            f"They gave back what they held and were out within {time.monotonic() - begun:.1f} s, "
            f"exit codes {codes}; {' and '.join(w.name for w in self.stage.workers)} took over."
        )

    def _left(self, worker: Child) -> int:
        code = worker.wait(_GRACE)
        if code is None:
            raise worker.failed(f"was still there {_GRACE:.0f} s after SIGTERM")
        return code

    def _visits_end(self) -> None:
        self.ledger.enter_visits(self.diary)
        milliseconds = [1000 * seconds for seconds in self.diary.seconds]
        median, slow = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1]
        self.tell.say(
            f"The visitors leave: {count(len(milliseconds), 'visit')}, "
            f"{count(self.diary.sent.total(), 'message')}. A visit took {median:.1f} ms (median; "
            f"95 % under {slow:.1f} ms), in the outage as before it."
        )

    def _refusals(self) -> None:
        self.tell.act("Messages that Mixpanel refuses, and some that nobody can read")
        self.stage.mixpanel.fault(kind="reject_distinct_id", match=raw.REFUSED_USER, body=_REFUSAL)
        among = list(raw.as_ruby_writes(_NEIGHBOURS))
        hopeless = raw.hopeless()
        self.stage.queue.push([*among, *raw.refused(_REFUSED), *hopeless])
        self.ledger.enter_sent(RUBY, (number // 2 for number in range(_NEIGHBOURS)))
        self.ledger.enter_sent(REFUSED, range(_REFUSED))
        self.ledger.enter_sent(HOPELESS, range(len(hopeless)))
        self._wait_until_drained()
        letters = list(self.stage.queue.letters.find(LetterFilter()))
        self.tell.say(
            f"{_NEIGHBOURS} good ones shared their requests and were delivered; the others are "
            "dead letters. mixrelay dlq stats:"
        )
        self.tell.show(views.stats(kinds(letters), self.tell.width))

    def _decisions(self) -> None:
        self.tell.act("An operator decides")
        queue = self.stage.queue
        self.stage.mixpanel.clear_faults()
        wanted = LetterFilter(reason="rejected")
        self.tell.say(
            "The rule at Mixpanel is mended. mixrelay dlq replay --reason rejected --dry-run: "
            f"{count(queue.letters.count(wanted), 'letter')}"
        )
        replayed = sum(queue.replay(numbers) for numbers in queue.letters.take(wanted))
        self.tell.say(f"mixrelay dlq replay --reason rejected: {count(replayed, 'letter')}")
        self._wait_until_drained()
        hopeless = list(queue.letters.find(LetterFilter()))
        self.ledger.enter_letters(hopeless, discarded=True)
        discarded = queue.discard([letter.id for letter in hopeless])
        self.tell.say(
            f"mixrelay dlq discard --all, what can never pass: {count(discarded, 'letter')}"
        )

    def _wait_until_drained(self) -> None:
        self._wait(lambda: self.stage.queue.books().waiting == 0, "nothing waits any more")

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not holds():
            for child in (*self.stage.others, *self.stage.workers):
                if child.process.poll() is not None:
                    raise child.failed(f"ended with exit code {child.process.returncode}")
            if time.monotonic() > deadline:
                raise CommandError(f"Not seen within {_PATIENCE:.0f} s: {what}.")
            time.sleep(0.05)

    def _workers(self) -> list[object]:
        stage = self.stage
        return list(workers(stage.redis_url, queue_name(stage.queue.name)) or ())

    def _delivered(self) -> int:
        return self.stage.queue.books().totals["delivered"]

    def _sent(self, visitors: Visitors) -> int:
        return _RUBY + visitors.so_far()
