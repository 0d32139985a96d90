"""Queues so many events with another library, in a process of its own.

`python -m benchmarks.others.fill MODULE FUNCTION MESSAGES`; what is measured later imports MODULE
too, and none of ours.
"""

import importlib
import sys

from benchmarks.events import DISTINCT, records


def main(module: str, function: str, messages: int) -> None:
    enqueue = getattr(importlib.import_module(f"benchmarks.others.{module}"), function)
    ready = records()
    enqueue([ready[number % DISTINCT] for number in range(messages)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
