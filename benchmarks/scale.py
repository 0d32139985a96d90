"""What 30,000 events a second need, and ten projects of them: docs/scale.md's tables and plot.

python -m benchmarks.scale            # prints them
python -m benchmarks.scale --write    # puts them into the page

It rests on the figures of the last `python -m benchmarks` and on the model of a fleet
(`fleet_model.py`), which is first held against the same figures.
"""

import argparse
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import drain, events, latency, plot
from benchmarks.benchmark import Rows, measured, table
from benchmarks.contenders import OURS
from benchmarks.fleet_model import Arrivals, Costs, Fleet, Mixpanel, Seen, run
from benchmarks.page import put
from benchmarks.results import Results

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
LIMIT = 30_000
"""Mixpanel: Import Events, events a second for one project."""
HOUR = 3_600.0
ANSWER_SECONDS = 0.2
"""Assumed of Mixpanel for a request of 2,000 events; measure yours (`mixrelay_request_seconds`)."""
BUSY = 0.6
"""How far a core is planned to be used."""
RECORDS = 2_000
_FRAME = 2 * 40
"""Bytes of TCP, IP and RESP around a message that is pushed alone, and its answer: about."""
_PREFIX = 28
"""Number and time of receipt in front of a message."""
GIB, MB = 1024**3, 1e6


@dataclass(frozen=True)
class Figures:
    """What the benchmarks saw."""

    costs: Costs
    rates: dict[float, float]
    """Messages a second of one worker, by the sink's latency in seconds."""
    latencies: dict[int, tuple[float, float]]
    """Seconds from call to sink, median and 95th percentile, by messages a second."""
    queued_bytes: dict[int, float]
    """Of Valkey, a message, by list-compress-depth."""
    own_bytes: float
    sent_bytes: float

    @classmethod
    def of(cls, results: Results) -> "Figures":
        """Taken from a run.

        Raises:
            KeyError: it has not measured all that is needed; run `python -m benchmarks`.
        """
        near = drain.medians(results.rows["drain"], drain.NEAR)[OURS]
        far = drain.medians(results.rows["drain"], drain.FAR)[OURS]
        memory = {row["depth"]: row for row in measured(results.rows["redis-memory"])}
        server = memory[0]["push_cpu"] + near["server_cpu"]
        return cls(
            costs=Costs(near["cpu"], server),
            rates={drain.NEAR: near["rate"], drain.FAR: far["rate"]},
            latencies=_latencies(results.rows["latency"]),
            queued_bytes={depth: row["bytes"] for depth, row in memory.items()},
            own_bytes=memory[0]["own"],
            sent_bytes=_gzipped(),
        )


def _latencies(rows: Rows) -> dict[int, tuple[float, float]]:
    told = (row for row in measured(rows) if row["rate"] != latency.LONE)
    return {row["rate"]: (row["p50"], row["p95"]) for row in told}


def _gzipped() -> float:
    """Bytes of a record as it is sent: 2,000 of them in one body, packed as the worker does."""
    body = f"[{','.join(events.records()[:RECORDS])}]".encode()
    return len(zlib.compress(body, 1)) / RECORDS


def needs(figures: Figures) -> str:
    """The arithmetic, as a table."""
    head = ("", "one project", "ten projects")
    one, ten = _column(figures, LIMIT), _column(figures, 10 * LIMIT)
    return table(head, [(name, value, ten[name]) for name, value in one.items()])


def _column(figures: Figures, rate: int) -> dict[str, str]:
    costs = figures.costs
    worker_cores, server_cores = rate * costs.worker_us / 1e6, rate * costs.server_us / 1e6
    hour = rate * HOUR
    plain, packed = (hour * figures.queued_bytes[depth] / GIB for depth in (0, 1))
    in_flight = rate / RECORDS * ANSWER_SECONDS
    return {
        "events a second": f"{rate:,}",
        "workers: CPU, cores": f"{worker_cores:.2f}",
        f"workers, each core used to {BUSY:.0%}": str(math.ceil(worker_cores / BUSY)),
        f"requests in flight at {ANSWER_SECONDS:g} s an answer": f"{math.ceil(in_flight)}",
        "Valkey: CPU, cores": f"{server_cores:.2f}",
        f"nodes, each core used to {BUSY:.0%}": str(math.ceil(server_cores / BUSY)),
        "Valkey: memory for an hour's outage, GiB": f"{plain:,.0f}",
        "the same with `list-compress-depth 1`, GiB": f"{packed:,.0f}",
        "network: into Valkey, MB/s": f"{rate * (figures.own_bytes + _FRAME) / MB:,.0f}",
        "network: Valkey to workers, MB/s": f"{rate * (figures.own_bytes + _PREFIX) / MB:,.0f}",
        "network: workers to Mixpanel, gzipped, MB/s": f"{rate * figures.sent_bytes / MB:,.1f}",
    }


def check(figures: Figures) -> str:
    """The model beside what was measured."""
    head = ("", "measured", "model")
    return table(head, _checks(figures))


def _checks(figures: Figures) -> Iterator[tuple[str, str, str]]:
    for seconds, rate in figures.rates.items():
        name = f"drain, an answer after {seconds * 1000:.0f} ms: messages a second"
        yield name, f"{rate:,.0f}", f"{_drained(figures.costs, seconds):,.0f}"
    for rate, (p50, p95) in figures.latencies.items():
        seen = _steady(figures.costs, rate)
        name = f"on its way at {rate:,} a second, median and 95 %: ms"
        modelled = f"{seen.lag(0.5) * 1000:,.0f}, {seen.lag(0.95) * 1000:,.0f}"
        yield name, f"{p50 * 1000:,.0f}, {p95 * 1000:,.0f}", modelled


def _drained(costs: Costs, seconds: float) -> float:
    """A backlog that is there at once, and a server that has nothing else to do."""
    messages = 1_000_000
    arrivals = Arrivals([(0.001, messages * 1_000), (60.0, 0.0)])
    mixpanel = Mixpanel(limit=math.inf, latency=seconds, steady=True)
    (seen,) = run(Fleet(1), costs, [(arrivals, mixpanel)], 60.0)
    return messages / seen.accepted[-1][0]


def _steady(costs: Costs, rate: int) -> Seen:
    mixpanel = Mixpanel(limit=math.inf, latency=0.0)
    return run(Fleet(1), costs, [(Arrivals([(60.0, rate)]), mixpanel)], 60.0)[0]


@dataclass(frozen=True)
class Scenario:
    name: str
    projects: int
    fleet: Fleet
    rate: float
    """Events a second of each project."""
    hours: float
    outage: tuple[float, float] = (HOUR / 2, HOUR * 1.5)

    def seen(self, costs: Costs) -> list[Seen]:
        def load() -> tuple[Arrivals, Mixpanel]:
            mixpanel = Mixpanel(limit=LIMIT, latency=ANSWER_SECONDS, outage=self.outage)
            return Arrivals([(self.hours * HOUR, self.rate)]), mixpanel

        loads = [load() for _ in range(self.projects)]
        return run(self.fleet, costs, loads, self.hours * HOUR, every=30.0)


SCENARIOS = (
    Scenario("one project at 15,000/s", 1, Fleet(1, 8), 15_000, 4),
    Scenario("one project at 25,000/s", 1, Fleet(1, 8), 25_000, 8),
    Scenario("one project at its limit, 30,000/s", 1, Fleet(2, 8), 30_000, 8),
    Scenario("ten projects at 20,000/s each, four nodes", 10, Fleet(1, 8, 4), 20_000, 5),
)


def simulate(figures: Figures) -> tuple[str, Figure]:
    """What an hour without Mixpanel does to each, and the picture of it."""
    head = (
        "an hour without Mixpanel",
        "workers a project",
        "messages that wait at most",
        "GiB",
        "GiB packed",
        "caught up, hours after its end",
        "requests refused by 429",
    )
    lines: list[list[str]] = []
    picture, axes = plot.canvas(8, 3.5)
    for scenario in SCENARIOS:
        seen = scenario.seen(figures.costs)
        lines.append(_line(scenario, seen, figures))
        if scenario.projects == 1:
            moments = [at / HOUR for at, _ in seen[0].backlog]
            axes.plot(
                moments, [waiting / 1e6 for _, waiting in seen[0].backlog], label=scenario.name
            )
    axes.set_xlabel("hours; Mixpanel is away from 0.5 to 1.5")
    axes.set_ylabel("million messages that wait")
    axes.legend(frameon=False)
    return table(head, lines), picture


def _line(scenario: Scenario, seen: list[Seen], figures: Figures) -> list[str]:
    peak = sum(one.peak for one in seen)
    within = 2 * scenario.rate
    ends = [one.empty_again(scenario.outage[1], within) for one in seen]
    known = [end for end in ends if end is not None]
    caught_up = f"{(max(known) - scenario.outage[1]) / HOUR:.1f}" if known == ends else "never"
    plain, packed = (peak * figures.queued_bytes[depth] / GIB for depth in (0, 1))
    answers = [one.answers for one in seen]
    refused = sum(told.get(429, 0) for told in answers) / sum(sum(t.values()) for t in answers)
    workers = f"{scenario.fleet.processes}"
    return [scenario.name, workers, f"{peak / 1e6:,.0f} million", f"{plain:,.0f}",
            f"{packed:,.0f}", caught_up, f"{refused:.1%}"]  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--write", action="store_true", help=f"into docs/{PAGE.name}")
    chosen = options.parse_args()
    figures = Figures.of(Results.read())
    simulated, picture = simulate(figures)
    sections = {"needs": needs(figures), "check": check(figures), "outage": simulated}
    print("\n".join(sections.values()))
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        for name, text in sections.items():
            page = put(page, name, text)
        PAGE.write_text(page, encoding="utf-8")
        picture.savefig(plot.FOLDER / "scale-outage.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
