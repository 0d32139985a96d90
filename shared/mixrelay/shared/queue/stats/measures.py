"""What the counters measure beside the books: requests, their seconds, sizes and latencies.

The scripts that settle batches count them, so that one reader sees the whole fleet. A histogram's
counters are named `<name>:<bound>`, its sum `<name>:sum`; a bound is the bucket's upper end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

STATUS_CLASSES = ("2xx", "3xx", "4xx", "5xx", "none")
"""`none`: no whole answer came."""

SECONDS_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of one request, from connecting to the answer's last byte."""
SIZE_BOUNDS = (1, 10, 50, 100, 250, 500, 1_000, 2_000)
"""Records in one request."""
LATENCY_BOUNDS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
"""Seconds from a message's receipt to Mixpanel's acceptance, as `settle.lua` has them too."""
BEYOND = "inf"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by bucket, each with those of the smaller ones left out."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    """One more than bounds: the last lies beyond them."""
    total: float
    """The sum of all that was measured."""

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The bound below which this share lies, straight between two bounds; None for nothing."""
        wanted, passed, lower = share * self.count, 0, 0.0
        if not self.count:
            return None
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and passed + count >= wanted:
                return lower + (bound - lower) * (wanted - passed) / count
            passed, lower = passed + count, bound
        return self.bounds[-1]


def bucket(value: float, bounds: tuple[float, ...]) -> str:
    """The name of the bucket that a value falls into."""
    return next((f"{bound:g}" for bound in bounds if value <= bound), BEYOND)


def histogram(
    counters: Mapping[str, int], name: str, bounds: tuple[float, ...], *, unit: float = 1.0
) -> Histogram:
    """A histogram out of the counters, all of it there also where nothing was counted yet.

    Args:
        counters: `Books.totals`, or those of a minute.
        name: the histogram's.
        bounds: its own.
        unit: what one of the sum's units is worth: milliseconds are 0.001.
    """
    names = [*(f"{bound:g}" for bound in bounds), BEYOND]
    counts = tuple(counters.get(f"{name}:{bound}", 0) for bound in names)
    return Histogram(bounds, counts, counters.get(f"{name}:sum", 0) * unit)
