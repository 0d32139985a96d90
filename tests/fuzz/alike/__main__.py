"""Compares records read together with each by itself, then tries each planted defect.

`python -m tests.fuzz.alike [--records N] [--seed S]`
"""

import argparse
import secrets
import time

from tests.fuzz.alike.comparing import Different, compared
from tests.fuzz.alike.planted import DEFECTS

PLANTED_RECORDS = 200_000


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz.alike", description=__doc__)
    options.add_argument("--records", type=int, default=5_000_000)
    options.add_argument("--seed", type=int, default=secrets.randbits(32))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    began = time.monotonic()
    done = compared(chosen.seed, chosen.records)
    print(f"{done:,} records alike on both ways, {time.monotonic() - began:.0f} s", flush=True)
    missed = [name for name in DEFECTS if not seen(name, chosen.seed)]
    return 1 if missed else 0


def seen(name: str, seed: int, records: int = PLANTED_RECORDS) -> bool:
    """Whether a planted defect shows."""
    done = 0

    def note(so_far: int) -> None:
        nonlocal done
        done = so_far

    with DEFECTS[name]():
        try:
            compared(seed, records, note)
        except (Different, ValueError, LookupError, TypeError):
            print(f"planted: {name}: seen after {done:,} records", flush=True)
            return True
    print(f"planted: {name}: NOT SEEN in {done:,} records", flush=True)
    return False


if __name__ == "__main__":
    raise SystemExit(main())
