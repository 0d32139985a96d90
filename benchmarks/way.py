"""One way to get a message off a request's hands, and what it costs."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    name: str
    call: Callable[[], object]
    messages: int = 1
    """Of one call."""
    finish: Callable[[], object] = lambda: None
    """Sends what waits in the process's memory."""
    share: int = 1
    """Of a round's messages it is given a part: what is slow tells enough with fewer."""

    def round(self, messages: int) -> tuple[list[float], float]:
        """Microseconds a message: of each call by the clock, and of CPU over all of them."""
        calls = max(messages // self.messages // self.share, 1)
        for _ in range(max(calls // 10, 1)):
            self.call()
        self.finish()
        gc.collect()
        times = []
        began = time.process_time()
        for _ in range(calls):
            start = time.perf_counter()
            self.call()
            times.append((time.perf_counter() - start) / self.messages * 1e6)
        self.finish()
        return times, (time.process_time() - began) / calls / self.messages * 1e6
