"""A script as cron starts it: some work, and the end of the process. Prints when it had done."""

import sys
from time import monotonic

from tests.chaos.hosts.work import work

if __name__ == "__main__":
    for n in sys.argv[1:]:
        work(int(n))
    print(monotonic())
